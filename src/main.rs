//! serverrs: the binary; everything is in the library.

fn main() {}
