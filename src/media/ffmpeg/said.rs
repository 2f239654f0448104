//! What a child says on its standard error: the end of it, and the lines in it. Pure.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use std::collections::VecDeque;

/// Bytes of standard error that are kept, from its end.
pub(in crate::media) const STDERR_BYTES: usize = 16 * 1024;
/// Bytes of one line that are passed on.
pub(in crate::media) const LINE_BYTES: usize = 2048;

/// The last bytes of a text.
#[derive(Debug, Default)]
pub(in crate::media) struct Tail(VecDeque<u8>);

impl Tail {
    /// Adds what was said.
    pub(in crate::media) fn push(&mut self, bytes: &[u8]) {
        let bytes = bytes
            .last_chunk::<STDERR_BYTES>()
            .map_or(bytes, |last| last.as_slice());
        let held = self.0.len().saturating_add(bytes.len());
        let surplus = held.saturating_sub(STDERR_BYTES);
        self.0.drain(..surplus);
        self.0.extend(bytes);
    }

    /// What is kept, as text.
    pub(in crate::media) fn text(&self) -> String {
        let bytes: Vec<u8> = self.0.iter().copied().collect();
        String::from_utf8_lossy(&bytes).trim().to_owned()
    }
}

/// Cuts lines out of what comes.
#[derive(Debug, Default)]
pub(in crate::media) struct Lines {
    begun: Vec<u8>,
}

impl Lines {
    /// The lines that are whole now, cut at [`LINE_BYTES`], without those that are empty.
    pub(in crate::media) fn push(&mut self, said: &[u8]) -> impl Iterator<Item = String> {
        let parts = said.split_inclusive(|byte| is_end(*byte));
        parts.filter_map(|part| self.add(part))
    }

    fn add(&mut self, part: &[u8]) -> Option<String> {
        let room = LINE_BYTES.saturating_sub(self.begun.len());
        self.begun.extend(part.iter().take(room));
        if !part.last().copied().is_some_and(is_end) {
            return None;
        }
        let line = String::from_utf8_lossy(&self.begun).trim().to_owned();
        self.begun.clear();
        (!line.is_empty()).then_some(line)
    }
}

fn is_end(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tail_keeps_the_last_bytes() {
        let mut tail = Tail::default();
        tail.push(&vec![b'a'; STDERR_BYTES + 5]);
        tail.push(b"the end \xff\n");
        assert_eq!(tail.0.len(), STDERR_BYTES);
        assert!(tail.text().ends_with("athe end \u{fffd}"));
    }

    #[test]
    fn lines_are_whole_and_cut() {
        let mut lines = Lines::default();
        let mut heard = Vec::new();
        for said in [
            &b"one\ntw"[..],
            b"o\r\n\n",
            &[b'a'; 2 * LINE_BYTES],
            b"\nend",
        ] {
            heard.extend(lines.push(said).map(|line| line.len()));
        }
        assert_eq!(heard, [3, 3, LINE_BYTES]);
    }
}
