//! The first bytes of both sides (section 5.2): version and 1536 bytes, each repeated by the other.

use bytes::{BufMut, BytesMut};
use rand::RngExt;

const VERSION: u8 = 3;
/// Bytes of a packet behind the version.
pub(super) const ECHO: usize = 1536;
/// Bytes that the other side begins with: S0 and S1.
pub(super) const ANSWER: usize = 1 + ECHO;

/// Writes C0 and C1: time and zero, then bytes that nobody else sends.
pub(super) fn hello(out: &mut BytesMut) {
    out.put_u8(VERSION);
    out.put_u64(0);
    let mut noise = [0; ECHO - 8];
    rand::rng().fill(&mut noise[..]);
    out.put_slice(&noise);
}

/// What to answer to S0 and S1; `None` when they are of another protocol. Servers that can do more than version 3
/// answer with 3 all the same.
pub(super) fn echo(answer: &[u8]) -> Option<&[u8]> {
    match answer {
        [VERSION, rest @ ..] if rest.len() == ECHO => Some(rest),
        _ => None,
    }
}
