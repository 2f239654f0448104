//! Keys of links: derived from what the operator typed, chosen by the key id in a link (api.md §6).

use std::fmt;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use hkdf::Hkdf;
use rand::Rng;
use rand::rand_core::UnwrapErr;
use rand::rngs::SysRng;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::Purpose;
use crate::config::Secret;

/// The one version so far.
const VERSION: u8 = 1;
/// What a link begins with: version and key id. Both are part of the associated data.
type Header = [u8; 2];
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
/// What sealing adds: version, key id, nonce, tag.
pub(super) const OVERHEAD_BYTES: usize = 2 + NONCE_BYTES + TAG_BYTES;

/// Fixed, because all replicas must come to the same key.
const SALT: &[u8] = b"serverrs/link/v1";
/// Cost of one guess at a key: 2^15 rounds over 32 MiB, about 0.1 s.
const SCRYPT_LOG_N: u8 = 15;
const SCRYPT_R: u32 = 8;
const SCRYPT_P: u32 = 1;

/// One key, and the id by which links name it.
struct Key {
    id: u8,
    cipher: Aes256Gcm,
    /// For secrets that are kept, not handed out: no link can ever be taken for one.
    vault: Aes256Gcm,
    /// For names of what is kept where others may read it.
    names: Zeroizing<[u8; 32]>,
}

/// The keys of this process: one that seals, and all that open.
pub(super) struct KeyRing {
    current: Key,
    previous: Vec<Key>,
}

impl KeyRing {
    /// Derives the keys; a random one when there is no `key`.
    pub(super) fn derive(key: Option<&Secret>, previous: &[Secret]) -> Self {
        Self {
            current: key.map_or_else(Key::random, Key::derive),
            previous: previous.iter().map(Key::derive).collect(),
        }
    }

    /// `version | key id | nonce | ciphertext | tag`, under a nonce that was never used: 96 random bits are good for
    /// 2^32 links a key.
    pub(super) fn seal(&self, purpose: Purpose, claims: &[u8]) -> Vec<u8> {
        self.current.seal(purpose, new_nonce(), claims)
    }

    /// The claims of a sealed link; `None` when none of our keys made it for this purpose.
    pub(super) fn open(&self, purpose: Purpose, sealed: &[u8]) -> Option<Vec<u8>> {
        let (header, rest) = sealed.split_first_chunk()?;
        let (nonce, ciphertext) = rest.split_first_chunk()?;
        self.tried(*header)
            .find_map(|key| key.open(*header, purpose, *nonce, ciphertext))
    }

    /// The keys that are tried on a link. One byte does not tell all keys apart, so it is each that the link names. When it
    /// names none of ours, the current one is tried, in vain, since that never seals such a header: so every refusal takes
    /// the same work, whatever is wrong.
    fn tried(&self, header: Header) -> impl Iterator<Item = &Key> {
        let keys = || std::iter::once(&self.current).chain(&self.previous);
        let in_vain = keys().all(|key| key.header() != header);
        keys()
            .filter(move |key| key.header() == header)
            .chain(in_vain.then_some(&self.current))
    }

    /// `nonce | ciphertext | tag` of a secret that is kept; it opens in the same context only.
    #[expect(
        clippy::expect_used,
        reason = "what is kept is bounded far below the limit of AES-GCM"
    )]
    pub(super) fn seal_secret(&self, context: &str, secret: &[u8]) -> Vec<u8> {
        let nonce = new_nonce();
        let payload = Payload {
            msg: secret,
            aad: context.as_bytes(),
        };
        let vault = &self.current.vault;
        let ciphertext = vault
            .encrypt(&Nonce::from(nonce), payload)
            .expect("a secret is shorter than 64 GiB");
        [&nonce[..], &ciphertext].concat()
    }

    /// A secret that was kept; `None` when none of our keys sealed it in this context.
    pub(super) fn open_secret(&self, context: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, ciphertext) = sealed.split_first_chunk::<NONCE_BYTES>()?;
        let mut keys = std::iter::once(&self.current).chain(&self.previous);
        let opened = keys.find_map(|key| {
            let payload = Payload {
                msg: ciphertext,
                aad: context.as_bytes(),
            };
            key.vault.decrypt(&Nonce::from(*nonce), payload).ok()
        });
        opened.map(Zeroizing::new)
    }

    /// A name for `text` that is the same under the same current key, and says nothing of it without: HKDF-Expand, which
    /// is HMAC-SHA256 of the text (RFC 5869 §2.3).
    #[expect(clippy::expect_used, reason = "constant lengths that HKDF accepts")]
    pub(super) fn pseudonym(&self, text: &str) -> u128 {
        let mut name = [0; 16];
        Hkdf::<Sha256>::from_prk(&*self.current.names)
            .expect("32 bytes are a hash of SHA-256")
            .expand(text.as_bytes(), &mut name)
            .expect("16 bytes are within HKDF's limit");
        u128::from_be_bytes(name)
    }
}

