//! Runs, jobs, kept files, and what is never touched.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::Duration;

use tempfile::TempDir;

use super::*;

const DEAD: &str = "run-4000000-00000000000000aa";

fn config(dir: &Path) -> TempConfig {
    TempConfig {
        dir: dir.join("temp"),
        quota_bytes: Some(1000),
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
    assert!(!living.is_shared());
    let second = Temp::open(&config).unwrap();
    assert!(living.is_shared() && second.is_shared());
    second.sweep();
    let found = names(&config.dir);
    assert!(!found.contains(&DEAD.to_owned()), "{found:?}");
    assert_eq!(found.len(), 7, "{found:?}");
    assert!(living.run.dir.is_dir() && second.run.dir.is_dir());
    assert_eq!(names(&foreign), ["kept"]);
}

#[tokio::test]
async fn bytes_that_are_there_already_need_the_quota_and_no_room_on_disk() {
    let root = TempDir::new().unwrap();
    let full = TempConfig {
        min_free_bytes: u64::MAX,
        ..config(root.path())
    };
    let temp = Temp::open(&full).unwrap();
    assert!(matches!(temp.job(1).await, Err(TempError::Busy)));
    let job = temp.job_holding(600).await.unwrap();
    assert!(matches!(temp.job_holding(600).await, Err(TempError::Busy)));
    job.remove().await;
    temp.job_holding(600).await.unwrap();
}

#[tokio::test]
async fn pipes_need_neither_quota_nor_room_on_disk() {
    let root = TempDir::new().unwrap();
    let full = TempConfig {
        quota_bytes: Some(0),
        min_free_bytes: u64::MAX,
        ..config(root.path())
    };
    let temp = Temp::open(&full).unwrap();
    let job = temp.job_of_pipes().await.unwrap();
    let pipe = job.pipe("options").unwrap();
    assert!(pipe.exists());
    // What is written is counted here, too.
    assert!(matches!(job.reserve(1).await, Err(TempError::Full)));
    job.remove().await;
    assert!(!pipe.exists());
}

#[tokio::test]
async fn job_goes_with_its_files_and_gives_its_room_back() {
    let root = TempDir::new().unwrap();
    let temp = Temp::open(&config(root.path())).unwrap();
    let job = temp.job(100).await.unwrap();
    assert_eq!(
        fs::metadata(&job.dir).unwrap().permissions().mode() & 0o777,
        0o700
    );
    fs::write(job.path("a"), [1; 600]).unwrap();
    job.reserve(500).await.unwrap();
    let other = temp.job(400).await.unwrap();
    assert!(matches!(temp.job(1).await, Err(TempError::Busy)));
    assert!(matches!(job.reserve(1).await, Err(TempError::Busy)));
    assert!(matches!(job.reserve(401).await, Err(TempError::Full)));
    assert!(matches!(temp.job(1001).await, Err(TempError::Full)));
    other.remove().await;
    job.remove().await;
    assert_eq!(names(&temp.run.dir), [""; 0]);
    temp.job(1000).await.unwrap();
}

#[tokio::test]
async fn job_that_is_dropped_goes_beside_the_tasks() {
    let root = TempDir::new().unwrap();
    let temp = Temp::open(&config(root.path())).unwrap();
    let job = temp.job(1000).await.unwrap();
    fs::write(job.path("a"), "x").unwrap();
    drop(job);
    while temp.job(1000).await.is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn kept_file_has_no_name_and_holds_only_its_own_room() {
    let root = TempDir::new().unwrap();
    let temp = Temp::open(&config(root.path())).unwrap();
    let job = temp.job(900).await.unwrap();
    fs::write(job.path("a"), b"0123456789").unwrap();
    let kept = job.keep("a").await.unwrap();
    assert_eq!(names(&temp.run.dir), [""; 0]);
    let mut buffer = [0; 4];
    assert_eq!(
        (kept.length(), kept.read_at(&mut buffer, 8).unwrap()),
        (10, 2)
    );
    assert_eq!(&buffer[..2], b"89");
    assert_eq!(kept.read_at(&mut buffer, 10).unwrap(), 0);
    let job = temp.job(0).await.unwrap();
    assert!(matches!(job.reserve(991).await, Err(TempError::Busy)));
    job.reserve(990).await.unwrap();
    drop(kept);
    job.reserve(10).await.unwrap();
}

#[tokio::test]
async fn what_can_be_given_up_goes_first_and_only_as_far_as_needed() {
    let root = TempDir::new().unwrap();
    let temp = Temp::open(&config(root.path())).unwrap();
    let mut kept = Vec::new();
    for _ in 0..3 {
        let job = temp.job(300).await.unwrap();
        fs::write(job.path("a"), [0; 300]).unwrap();
        kept.push(job.keep("a").await.unwrap());
    }
    let kept = Arc::new(Mutex::new(kept));
    let giving_up = Arc::clone(&kept);
    temp.relieve_by(move || giving_up.lock().unwrap().pop().is_some());
    let count = || kept.lock().unwrap().len();
    let job = temp.job(100).await.unwrap();
    assert_eq!(count(), 3);
    job.reserve(400).await.unwrap();
    assert_eq!(count(), 1);
    assert!(matches!(temp.job(1001).await, Err(TempError::Full)));
    assert_eq!(count(), 1, "given up for what never fits");
    assert!(matches!(temp.job(501).await, Err(TempError::Busy)));
    assert_eq!(count(), 0);
}

#[tokio::test]
async fn job_is_refused_while_too_little_is_free() {
    let root = TempDir::new().unwrap();
    let config = TempConfig {
        min_free_bytes: u64::MAX,
        ..config(root.path())
    };
    let temp = Temp::open(&config).unwrap();
    assert!(matches!(temp.job(0).await, Err(TempError::Busy)));
}

#[test]
fn quota_that_nobody_set_is_a_tenth_of_what_is_free_and_never_too_much() {
    let unset = TempConfig {
        quota_bytes: None,
        ..config(Path::new("/"))
    };
    let gibibyte = 1024 * 1024 * 1024;
    for (free, quota) in [
        (0, 0),
        (gibibyte, gibibyte / 10),
        (100 * gibibyte, 2 * gibibyte),
    ] {
        assert_eq!(unset.quota(free), quota, "{free}");
    }
    assert_eq!(config(Path::new("/")).quota(gibibyte), 1000);
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
