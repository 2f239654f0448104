//! The bytes of every file: one pattern, repeated. Written by the CDN, compared byte for byte by the load client.

use std::sync::OnceLock;

/// Length of the pattern: a prime, so that a shift by any power of two is seen.
const PERIOD: usize = 1_048_573;

/// The pattern; it begins like an MP4 file.
pub(crate) fn pattern() -> &'static [u8] {
    static PATTERN: OnceLock<Vec<u8>> = OnceLock::new();
    PATTERN.get_or_init(|| {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut bytes = b"\0\0\0\x20ftypisom".to_vec();
        while bytes.len() < PERIOD {
            // xorshift64 (Marsaglia 2003).
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            bytes.extend_from_slice(&state.to_le_bytes());
        }
        bytes.truncate(PERIOD);
        bytes
    })
}

/// The bytes of a file from `offset` to the end of the pattern's current turn.
pub(crate) fn from(offset: u64) -> &'static [u8] {
    let start = usize::try_from(offset % PERIOD as u64).unwrap_or(0);
    &pattern()[start..]
}

/// Whether `bytes` are those of a file at `offset`.
pub(crate) fn matches(mut bytes: &[u8], mut offset: u64) -> bool {
    while !bytes.is_empty() {
        let expected = from(offset);
        let length = bytes.len().min(expected.len());
        if bytes[..length] != expected[..length] {
            return false;
        }
        bytes = &bytes[length..];
        offset += length as u64;
    }
    true
}
