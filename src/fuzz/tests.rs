//! Every target with many inputs made from its corpus, the same in every run; each input within a time, all of them within
//! a memory.

use std::io::Write as _;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use super::{Mutator, TARGETS, Target};

/// Inputs for each target.
const INPUTS: usize = 100_000;

/// Longest time for one input: far beyond what any takes on a busy machine, far below one that doesn't end.
const PATIENCE: Duration = Duration::from_secs(20);
/// Most memory of the whole process, as `fuzz/run.sh` has it, in KiB.
const MOST_MEMORY: u64 = 512 * 1024;

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
        within_limits(target, |read| {
            for input in &corpus {
                read(input);
            }
            let mut mutator = Mutator::new(corpus.clone(), 1);
            for _ in 0..INPUTS {
                read(&mutator.next_input());
            }
        });
    }
}

/// Has `inputs` read by a target on a thread that is watched from here.
fn within_limits(target: &Target, inputs: impl FnOnce(&mut dyn FnMut(&[u8])) + Send) {
    let (told, read) = mpsc::channel();
    std::thread::scope(|scope| {
        let run = target.run;
        let reader = scope.spawn(move || {
            inputs(&mut |input| {
                run(input);
                // Nobody listens any more when it is given up.
                let _ = told.send(());
            });
        });
        loop {
            match read.recv_timeout(PATIENCE) {
                Ok(()) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => give_up(target),
            }
        }
        if let Err(panic) = reader.join() {
            std::panic::resume_unwind(panic);
        }
    });
    let peak = peak_memory();
    assert!(peak <= MOST_MEMORY, "{}: {peak} KiB", target.name);
}

/// Says which target doesn't come to an end, and ends the process, for a thread can't be ended.
fn give_up(target: &Target) -> ! {
    // Past what holds back the output of tests: nobody would print it after this.
    let mut stderr = std::io::stderr();
    let _ = writeln!(
        stderr,
        "{}: an input takes longer than {PATIENCE:?}",
        target.name
    );
    std::process::abort();
}

/// The most that this process ever had resident, in KiB.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.unwrap()
        .trim()
        .trim_end_matches("kB")
        .trim()
        .parse()
        .unwrap()
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