impl Key {
    #[expect(
        clippy::expect_used,
        reason = "constant parameters that scrypt accepts"
    )]
    fn derive(secret: &Secret) -> Self {
        let params = scrypt::Params::new(SCRYPT_LOG_N, SCRYPT_R, SCRYPT_P)
            .expect("2^15, 8 and 1 are within scrypt's limits");
        let mut master = Zeroizing::new([0; 32]);
        scrypt::scrypt(secret.reveal().as_bytes(), SALT, &params, &mut *master)
            .expect("32 bytes are within scrypt's limits");
        Self::from_master(&master)
    }

    fn random() -> Self {
        let mut master = Zeroizing::new([0; 32]);
        UnwrapErr(SysRng).fill_bytes(&mut *master);
        Self::from_master(&master)
    }

    #[expect(clippy::expect_used, reason = "constant lengths that HKDF accepts")]
    fn from_master(master: &[u8; 32]) -> Self {
        let derivation = Hkdf::<Sha256>::new(None, master);
        let (mut key, mut vault) = (Zeroizing::new([0; 32]), Zeroizing::new([0; 32]));
        let mut names = Zeroizing::new([0; 32]);
        let mut id = [0; 1];
        derivation
            .expand(b"enc", &mut *key)
            .expect("32 bytes are within HKDF's limit");
        derivation
            .expand(b"serverrs kept secret v1", &mut *vault)
            .expect("32 bytes are within HKDF's limit");
        derivation
            .expand(b"serverrs name v1", &mut *names)
            .expect("32 bytes are within HKDF's limit");
        derivation
            .expand(b"kid", &mut id)
            .expect("1 byte is within HKDF's limit");
        Self {
            id: id[0],
            cipher: Aes256Gcm::new((&*key).into()),
            vault: Aes256Gcm::new((&*vault).into()),
            names,
        }
    }

    fn header(&self) -> Header {
        [VERSION, self.id]
    }

    #[expect(
        clippy::expect_used,
        reason = "claims are bounded far below the limit of AES-GCM"
    )]
    fn seal(&self, purpose: Purpose, nonce: [u8; NONCE_BYTES], claims: &[u8]) -> Vec<u8> {
        let payload = Payload {
            msg: claims,
            aad: &associated_data(self.header(), purpose),
        };
        let ciphertext = self
            .cipher
            .encrypt(&Nonce::from(nonce), payload)
            .expect("claims are shorter than 64 GiB");
        [&self.header(), &nonce[..], &ciphertext].concat()
    }

    fn open(
        &self,
        header: Header,
        purpose: Purpose,
        nonce: [u8; NONCE_BYTES],
        ciphertext: &[u8],
    ) -> Option<Vec<u8>> {
        let payload = Payload {
            msg: ciphertext,
            aad: &associated_data(header, purpose),
        };
        self.cipher.decrypt(&Nonce::from(nonce), payload).ok()
    }
}

/// 96 random bits.
fn new_nonce() -> [u8; NONCE_BYTES] {
    let mut nonce = [0; NONCE_BYTES];
    UnwrapErr(SysRng).fill_bytes(&mut nonce);
    nonce
}

