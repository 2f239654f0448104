//! News of broadcasts for those who follow them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::broadcast::{Receiver, Sender, error::RecvError};

use super::{BroadcastError, LogRow};

/// News that wait for a slow follower; beyond it the oldest are lost, and it is told how many.
const BUFFER: usize = 256;
/// Followers of one broadcast.
const MAX_FOLLOWERS: usize = 32;

/// One piece of news.
#[derive(Debug, Clone)]
pub enum Notice {
    /// A row of the log.
    Log(LogRow),
    /// Another state.
    State(Value),
    /// Another item is on air.
    Item(Value),
}

/// Passes news on.
#[derive(Debug, Default)]
pub(super) struct Bus(Mutex<Channels>);

#[derive(Debug, Default)]
struct Channels {
    /// By the id of the broadcast.
    senders: HashMap<String, Sender<Arc<Notice>>>,
    /// The server ends: there is no more news.
    is_over: bool,
}

impl Bus {
    fn channels(&self) -> MutexGuard<'_, Channels> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows a broadcast from now on.
    ///
    /// # Errors
    /// [`BroadcastError::TooManyFollowers`], and [`BroadcastError::Draining`] when there is no more news.
    pub(super) fn follow(&self, id: &str) -> Result<Follower, BroadcastError> {
        let mut channels = self.channels();
        if channels.is_over {
            return Err(BroadcastError::Draining);
        }
        let senders = &mut channels.senders;
        senders.retain(|_, sender| sender.receiver_count() > 0);
        let sender = senders
            .entry(id.to_owned())
            .or_insert_with(|| Sender::new(BUFFER));
        if sender.receiver_count() >= MAX_FOLLOWERS {
            return Err(BroadcastError::TooManyFollowers);
        }
        Ok(Follower(sender.subscribe()))
    }

    /// Tells all who follow it.
    pub(super) fn tell(&self, id: &str, notice: Notice) {
        if let Some(sender) = self.channels().senders.get(id) {
            // It fails when the last one has just left.
            let _ = sender.send(Arc::new(notice));
        }
    }

    /// Ends the following of a broadcast that is no more.
    pub(super) fn close(&self, id: &str) {
        self.channels().senders.remove(id);
    }

    /// Ends the following of all, for good. What they were told before still reaches them.
    pub(super) fn end(&self) {
        let mut channels = self.channels();
        channels.is_over = true;
        channels.senders.clear();
    }
}

/// Someone who follows a broadcast.
#[derive(Debug)]
pub struct Follower(Receiver<Arc<Notice>>);

impl Follower {
    /// The next piece of news, or how many were lost before it; `None` when the broadcast is no more, or
    /// the server ends.
    pub async fn next(&mut self) -> Option<Result<Arc<Notice>, u64>> {
        match self.0.recv().await {
            Ok(notice) => Some(Ok(notice)),
            Err(RecvError::Lagged(lost)) => Some(Err(lost)),
            Err(RecvError::Closed) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{LogLevel, LogSource};
    use super::*;

    fn row(id: i64) -> Notice {
        Notice::Log(LogRow {
            id,
            broadcast_id: "A".to_owned(),
            created_at: String::new(),
            level: LogLevel::Info,
            source: LogSource::Manager,
            item_id: None,
            message: String::new(),
        })
    }

    #[tokio::test]
    async fn slow_follower_is_told_what_it_lost() {
        let bus = Bus::default();
        let mut follower = bus.follow("A").unwrap();
        for id in (0..).take(BUFFER + 3) {
            bus.tell("A", row(id));
        }
        assert_eq!(follower.next().await.unwrap().unwrap_err(), 3);
        let next = follower.next().await.unwrap().unwrap();
        assert!(matches!(&*next, Notice::Log(row) if row.id == 3));
        bus.close("A");
        while follower.next().await.is_some() {}
    }

    #[tokio::test]
    async fn follower_gets_what_was_told_before_the_end_and_none_follows_after_it() {
        let bus = Bus::default();
        let mut follower = bus.follow("A").unwrap();
        bus.tell("A", row(1));
        bus.end();
        bus.tell("A", row(2));
        let last = follower.next().await.unwrap().unwrap();
        assert!(matches!(&*last, Notice::Log(row) if row.id == 1));
        assert!(follower.next().await.is_none());
        assert!(matches!(bus.follow("A"), Err(BroadcastError::Draining)));
    }

    #[test]
    fn followers_are_bounded_and_leave_room_when_they_go() {
        let bus = Bus::default();
        let followers: Vec<_> = (0..MAX_FOLLOWERS)
            .map(|_| bus.follow("A").unwrap())
            .collect();
        assert!(matches!(
            bus.follow("A"),
            Err(BroadcastError::TooManyFollowers)
        ));
        assert!(bus.follow("B").is_ok());
        drop(followers);
        assert!(bus.follow("A").is_ok());
    }
}
