//! Roots and settings of TLS: verification is always on (reliability R4.3).

use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::NetError;
use crate::config::Env;

/// The public roots, and those of the PEM files that `EXTRA_CA_FILE` and `SSL_CERT_FILE` name.
///
/// `SSL_CERT_FILE` adds too: with the usual content, the system's own bundle, that makes no difference, and a
/// file with one private root keeps the sites reachable.
pub(super) fn roots_from_env(env: &mut Env) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
    for name in ["EXTRA_CA_FILE", "SSL_CERT_FILE"] {
        let Some(path) = env.path(name) else { continue };
        if let Err(message) = add_file(&mut roots, &path) {
            env.fault(name, format_args!("`{}`: {message}", path.display()));
        }
    }
    roots
}

fn add_file(roots: &mut RootCertStore, path: &Path) -> Result<(), String> {
    let pem = std::fs::read(path).map_err(|error| error.to_string())?;
    let mut count = 0_usize;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| format!("not PEM: {error}"))?;
        count += 1;
        roots
            .add(certificate)
            .map_err(|error| format!("certificate {count}: {error}"))?;
    }
    if count == 0 {
        return Err("holds no PEM certificate".to_owned());
    }
    Ok(())
}

/// Settings for a client that offers `protocols`. The crypto provider is named here, not installed for the process.
pub(super) fn client_config(
    roots: &Arc<RootCertStore>,
    protocols: &[&[u8]],
) -> Result<rustls::ClientConfig, NetError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| NetError::Setup(error.to_string()))?
        .with_root_certificates(Arc::clone(roots))
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Ok(config)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn roots_with(content: &str) -> Result<usize, String> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content.as_bytes()).unwrap();
        let mut env = Env::from_pairs([("EXTRA_CA_FILE", file.path().to_str().unwrap())]);
        let roots = roots_from_env(&mut env);
        env.finish().map_err(|error| error.to_string())?;
        Ok(roots.len())
    }

    #[test]
    fn roots_extra_file_is_added_to_the_public_ones() {
        let public = roots_from_env(&mut Env::default()).len();
        assert!(public > 100, "{public}");
        let own = rcgen::generate_simple_self_signed(["ca.test".to_owned()]).unwrap();
        let bundle = format!("# own\n{0}\n{0}", own.cert.pem());
        assert_eq!(roots_with(&bundle), Ok(public + 2));
    }

    #[test]
    fn roots_file_without_certificate_is_a_fault() {
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for content in ["", "no pem", broken] {
            let error = roots_with(content).unwrap_err();
            assert!(error.contains("EXTRA_CA_FILE"), "{error}");
        }
    }
}
