//! What a server holds, before it has worked and afterwards. `bench/` has this file too.

/// What must be given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Held {
    /// Open files and connections.
    pub(crate) descriptors: usize,
    /// Tasks, by its own word.
    pub(crate) tasks: usize,
    /// Programs that run for it.
    pub(crate) children: usize,
    /// Temporary files.
    pub(crate) files: usize,
}

impl Held {
    /// Whether nothing of it is more than in the other.
    pub(crate) fn is_within(self, other: Self) -> bool {
        self.descriptors <= other.descriptors
            && self.tasks <= other.tasks
            && self.children <= other.children
            && self.files <= other.files
    }
}

/// A figure of `/metrics`, which is a whole number.
pub(crate) fn figure(page: &str, name: &str) -> Option<usize> {
    let mut lines = page.lines().filter_map(|line| line.split_once(' '));
    let (_, value) = lines.find(|(other, _)| *other == name)?;
    // Whole numbers are written as fractions.
    value.trim_end_matches(".0").parse().ok()
}
