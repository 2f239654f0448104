//! Files within a cap, and those that stay.

use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::broadcast::ItemState;
use crate::temp::TempConfig;

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

async fn put(shelf: &Shelf, ord: u32, bytes: &'static [u8]) -> Result<(), ShelfError> {
    let mut part = shelf.begin().await?;
    part.write(0, &Bytes::from_static(bytes)).await?;
    shelf.put(&item(ord), part).await
}

#[tokio::test]
async fn played_file_stays_for_the_next_cycle_until_there_is_no_room() {
    let dir = tempfile::tempdir().unwrap();
    // Room is asked for in steps of 8 MiB.
    let shelf = Shelf::new(temp(dir.path(), 20 << 20), "best");
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
async fn kept_files_outlive_their_run_within_the_cap() {
    let dir = tempfile::tempdir().unwrap();
    let kept = dir.path().join("kept");
    let open =
        async |quota| Shelf::keeping(temp(dir.path(), quota), "best", (kept.clone(), 2)).await;
    let shelf = open(100 << 20).await.unwrap();
    assert!(shelf.wants(&item(0), false) && !shelf.wants(&item(2), true));
    put(&shelf, 0, b"first").await.unwrap();
    put(&shelf, 2, b"third").await.unwrap();
    shelf.played(&item(0), false);
    shelf.played(&item(2), false);
    drop(shelf);
    std::fs::write(kept.join("somebody's"), "no name of ours").unwrap();
    let shelf = open(100 << 20).await.unwrap();
    let saved = shelf.get(&item(0)).unwrap();
    assert_eq!(std::fs::read(saved.path()).unwrap(), b"first");
    assert!(shelf.get(&item(2)).is_none() && !shelf.wants(&item(0), false));
    assert_eq!(std::fs::read_dir(&kept).unwrap().count(), 1);
    let other = Shelf {
        format: "worst".to_owned(),
        ..shelf
    };
    assert!(other.get(&item(0)).is_none(), "a file of another format");
    let gone = Item {
        reason: Some(REMOVED.to_owned()),
        ..item(0)
    };
    other.retain(&[gone]);
    drop(other);
    assert!(saved.path().exists(), "it is being read");
    drop(saved);
    assert_eq!(std::fs::read_dir(&kept).unwrap().count(), 0);
    put(&open(100 << 20).await.unwrap(), 0, b"first")
        .await
        .unwrap();
    let without_room = open(2).await.unwrap();
    assert!(without_room.get(&item(0)).is_none());
    forget(&kept).await;
    assert!(!kept.exists());
}
