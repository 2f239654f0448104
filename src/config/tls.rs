//! Certificate and key with which the server itself speaks TLS, in files that may be replaced while it runs.

use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use zeroize::Zeroizing;

use super::{Env, Fault, open_regular};

const CERT_FILE: &str = "TLS_CERT_FILE";
const KEY_FILE: &str = "TLS_KEY_FILE";
/// Largest file in bytes; a chain has a few KiB.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// The files of `TLS_CERT_FILE` and `TLS_KEY_FILE`, and what they held when the settings were read.
#[derive(Clone)]
pub struct TlsConfig {
    cert_file: PathBuf,
    key_file: PathBuf,
    content: TlsContent,
    pair: Arc<CertifiedKey>,
}

/// What both files hold, to be compared with a later reading.
#[derive(Clone, PartialEq, Eq)]
pub struct TlsContent {
    chain: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
}

impl TlsConfig {
    /// Reads `TLS_CERT_FILE` (none): PEM, the server's certificate first, then those up to its root; and `TLS_KEY_FILE`
    /// (none): PEM, the key of that certificate. With both, the server speaks TLS and nothing else; with neither, plain HTTP.
    pub(super) fn from_env(env: &mut Env) -> Option<Self> {
        let (cert_file, key_file) = match (env.path(CERT_FILE), env.path(KEY_FILE)) {
            (Some(cert_file), Some(key_file)) => (cert_file, key_file),
            (None, None) => return None,
            (Some(_), None) => {
                env.fault(KEY_FILE, format_args!("must be set, as {CERT_FILE} is"));
                return None;
            }
            (None, Some(_)) => {
                env.fault(CERT_FILE, format_args!("must be set, as {KEY_FILE} is"));
                return None;
            }
        };
        match Self::read(cert_file, key_file) {
            Ok(config) => Some(config),
            Err(fault) => {
                env.fault(&fault.name, fault.message);
                None
            }
        }
    }

    fn read(cert_file: PathBuf, key_file: PathBuf) -> Result<Self, Fault> {
        let content = TlsContent::read(&cert_file, &key_file)?;
        Ok(Self {
            pair: content.pair()?,
            cert_file,
            key_file,
            content,
        })
    }

    /// The certificate with its key, as they were when the settings were read.
    pub fn pair(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.pair)
    }

    /// What the files held when the settings were read.
    pub fn content(&self) -> TlsContent {
        self.content.clone()
    }

    /// What the files hold now.
    ///
    /// # Errors
    /// One of them can't be read.
    pub fn content_now(&self) -> Result<TlsContent, Fault> {
        TlsContent::read(&self.cert_file, &self.key_file)
    }
}

impl fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConfig")
            .field("cert_file", &self.cert_file)
            .field("key_file", &self.key_file)
            .finish_non_exhaustive()
    }
}

impl TlsContent {
    fn read(cert_file: &Path, key_file: &Path) -> Result<Self, Fault> {
        Ok(Self {
            chain: read(cert_file).map_err(|error| unreadable(CERT_FILE, cert_file, &error))?,
            key: read(key_file)
                .map(Zeroizing::new)
                .map_err(|error| unreadable(KEY_FILE, key_file, &error))?,
        })
    }

    /// The certificate with its key.
    ///
    /// # Errors
    /// One of them is none, or they don't belong together. The message quotes neither file: who mixes up the two
    /// would find the key in the log.
    pub fn pair(&self) -> Result<Arc<CertifiedKey>, Fault> {
        let chain = CertificateDer::pem_slice_iter(&self.chain)
            .collect::<Result<Vec<_>, pem::Error>>()
            .map_err(|_| fault(CERT_FILE, "is not PEM"))?;
        if chain.is_empty() {
            return Err(fault(CERT_FILE, "holds no PEM certificate"));
        }
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|_| fault(KEY_FILE, "holds no PEM private key without a passphrase"))?;
        let key = any_supported_type(&key)
            .map_err(|_| fault(KEY_FILE, "must be an RSA, ECDSA or Ed25519 key"))?;
        let pair = CertifiedKey::new(chain, key);
        match pair.keys_match() {
            Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
                let message = format!("is not the key of the first certificate in {CERT_FILE}");
                Err(fault(KEY_FILE, &message))
            }
            Err(_) => Err(fault(CERT_FILE, "begins with a broken certificate")),
            Ok(()) => Ok(Arc::new(pair)),
        }
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    open_regular(path)?
        .take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut content)?;
    if content.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::other("larger than 1 MiB"));
    }
    Ok(content)
}

