//! Items on their way to the pump.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::OwnedMutexGuard;

use super::{Desk, News};
use crate::broadcast::feed::Feed;
use crate::broadcast::list::Turn;
use crate::broadcast::source::{self, Limits, SourceOptions, SourceSink};
use crate::broadcast::{VideoMode, splicer};

impl Desk {
    /// Waits until items before have shown whether it is their records that pass; the first that can decides, however
    /// many are made ready at once.
    pub(super) async fn decide(&self, mode: VideoMode) -> Option<OwnedMutexGuard<()>> {
        let is_open = || mode == VideoMode::Copy && self.copied.get().is_none();
        if !is_open() {
            return None;
        }
        let deciding = Arc::clone(&self.deciding).lock_owned().await;
        is_open().then_some(deciding)
    }

    /// Puts an item behind those that wait at the pump. What its runs write follows without a step, so that it stays
    /// one item however many there are.
    pub(super) async fn queue(
        &self,
        turn: &Turn,
        feed: &Feed,
        length: Option<Duration>,
        from: Duration,
    ) -> (SourceSink, u64) {
        let mode = self.settings.borrow().video_mode;
        let (sink, source) = source::channel(self.options(mode));
        let serial = self.serial.fetch_add(1, Ordering::Relaxed) + 1;
        let queued = News::Queued {
            serial,
            turn: turn.clone(),
            duration: length,
            title: title(turn, feed),
            source: feed.source(),
            monitor: sink.monitor(),
        };
        self.tell(queued).await;
        self.note_queued(sink.monitor());
        self.pump.queue(splicer::Item {
            id: serial,
            source,
            base: from,
        });
        (sink, serial)
    }

    /// What is known of an item before its first byte.
    pub(super) fn options(&self, mode: VideoMode) -> SourceOptions {
        let profile = &self.settings.borrow().profile;
        let rate = u64::from(profile.video_kbps + profile.audio_kbps) * 1000;
        let gop = Duration::from_secs(profile.gop_s.into());
        match mode {
            VideoMode::Encode => SourceOptions {
                limits: Limits::for_rate(rate, gop),
                fps: Some(profile.fps),
                headers: Some(self.headers.clone()),
                agreed: None,
            },
            VideoMode::Copy => SourceOptions {
                limits: Limits::for_copies(),
                agreed: Some(Arc::clone(&self.copied)),
                ..SourceOptions::default()
            },
        }
    }

    /// How long one item may be.
    pub(super) fn limit(&self) -> Option<Duration> {
        self.settings.borrow().longest_item()
    }
}

fn title(turn: &Turn, feed: &Feed) -> String {
    let told = feed.post().map(|post| post.extraction.title.clone());
    let told = told.or_else(|| Some(feed.live()?.title()));
    let told = told.filter(|title| !title.is_empty());
    told.unwrap_or_else(|| turn.item.title.clone())
}
