//! The certificate authority of the simulated upstream: one root, one leaf per host, minted on demand.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// How the certificate shown to a client is wrong, or right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Leaf {
    /// Valid for the host.
    Good,
    /// Valid, but for another name.
    WrongName,
    /// For the host, but its time is over.
    Expired,
}

/// A root certificate with its key, and the leaves signed so far.
pub(crate) struct Ca {
    issuer: Issuer<'static, KeyPair>,
    root: CertificateDer<'static>,
    pem: String,
    leaves: Mutex<HashMap<(String, Leaf), Arc<ServerConfig>>>,
}

impl Ca {
    /// Makes a new root; two of them never trust each other's leaves.
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().expect("key");
        let mut params = CertificateParams::new(Vec::new()).expect("params");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params
            .distinguished_name
            .push(DnType::CommonName, "serverrs simulated upstream");
        let certificate = params.self_signed(&key).expect("root certificate");
        Self {
            root: certificate.der().clone(),
            pem: certificate.pem(),
            issuer: Issuer::new(params, key),
            leaves: Mutex::default(),
        }
    }

    /// The root as PEM, for `EXTRA_CA_FILE`.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// The root as DER, for a client built in a test.
    pub(crate) fn root(&self) -> CertificateDer<'static> {
        self.root.clone()
    }

    /// TLS settings that answer as `host`.
    pub(crate) fn server_config(&self, host: &str, leaf: Leaf) -> Arc<ServerConfig> {
        let mut leaves = self.leaves.lock().expect("leaves");
        let config = leaves
            .entry((host.to_owned(), leaf))
            .or_insert_with(|| Arc::new(self.mint(host, leaf)));
        Arc::clone(config)
    }

    fn mint(&self, host: &str, leaf: Leaf) -> ServerConfig {
        let name = match leaf {
            Leaf::WrongName => "wrong-name.invalid",
            Leaf::Good | Leaf::Expired => host,
        };
        let key = KeyPair::generate().expect("key");
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("host name");
        params.use_authority_key_identifier_extension = true;
        if leaf == Leaf::Expired {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2020, 2, 1);
        }
        let certificate = params.signed_by(&key, &self.issuer).expect("leaf");
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("protocol versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("leaf certificate");
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config
    }
}