fn unreadable(name: &str, path: &Path, error: &io::Error) -> Fault {
    fault(name, &format!("`{}`: {error}", path.display()))
}

fn fault(name: &str, message: &str) -> Fault {
    Fault {
        name: name.to_owned(),
        message: message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    use tempfile::TempDir;

    use super::*;

    /// A certificate and its key as PEM.
    fn made() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    /// What `from_env` makes of files with these contents, and the faults.
    fn config_of(cert: &str, key: &str) -> (Option<TlsConfig>, Vec<Fault>) {
        let folder = TempDir::new().unwrap();
        let (cert_file, key_file) = (
            folder.path().join("cert.pem"),
            folder.path().join("key.pem"),
        );
        std::fs::write(&cert_file, cert).unwrap();
        std::fs::write(&key_file, key).unwrap();
        from_pairs(&[
            (CERT_FILE, cert_file.to_str().unwrap()),
            (KEY_FILE, key_file.to_str().unwrap()),
        ])
    }

    fn from_pairs(pairs: &[(&str, &str)]) -> (Option<TlsConfig>, Vec<Fault>) {
        let mut env = Env::from_pairs(pairs.iter().copied());
        let config = TlsConfig::from_env(&mut env);
        let faults = env.finish().err().map(|error| error.faults);
        (config, faults.unwrap_or_default())
    }

    fn fault_of(cert: &str, key: &str) -> Fault {
        let (config, mut faults) = config_of(cert, key);
        assert!(config.is_none());
        assert_eq!(faults.len(), 1, "{faults:?}");
        faults.remove(0)
    }

    #[test]
    fn pair_is_the_whole_chain_and_shows_nothing_in_debug() {
        let ((cert, key), (issuer, _)) = (made(), made());
        let (config, faults) = config_of(&format!("# ours\n{cert}{issuer}"), &key);
        assert_eq!(faults, []);
        let config = config.unwrap();
        assert_eq!(config.pair().cert.len(), 2);
        let shown = format!("{config:?}");
        assert!(shown.ends_with("key.pem\", .. }"), "{shown}");
    }

    #[test]
    fn neither_file_is_plain_http_and_one_alone_is_a_fault_of_the_other() {
        let (config, faults) = from_pairs(&[]);
        assert!(config.is_none() && faults.is_empty());
        for (set, missing) in [(CERT_FILE, KEY_FILE), (KEY_FILE, CERT_FILE)] {
            let (config, faults) = from_pairs(&[(set, "/nonexistent")]);
            assert!(config.is_none());
            assert_eq!(faults[0].name, missing);
        }
    }

    #[test]
    fn file_that_can_not_be_used_is_named_and_not_quoted() {
        let ((cert, key), (_, other_key)) = (made(), made());
        let secret = key.lines().nth(1).unwrap();
        let cut = &key[..key.len() / 2];
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (cert, key, name) in [
            ("", key.as_str(), CERT_FILE),
            (&key, &key, CERT_FILE),
            (broken, &key, CERT_FILE),
            (&cert[..cert.len() / 2], &key, CERT_FILE),
            (&cert, "", KEY_FILE),
            (&cert, cut, KEY_FILE),
            (&cert, &cert, KEY_FILE),
            (&cert, &other_key, KEY_FILE),
        ] {
            let fault = fault_of(cert, key);
            assert_eq!(fault.name, name, "{fault:?}");
            assert!(!fault.message.contains(secret), "{fault:?}");
        }
    }

    #[test]
    fn file_that_can_not_be_read_is_named() {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("pem");
        std::fs::write(&file, "x").unwrap();
        let (file, missing) = (file.to_str().unwrap(), "/nonexistent/pem");
        for (cert, key, name) in [(missing, file, CERT_FILE), (file, missing, KEY_FILE)] {
            let (_, faults) = from_pairs(&[(CERT_FILE, cert), (KEY_FILE, key)]);
            assert_eq!(faults[0].name, name);
            assert!(faults[0].message.contains(missing), "{faults:?}");
        }
        let pipe = folder.path().join("pipe");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR, 0).unwrap();
        let (_, faults) = from_pairs(&[(CERT_FILE, file), (KEY_FILE, pipe.to_str().unwrap())]);
        assert_eq!(faults[0].name, KEY_FILE);
        assert!(
            faults[0].message.contains("is no regular file"),
            "{faults:?}"
        );
        let large = "x".repeat(1024 * 1024 + 1);
        assert!(fault_of(&large, "").message.contains("larger than 1 MiB"));
    }
}
