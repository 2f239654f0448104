//! Runs, jobs, kept files, and what is never touched.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::Duration;

use tempfile::TempDir;

use super::*;

const DEAD: &str = "run-4000000-00000000000000aa";

fn config(dir: &Path) -> TempConfig {
    TempConfig {
        dir: dir.join("temp"),
        quota_bytes: 1000,
        min_free_bytes: 0,
        cleanup_interval: Duration::from_secs(900),
    }
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn run_of_a_dead_process_is_swept_and_nothing_else() {
    let root = TempDir::new().unwrap();
    let config = config(root.path());
    let foreign = root.path().join("foreign");
    fs::create_dir_all(&foreign).unwrap();
    fs::write(foreign.join("kept"), "x").unwrap();
    fs::create_dir_all(config.dir.join(DEAD).join("job")).unwrap();
    symlink(&foreign, config.dir.join(DEAD).join("link")).unwrap();
    symlink(&foreign, config.dir.join("run-1-00000000000000bb")).unwrap();
    fs::create_dir(config.dir.join("run-1-00000000000000cx")).unwrap();
    fs::create_dir(config.dir.join("run--00000000000000cc")).unwrap();
    fs::write(config.dir.join("run-1-00000000000000dd"), "a file").unwrap();
    fs::write(config.dir.join(".gitkeep"), "").unwrap();
    let living = Temp::open(&config).unwrap();
    let second = Temp::open(&config).unwrap();
    second.sweep();
    let found = names(&config.dir);
    assert!(!found.contains(&DEAD.to_owned()), "{found:?}");
    assert_eq!(found.len(), 7, "{found:?}");
    assert!(living.run.dir.is_dir() && second.run.dir.is_dir());
    assert_eq!(names(&foreign), ["kept"]);
}

#[test]
fn job_goes_with_its_files_and_gives_its_room_back() {
    let root = TempDir::new().unwrap();
    let temp = Temp::open(&config(root.path())).unwrap();
    let job = temp.job().unwrap();
    assert_eq!(
        fs::metadata(&job.dir).unwrap().permissions().mode() & 0o777,
        0o700
    );
    fs::write(job.path("a"), [1; 600]).unwrap();
    job.reserve(600).unwrap();
    assert!(matches!(job.reserve(401), Err(TempError::Busy)));
    drop(job);
    assert_eq!(names(&temp.run.dir), [""; 0]);
    temp.job().unwrap().reserve(1000).unwrap();
}

#[test]
fn kept_file_has_no_name_and_holds_only_its_own_room() {
    let root = TempDir::new().unwrap();
    let temp = Temp::open(&config(root.path())).unwrap();
    let job = temp.job().unwrap();
    job.reserve(900).unwrap();
    fs::write(job.path("a"), b"0123456789").unwrap();
    let kept = job.keep("a").unwrap();
    assert_eq!(names(&temp.run.dir), [""; 0]);
    let mut buffer = [0; 4];
    assert_eq!(
        (kept.length(), kept.read_at(&mut buffer, 8).unwrap()),
        (10, 2)
    );
    assert_eq!(&buffer[..2], b"89");
    assert_eq!(kept.read_at(&mut buffer, 10).unwrap(), 0);
    let job = temp.job().unwrap();
    assert!(matches!(job.reserve(991), Err(TempError::Busy)));
    job.reserve(990).unwrap();
    drop(kept);
    job.reserve(10).unwrap();
}

#[test]
fn job_is_refused_while_too_little_is_free() {
    let root = TempDir::new().unwrap();
    let config = TempConfig {
        min_free_bytes: u64::MAX,
        ..config(root.path())
    };
    let temp = Temp::open(&config).unwrap();
    assert!(matches!(temp.job(), Err(TempError::Busy)));
}

#[test]
fn closed_run_is_gone() {
    let root = TempDir::new().unwrap();
    let config = config(root.path());
    let temp = Temp::open(&config).unwrap();
    temp.close();
    assert_eq!(names(&config.dir), [""; 0]);
}

#[test]
fn directory_that_can_not_be_made_is_an_error() {
    let root = TempDir::new().unwrap();
    fs::write(root.path().join("temp"), "a file").unwrap();
    assert!(matches!(
        Temp::open(&config(root.path())),
        Err(TempError::Io(_))
    ));
}
