//! Files within a cap, and those that stay.

use std::time::Duration;

use bytes::Bytes;

use std::path::Path;

use super::*;
use crate::broadcast::{ItemState, ServeMode, Settings};
use crate::temp::TempConfig;
use crate::transfer::Head;

fn temp(dir: &Path, quota: u64) -> Temp {
    let config = TempConfig {
        dir: dir.to_owned(),
        quota_bytes: Some(quota),
        min_free_bytes: 0,
        cleanup_interval: Duration::from_secs(900),
    };
    Temp::open(&config).unwrap()
}

fn item(ord: u32) -> Item {
    Item {
        ord,
        video_id: format!("video-{ord}"),
        title: String::new(),
        duration_s: None,
        state: ItemState::Pending,
        reason: None,
        checked_at: None,
    }
}

fn head(total: Option<u64>) -> Head {
    Head {
        total,
        ..Head::default()
    }
}

async fn open(dir: &Path, quota: u64, kept: Option<u32>) -> Shelf {
    let place = dir.join("broadcast");
    let room = (temp(dir, quota), Idle::default());
    let opened = Shelf::open(room, "best", place, kept);
    opened.await.unwrap()
}

async fn put(shelf: &Shelf, ord: u32, bytes: &'static [u8]) -> Result<(), ShelfError> {
    let mut part = shelf.begin(0).await?;
    part.write(0, &Bytes::from_static(bytes)).await?;
    shelf.put(&item(ord), part).await
}

/// Names of what lies in the directory of the broadcast.
fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir.join("broadcast")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

/// Waits for what is removed beside the tasks.
async fn until_left(dir: &Path, count: usize) {
    while names(dir).len() != count {
        tokio::task::yield_now().await;
    }
}

/// Room is asked for in steps of 8 MiB: there is some for two files.
const FOR_TWO: u64 = 20 << 20;
/// Room for all of them.
const ENOUGH: u64 = 100 << 20;

#[tokio::test]
async fn played_file_stays_for_the_next_cycle_until_there_is_no_room() {
    let dir = tempfile::tempdir().unwrap();
    let shelf = open(dir.path(), FOR_TWO, None).await;
    put(&shelf, 0, b"first").await.unwrap();
    put(&shelf, 1, b"second").await.unwrap();
    shelf.played(&item(0), true);
    assert!(shelf.get(&item(0)).is_some());
    let full = put(&shelf, 2, b"third").await;
    assert!(matches!(full, Err(ShelfError::Temp(TempError::Busy))));
    assert!(shelf.make_room().await);
    assert!(shelf.get(&item(0)).is_none());
    put(&shelf, 2, b"third").await.unwrap();
    shelf.played(&item(1), true);
    assert!(
        shelf.get(&item(1)).is_none(),
        "kept though there was no room"
    );
    shelf.played(&item(2), false);
    assert!(shelf.get(&item(2)).is_none());
    assert!(!shelf.make_room().await);
}

#[tokio::test]
async fn copy_of_what_is_played_gives_way_to_what_comes() {
    let dir = tempfile::tempdir().unwrap();
    let shelf = Arc::new(open(dir.path(), FOR_TWO, None).await);
    assert!(shelf.wants(&item(0), true) && !shelf.wants(&item(0), false));
    let idle = shelf.copy();
    let copy = shelf.copy();
    let mut copier = copy.follow(&head(Some(15 << 20))).await.unwrap();
    copier.copy(&Bytes::from_static(b"the first bytes"));
    let full = shelf.begin(10 << 20).await;
    assert!(matches!(full, Err(ShelfError::Temp(TempError::Busy))));
    assert!(shelf.make_room().await);
    let part = shelf.begin(10 << 20).await.unwrap();
    assert!(matches!(
        copy.finish().await,
        Err(ShelfError::Temp(TempError::Busy))
    ));
    assert!(idle.follow(&head(Some(1))).await.is_none());
    assert!(!shelf.wants(&item(0), true), "there was no room once");
    part.discard().await;
}

#[tokio::test]
async fn kept_files_outlive_their_run_within_the_cap() {
    let dir = tempfile::tempdir().unwrap();
    let shelf = open(dir.path(), ENOUGH, Some(2)).await;
    assert!(shelf.wants(&item(0), false) && !shelf.wants(&item(2), true));
    put(&shelf, 0, b"first").await.unwrap();
    put(&shelf, 2, b"third").await.unwrap();
    shelf.played(&item(0), false);
    shelf.played(&item(2), false);
    shelf.close().await;
    let late = put(&shelf, 1, b"second").await;
    assert!(matches!(late, Err(ShelfError::Closed)));
    assert_eq!(names(dir.path()).len(), 1);
    drop(shelf);
    let shelf = open(dir.path(), ENOUGH, Some(2)).await;
    let saved = shelf.get(&item(0)).unwrap();
    assert_eq!(std::fs::read(saved.path()).unwrap(), b"first");
    assert!(shelf.get(&item(2)).is_none() && !shelf.wants(&item(0), false));
    shelf.retain(&[]);
    assert!(shelf.get(&item(0)).is_some(), "a list of nothing");
    let gone = Item {
        reason: Some(REMOVED.to_owned()),
        ..item(0)
    };
    shelf.retain(&[gone]);
    assert!(saved.path().exists(), "it is being read");
    // Another copy is no matter of the one that goes.
    put(&shelf, 0, b"first again").await.unwrap();
    drop(saved);
    until_left(dir.path(), 1).await;
    let again = shelf.get(&item(0)).unwrap();
    assert_eq!(std::fs::read(again.path()).unwrap(), b"first again");
    shelf.close().await;
    let other = (temp(dir.path(), ENOUGH), Idle::default());
    let other = Shelf::open(other, "worst", dir.path().join("broadcast"), Some(2)).await;
    let other = other.unwrap();
    assert!(other.get(&item(0)).is_none(), "a file of another format");
    let without_room = open(dir.path(), 2, Some(2)).await;
    assert!(without_room.get(&item(0)).is_none());
    assert_eq!(names(dir.path()).len(), 0);
}

