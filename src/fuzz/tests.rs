//! Every target with many inputs made from its corpus, the same in every run.

use std::path::Path;

use super::{Mutator, TARGETS};

/// Inputs for each target.
const INPUTS: usize = 100_000;

/// The committed inputs of a target.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let files =
        std::fs::read_dir(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    let read = |file| std::fs::read(file).unwrap();
    files.into_iter().map(read).collect()
}

/// Runs the targets whose place leaves this remainder.
fn run(remainder: usize) {
    for target in TARGETS.iter().skip(remainder).step_by(PARTS) {
        let corpus = corpus(target.name);
        assert!(!corpus.is_empty(), "{} has no corpus", target.name);
        for input in &corpus {
            (target.run)(input);
        }
        let mut mutator = Mutator::new(corpus, 1);
        for _ in 0..INPUTS {
            (target.run)(&mutator.next_input());
        }
    }
}

/// Tests that the targets are shared among.
const PARTS: usize = 4;

#[test]
fn readers_bear_anything_1() {
    run(0);
}

#[test]
fn readers_bear_anything_2() {
    run(1);
}

#[test]
fn readers_bear_anything_3() {
    run(2);
}

#[test]
fn readers_bear_anything_4() {
    run(3);
}

#[test]
fn mutator_repeats_itself() {
    let inputs = |seed| {
        let mut mutator = Mutator::new(vec![b"abc".to_vec(), b"0123456789".to_vec()], seed);
        (0..100).map(|_| mutator.next_input()).collect::<Vec<_>>()
    };
    assert_eq!(inputs(7), inputs(7));
    assert_ne!(inputs(7), inputs(8));
}
