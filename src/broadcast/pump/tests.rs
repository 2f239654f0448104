//! How a pump ends whose target says no. The clock stands still but for its timers.

use std::time::{Duration, Instant};

use super::*;
use crate::broadcast::flv::Tag;
use crate::broadcast::publisher::{PublisherStats, Step};
use crate::broadcast::source::testing::Make;

/// Refuses so often, then takes everything.
struct Refusing(u32);

struct Taking;

impl Connect for Refusing {
    type Publisher = Taking;

    async fn connect(&mut self) -> Result<Taking, PublishError> {
        if self.0 == 0 {
            return Ok(Taking);
        }
        self.0 -= 1;
        Err(PublishError::Rejected {
            step: Step::Publish,
            code: "NetStream.Publish.BadName".to_owned(),
            description: String::new(),
        })
    }
}

impl Publisher for Taking {
    async fn send(&mut self, _: &Tag) -> Result<(), PublishError> {
        Ok(())
    }

    async fn wait_until(&mut self, until: Instant) -> Result<(), PublishError> {
        tokio::time::sleep_until(until.into()).await;
        Ok(())
    }

    fn stats(&self) -> PublisherStats {
        PublisherStats::default()
    }

    async fn close(self) {}
}

fn config() -> PumpConfig {
    let slate = Slate::parse(&Make::item(0, 15).flv(), 30).unwrap();
    let metadata = Metadata {
        width: 320,
        height: 180,
        fps: 30,
        video_kbps: 300,
        audio_kbps: 64,
        sample_rate: 48_000,
    };
    PumpConfig::new(slate, metadata)
}

#[tokio::test(start_paused = true)]
async fn pump_rejected_three_times_over_half_a_minute_ends() {
    let begun = tokio::time::Instant::now();
    let (pump, _handle, mut events) = pump(config(), Refusing(u32::MAX));
    let end = pump.run().await;
    assert!(matches!(end, PumpEnd::Rejected(_)), "{end:?}");
    assert_eq!(begun.elapsed().as_secs(), 30);
    let mut waits = Vec::new();
    while let Some(Event::Lost { retry_in, .. }) = events.recv().await {
        waits.push(retry_in.as_secs());
    }
    assert_eq!(waits, [10, 20]);
}

#[tokio::test(start_paused = true)]
async fn pump_rejected_while_the_session_before_is_held_gets_through() {
    let (pump, handle, mut events) = pump(config(), Refusing(2));
    let task = crate::task::spawn(pump.run());
    for _ in 0..2 {
        assert!(matches!(events.recv().await, Some(Event::Lost { .. })));
    }
    assert!(matches!(events.recv().await, Some(Event::Connected)));
    handle.stop();
    assert!(matches!(task.await.unwrap(), PumpEnd::Stopped));
}

#[tokio::test(start_paused = true)]
async fn pump_stopped_between_tries_ends_at_once() {
    let begun = tokio::time::Instant::now();
    let (pump, handle, mut events) = pump(config(), Refusing(u32::MAX));
    let task = crate::task::spawn(pump.run());
    events.recv().await.unwrap();
    handle.stop();
    assert!(matches!(task.await.unwrap(), PumpEnd::Stopped));
    assert!(begun.elapsed() < Duration::from_secs(10));
}
