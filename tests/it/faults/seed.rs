//! Numbers that look random and are the same in every run.

/// A source of numbers that follow from where it began.
#[derive(Debug, Clone)]
pub(crate) struct Seed(u64);

impl Seed {
    /// The source of one transfer.
    pub(crate) fn new(number: u64) -> Self {
        Self(number)
    }

    /// A number in the range (`SplitMix64`; the bias of the remainder doesn't matter here).
    pub(crate) fn within(&mut self, range: std::ops::Range<u64>) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        range.start + (mixed ^ (mixed >> 31)) % (range.end - range.start)
    }

    /// One of these.
    pub(crate) fn one_of<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        let index = self.within(0..of.len() as u64);
        &of[usize::try_from(index).expect("an index")]
    }
}
