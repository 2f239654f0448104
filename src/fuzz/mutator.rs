//! Makes hostile bytes out of good ones.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// Longest input.
const MAX_LENGTH: usize = 64 * 1024;
/// Most changes to one input.
const MAX_CHANGES: u32 = 4;
/// Numbers at which arithmetic goes wrong, as text and as bytes.
const EDGES: [u64; 12] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0xffff_ffff,
    0x0100_0000_0000_0000,
    0x7fff_ffff_ffff_ffff,
    u64::MAX,
];
/// What parsers look for.
const TOKENS: [&str; 24] = [
    "\r\n",
    "\n\n",
    "\0",
    "\"",
    "\\",
    "/",
    "//",
    "..",
    "%",
    "%00",
    "=",
    "-",
    "=-",
    "[",
    "]",
    "{",
    "}",
    "<",
    "--",
    "/*",
    "`${",
    "\u{202e}",
    "\u{ff0e}",
    "http://127.0.0.1/",
];

/// A source of inputs: the same seed and corpus give the same ones in every run.
#[derive(Debug)]
pub struct Mutator {
    corpus: Vec<Vec<u8>>,
    rng: StdRng,
}

impl Mutator {
    /// Starts from these inputs; from nothing when there are none.
    pub fn new(corpus: Vec<Vec<u8>>, seed: u64) -> Self {
        let corpus = if corpus.is_empty() {
            vec![Vec::new()]
        } else {
            corpus
        };
        Self {
            corpus,
            rng: StdRng::seed_from_u64(seed),
        }
    }

    /// The next input.
    pub fn next_input(&mut self) -> Vec<u8> {
        let mut bytes = self.any_of_corpus();
        for _ in 0..self.rng.random_range(1..=MAX_CHANGES) {
            self.change(&mut bytes);
        }
        bytes.truncate(MAX_LENGTH);
        bytes
    }

    fn any_of_corpus(&mut self) -> Vec<u8> {
        let number = self.rng.random_range(0..self.corpus.len());
        self.corpus.get(number).cloned().unwrap_or_default()
    }

    /// A place in `bytes`, its end included.
    fn place(&mut self, bytes: &[u8]) -> usize {
        self.rng.random_range(0..=bytes.len())
    }

    fn change(&mut self, bytes: &mut Vec<u8>) {
        match self.rng.random_range(0..10) {
            0 => self.flip(bytes),
            1 => self.overwrite(bytes),
            2 => self.put_number(bytes),
            3 => self.write_number(bytes),
            4 => {
                let token = TOKENS[self.rng.random_range(0..TOKENS.len())];
                self.insert(bytes, token.as_bytes());
            }
            5 => bytes.truncate(self.place(bytes)),
            6 => self.cut_out(bytes),
            7 => self.repeat(bytes),
            8 => self.cross(bytes),
            _ => {
                let byte = self.rng.random();
                self.insert(bytes, &[byte]);
            }
        }
    }

    fn flip(&mut self, bytes: &mut [u8]) {
        let at = self.place(bytes);
        let bit = self.rng.random_range(0..8);
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1 << bit;
        }
    }

    fn overwrite(&mut self, bytes: &mut [u8]) {
        let at = self.place(bytes);
        let new = self.rng.random();
        if let Some(byte) = bytes.get_mut(at) {
            *byte = new;
        }
    }

    /// A number as lengths in files are written.
    fn put_number(&mut self, bytes: &mut [u8]) {
        let number = EDGES[self.rng.random_range(0..EDGES.len())].to_be_bytes();
        let width = [1, 2, 4, 8][self.rng.random_range(0..4)];
        let at = self.place(bytes);
        for (byte, new) in bytes.iter_mut().skip(at).zip(&number[8 - width..]) {
            *byte = *new;
        }
    }

    /// A number as text has it.
    fn write_number(&mut self, bytes: &mut Vec<u8>) {
        let number = EDGES[self.rng.random_range(0..EDGES.len())].to_string();
        self.insert(bytes, number.as_bytes());
    }

    fn insert(&mut self, bytes: &mut Vec<u8>, new: &[u8]) {
        let at = self.place(bytes);
        bytes.splice(at..at, new.iter().copied());
    }

    fn cut_out(&mut self, bytes: &mut Vec<u8>) {
        let (from, to) = (self.place(bytes), self.place(bytes));
        bytes.drain(from.min(to)..from.max(to));
    }

    fn repeat(&mut self, bytes: &mut Vec<u8>) {
        let (from, to) = (self.place(bytes), self.place(bytes));
        let part = bytes[from.min(to)..from.max(to)].to_vec();
        let times = self.rng.random_range(1..=16_usize);
        if part.len() * times <= MAX_LENGTH {
            self.insert(bytes, &part.repeat(times));
        }
    }

    /// The beginning of one input and the end of another.
    fn cross(&mut self, bytes: &mut Vec<u8>) {
        let other = self.any_of_corpus();
        let at = self.place(&other);
        bytes.truncate(self.place(bytes));
        bytes.extend_from_slice(&other[at..]);
    }
}