#[tokio::test]
async fn files_without_a_run_have_their_room_until_they_go() {
    let dir = tempfile::tempdir().unwrap();
    // For one of them, and a second one if the first is gone.
    let temp = temp(dir.path(), 12 << 20);
    let shelves = Shelves::new(Some(temp.clone()), dir.path().to_owned());
    let settings = |playlist_serve_mode| Settings {
        playlist_serve_mode,
        ..Settings::default()
    };
    let (hybrid, download) = (settings(ServeMode::Hybrid), settings(ServeMode::Download));
    let shelf = shelves.open("broadcast", &hybrid).await.unwrap();
    put(&shelf, 0, b"first").await.unwrap();
    shelf.close().await;
    drop(shelf);
    let other = shelves.open("other", &download).await.unwrap();
    let full = put(&other, 0, b"second").await;
    assert!(matches!(full, Err(ShelfError::Temp(TempError::Busy))));
    // Its next run has it, whatever else wants the room.
    let shelf = shelves.open("broadcast", &hybrid).await.unwrap();
    let saved = shelf.get(&item(0)).unwrap();
    assert!(saved.is_there().await);
    assert!(put(&other, 0, b"second").await.is_err());
    // One that takes its place in the list takes its place on disk.
    shelf.give_up(&item(0));
    drop(saved);
    until_left(dir.path(), 0).await;
    put_in_time(&shelf, b"first again").await;
    shelf.close().await;
    drop(shelf);
    assert!(put(&other, 0, b"second").await.is_err());
    // As another server counts them.
    shelves.count("broadcast").await;
    assert!(put(&other, 0, b"second").await.is_err());
    shelves.forget("broadcast").await;
    put_in_time(&other, b"second").await;
}

/// Puts it on disk when what was given back beside the tasks is free.
async fn put_in_time(shelf: &Shelf, bytes: &'static [u8]) {
    while let Err(error) = put(shelf, 0, bytes).await {
        assert!(matches!(error, ShelfError::Temp(TempError::Busy)));
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn file_that_was_changed_on_disk_is_there_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let shelf = open(dir.path(), ENOUGH, Some(1)).await;
    put(&shelf, 0, b"first").await.unwrap();
    let saved = shelf.get(&item(0)).unwrap();
    assert!(saved.is_there().await);
    std::fs::write(saved.path(), "longer than before").unwrap();
    assert!(!saved.is_there().await);
    std::fs::remove_file(saved.path()).unwrap();
    assert!(!saved.is_there().await);
    // What comes in its place is no matter of it.
    put(&shelf, 0, b"first again").await.unwrap();
    drop(saved);
    until_left(dir.path(), 1).await;
    let again = shelf.get(&item(0)).unwrap();
    assert_eq!(std::fs::read(again.path()).unwrap(), b"first again");
}

#[tokio::test]
async fn whole_files_of_a_killed_process_are_taken_up_and_go_with_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let killed = open(dir.path(), ENOUGH, None).await;
    for ord in 0..3 {
        put(&killed, ord, b"a whole file").await.unwrap();
    }
    let half = killed.get(&item(1)).unwrap().path().to_owned();
    // Nothing is dropped in it.
    std::mem::forget(killed);
    let shorter = std::fs::OpenOptions::new().write(true).open(half).unwrap();
    shorter.set_len(5).unwrap();
    for name in ["item.part", "somebody's", &"0".repeat(32)] {
        std::fs::write(dir.path().join("broadcast").join(name), "no name of ours").unwrap();
    }
    let shelf = open(dir.path(), ENOUGH, None).await;
    assert_eq!(names(dir.path()).len(), 2);
    assert!(shelf.get(&item(1)).is_none(), "half of it");
    let saved = shelf.get(&item(2)).unwrap();
    assert_eq!(std::fs::read(saved.path()).unwrap(), b"a whole file");
    shelf.retain(&[item(0), item(1)]);
    assert!(shelf.get(&item(2)).is_none(), "not in the list any more");
    drop(saved);
    until_left(dir.path(), 1).await;
    let reader = shelf.get(&item(0)).unwrap();
    shelf.close().await;
    assert!(!dir.path().join("broadcast").exists());
    drop(reader);
}

#[tokio::test]
async fn file_without_a_byte_or_of_another_length_is_not_whole() {
    let dir = tempfile::tempdir().unwrap();
    let shelf = open(dir.path(), ENOUGH, None).await;
    let mut part = shelf.begin(0).await.unwrap();
    let empty = part.accept(&head(Some(0))).await;
    assert!(matches!(empty, Err(ShelfError::Upstream(_))));
    assert!(!part.is_whole());
    assert!(shelf.put(&item(0), part).await.is_err());
    let mut part = shelf.begin(0).await.unwrap();
    part.accept(&head(Some(10))).await.unwrap();
    part.write(0, &Bytes::from_static(b"five.")).await.unwrap();
    assert!(!part.is_whole());
    assert!(shelf.put(&item(0), part).await.is_err());
    assert!(shelf.get(&item(0)).is_none());
}