fn associated_data(header: Header, purpose: Purpose) -> Vec<u8> {
    let purpose: &[u8] = match purpose {
        Purpose::Media => b"media",
        Purpose::Slideshow => b"slideshow",
    };
    [&header, purpose].concat()
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing")
            .field("current", &"***")
            .field("previous", &self.previous.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(current: &[u8; 32], previous: &[[u8; 32]]) -> KeyRing {
        KeyRing {
            current: Key::from_master(current),
            previous: previous.iter().map(Key::from_master).collect(),
        }
    }

    #[test]
    fn keys_previous_ones_open_and_never_seal() {
        let (old, new) = ([1; 32], [2; 32]);
        let sealed = ring(&old, &[]).seal(Purpose::Media, b"claims");
        let rotated = ring(&new, &[old]);
        assert_eq!(
            rotated.open(Purpose::Media, &sealed).as_deref(),
            Some(&b"claims"[..])
        );
        assert_eq!(ring(&new, &[]).open(Purpose::Media, &sealed), None);
        let sealed = rotated.seal(Purpose::Media, b"claims");
        assert_eq!(ring(&old, &[]).open(Purpose::Media, &sealed), None);
    }

    #[test]
    fn keys_with_equal_id_are_all_tried() {
        let id = Key::from_master(&[0; 32]).id;
        let mut twin = [0; 32];
        while twin == [0; 32] || Key::from_master(&twin).id != id {
            let next = u32::from_be_bytes([twin[0], twin[1], twin[2], twin[3]]) + 1;
            twin[..4].copy_from_slice(&next.to_be_bytes());
        }
        let sealed = ring(&[0; 32], &[]).seal(Purpose::Slideshow, b"claims");
        let opened = ring(&twin, &[[9; 32], [0; 32]]).open(Purpose::Slideshow, &sealed);
        assert_eq!(opened.as_deref(), Some(&b"claims"[..]));
        assert_eq!(ring(&twin, &[]).open(Purpose::Slideshow, &sealed), None);
    }

    #[test]
    fn keys_overhead_is_what_sealing_adds() {
        let sealed = ring(&[1; 32], &[]).seal(Purpose::Media, b"claims");
        assert_eq!(sealed.len(), OVERHEAD_BYTES + 6);
    }

    /// Proof T1: whatever a link begins with, one key is tried on it, and so one decryption refuses it.
    #[test]
    fn keys_every_refusal_takes_one_decryption() {
        let ring = ring(&[1; 32], &[[2; 32]]);
        let own = [ring.current.header(), ring.previous[0].header()];
        assert_ne!(own[0], own[1]);
        let sealed = ring.seal(Purpose::Media, b"claims");
        for version in 0..=u8::MAX {
            for id in 0..=u8::MAX {
                let header = [version, id];
                let tried: Vec<_> = ring.tried(header).map(Key::header).collect();
                let expected = if own.contains(&header) {
                    header
                } else {
                    own[0]
                };
                assert_eq!(tried, [expected], "{header:?}");
            }
        }
        let ids = (0..=u8::MAX).map(|id| [VERSION, id]);
        let versions = (0..=u8::MAX).map(|version| [version, own[0][1]]);
        for header in ids.chain(versions) {
            let renamed = [&header, &sealed[2..]].concat();
            let opened = ring.open(Purpose::Media, &renamed).is_some();
            assert_eq!(opened, header == own[0], "{header:?}");
        }
    }

    /// Proof T2, on what both kinds of sealing take.
    #[test]
    fn keys_no_nonce_comes_twice_in_a_million() {
        let mut nonces: Vec<_> = (0..1_000_000).map(|_| new_nonce()).collect();
        nonces.sort_unstable();
        nonces.dedup();
        assert_eq!(nonces.len(), 1_000_000);
    }

    #[test]
    fn keys_nonce_is_new_each_time() {
        let ring = ring(&[1; 32], &[]);
        assert_ne!(
            ring.seal(Purpose::Media, b"c"),
            ring.seal(Purpose::Media, b"c")
        );
    }

    #[test]
    fn kept_secret_opens_in_its_context_alone_and_after_rotation() {
        let (old, new) = ([1; 32], [2; 32]);
        let sealed = ring(&old, &[]).seal_secret("a", b"secret");
        let open = |ring: KeyRing, context| ring.open_secret(context, &sealed).map(|s| s.to_vec());
        assert_eq!(
            open(ring(&new, &[old]), "a").as_deref(),
            Some(&b"secret"[..])
        );
        assert_eq!(open(ring(&old, &[]), "b"), None);
        assert_eq!(open(ring(&new, &[]), "a"), None);
        for at in 0..sealed.len() {
            let mut broken = sealed.clone();
            broken[at] ^= 1;
            assert_eq!(ring(&old, &[]).open_secret("a", &broken), None, "byte {at}");
            assert_eq!(ring(&old, &[]).open_secret("a", &sealed[..at]), None);
        }
    }

    #[test]
    fn pseudonym_follows_from_the_current_key_and_the_text_alone() {
        let (old, new) = ([1; 32], [2; 32]);
        let name = ring(&old, &[]).pseudonym("text");
        assert_eq!(ring(&old, &[new]).pseudonym("text"), name);
        assert_ne!(ring(&old, &[]).pseudonym("texts"), name);
        assert_ne!(ring(&new, &[old]).pseudonym("text"), name);
    }

    #[test]
    fn keys_are_not_in_debug_output() {
        assert_eq!(
            format!("{:?}", ring(&[1; 32], &[[2; 32]])),
            "KeyRing { current: \"***\", previous: 1 }"
        );
    }
}
