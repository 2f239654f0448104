//! Segments under AES-128 (RFC 8216 §4.3.2.4, §5): CBC with the padding of PKCS #7, each segment for itself.

use std::fmt;

use aes::Aes128;
use cbc::Decryptor;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt as _, KeyIvInit as _};
use url::Url;

use super::{Addresses, Attributes, HlsError};

/// Bytes of a block, and of a key.
const BLOCK: usize = 16;

/// What segments are encrypted under (`EXT-X-KEY`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Where it is.
    pub url: Url,
    /// The initialisation vector; the number of the segment where the playlist tells none.
    pub iv: Option<[u8; BLOCK]>,
}

/// A key that was read, and how it is used.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    key: [u8; BLOCK],
    iv: Option<[u8; BLOCK]>,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Key {
    pub(super) fn read(
        attributes: &Attributes<'_>,
        addresses: &mut Addresses<'_>,
    ) -> Result<Self, HlsError> {
        const TAG: HlsError = HlsError::Tag("EXT-X-KEY");
        let iv = attributes.text("IV").map(|text| vector(text).ok_or(TAG));
        Ok(Self {
            url: addresses.of(attributes)?.ok_or(TAG)?,
            iv: iv.transpose()?,
        })
    }
}

/// A hexadecimal sequence of 128 bits; zeros in front may be left out.
fn vector(text: &str) -> Option<[u8; BLOCK]> {
    let digits = text
        .strip_prefix("0x")
        .or_else(|| text.strip_prefix("0X"))?;
    let is_number =
        digits.len() <= 2 * BLOCK && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = is_number
        .then(|| u128::from_str_radix(digits, 16).ok())
        .flatten();
    number.map(u128::to_be_bytes)
}

impl Secret {
    /// What lies at the address of a key: its bytes and nothing else.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let key = bytes.try_into().ok()?;
        Some(Self { key, iv: None })
    }

    /// The same key with this initialisation vector, or that of the segment.
    #[must_use]
    pub fn with(&self, iv: Option<[u8; BLOCK]>) -> Self {
        Self { key: self.key, iv }
    }

    /// Decrypts the segment of this number in its place; whether it is under this key, as far as its padding tells.
    pub fn open(&self, bytes: &mut Vec<u8>, number: u64) -> bool {
        let iv = self.iv.unwrap_or_else(|| u128::from(number).to_be_bytes());
        let cipher = Decryptor::<Aes128>::new(&self.key.into(), &iv.into());
        let Ok(opened) = cipher.decrypt_padded::<Pkcs7>(bytes) else {
            return false;
        };
        let length = opened.len();
        bytes.truncate(length);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let pairs = hex.as_bytes().chunks(2);
        let pair =
            |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        pairs.map(pair).collect()
    }

    fn secret(iv: Option<u128>) -> Secret {
        // NIST SP 800-38A, F.2.1; with a block of padding, made by `openssl enc -aes-128-cbc`.
        let key = Secret::read(&bytes("2b7e151628aed2a6abf7158809cf4f3c")).unwrap();
        key.with(iv.map(u128::to_be_bytes))
    }

    const IV: u128 = 0x0001_0203_0405_0607_0809_0a0b_0c0d_0e0f;
    const PLAIN: &str = "6bc1bee22e409f96e93d7e117393172a";
    const SEALED: &str = "7649abac8119b246cee98e9b12e9197d8964e0b149c10b7b682e6e39aaeb731c";
    const OF_SEGMENT_7: &str = "22ee130b4a6f71311a51a1863bd35241";

    #[test]
    fn segment_is_opened_in_its_place() {
        let mut segment = bytes(SEALED);
        assert!(secret(Some(IV)).open(&mut segment, 7));
        assert_eq!(segment, bytes(PLAIN));
    }

    #[test]
    fn number_of_the_segment_is_the_vector_where_none_is_told() {
        let mut segment = bytes(OF_SEGMENT_7);
        assert!(secret(None).open(&mut segment, 7));
        assert_eq!(segment, b"a segment");
        let mut segment = bytes(OF_SEGMENT_7);
        assert!(!secret(None).open(&mut segment, 8));
    }

    #[test]
    fn what_is_not_encrypted_so_is_refused() {
        for sealed in [
            "",
            "00",
            SEALED.get(..32).unwrap(),
            SEALED.get(2..).unwrap(),
        ] {
            assert!(!secret(Some(IV)).open(&mut bytes(sealed), 0), "{sealed}");
        }
        assert_eq!(Secret::read(&[0; 15]), None);
        assert_eq!(Secret::read(&[0; 17]), None);
        assert_eq!(format!("{:?}", secret(None)), "***");
    }

    #[test]
    fn vectors_are_128_bits() {
        let zeros = "0".repeat(32);
        for (text, expected) in [
            ("0x10", Some(16)),
            ("0XfF", Some(255)),
            (&*format!("0x{zeros}"), Some(0)),
            (&format!("0x{zeros}0"), None),
            ("0x", None),
            ("10", None),
            ("0x+1", None),
            ("0x\u{20ac}", None),
        ] {
            assert_eq!(vector(text).map(u128::from_be_bytes), expected, "{text}");
        }
    }
}
