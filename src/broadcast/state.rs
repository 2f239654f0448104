//! Where a broadcast stands, and what may come next. Pure.

use serde::{Deserialize, Serialize};

/// Where a broadcast stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Made, never started.
    Created,
    /// Started; no item has been sent yet.
    Starting,
    /// On air.
    Running,
    /// The target is away.
    Reconnecting,
    /// Told to end; what belongs to it is being ended.
    Stopping,
    /// Ended well.
    Stopped,
    /// Ended by a fault.
    Failed,
}

/// What happens to a broadcast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// A user or the server's start wants it on air.
    Start,
    /// The first item is on its way.
    OnAir,
    /// The target was lost.
    TargetLost,
    /// The target takes media again.
    TargetBack,
    /// A user, the server's end or the end of the list ends it.
    Stop,
    /// Everything that belongs to it has ended.
    Ended,
    /// It can't go on.
    Fault,
}

/// What is to be done after a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Begin to send.
    Launch,
    /// End what runs.
    TearDown,
    /// Note the time of the start.
    NoteStart,
    /// Note the time of the end, and that no process is left.
    NoteEnd,
}

impl Status {
    /// Every one.
    pub const ALL: [Self; 7] = [
        Self::Created,
        Self::Starting,
        Self::Running,
        Self::Reconnecting,
        Self::Stopping,
        Self::Stopped,
        Self::Failed,
    ];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Reconnecting => "reconnecting",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }

    /// The one written so.
    pub fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Whether something belongs to it that runs.
    pub fn is_active(self) -> bool {
        match self {
            Self::Starting | Self::Running | Self::Reconnecting | Self::Stopping => true,
            Self::Created | Self::Stopped | Self::Failed => false,
        }
    }

    /// What follows from an event, and what is to be done; `None` when nothing changes.
    pub fn after(self, event: Event) -> Option<(Self, &'static [Effect])> {
        use Effect::{Launch, NoteEnd, NoteStart, TearDown};
        let next: (Self, &'static [Effect]) = match (self, event) {
            (Self::Created | Self::Stopped | Self::Failed, Event::Start) => {
                (Self::Starting, &[NoteStart, Launch])
            }
            (Self::Starting, Event::OnAir) | (Self::Reconnecting, Event::TargetBack) => {
                (Self::Running, &[])
            }
            (Self::Running, Event::TargetLost) => (Self::Reconnecting, &[]),
            (Self::Starting | Self::Running | Self::Reconnecting, Event::Stop) => {
                (Self::Stopping, &[TearDown])
            }
            (Self::Starting | Self::Running | Self::Reconnecting, Event::Fault) => {
                (Self::Failed, &[TearDown, NoteEnd])
            }
            (Self::Stopping, Event::Ended | Event::Fault) => (Self::Stopped, &[NoteEnd]),
            // Until an item has been sent it is starting, whatever the target does (ruling 44). The rest is late news.
            _ => return None,
        };
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: [Event; 7] = [
        Event::Start,
        Event::OnAir,
        Event::TargetLost,
        Event::TargetBack,
        Event::Stop,
        Event::Ended,
        Event::Fault,
    ];

    /// One row per state, one column per event, `.` for no change.
    const TABLE: [(&str, &str); 7] = [
        ("created", "starting . . . . . ."),
        ("starting", ". running . . stopping . failed"),
        ("running", ". . reconnecting . stopping . failed"),
        ("reconnecting", ". . . running stopping . failed"),
        ("stopping", ". . . . . stopped stopped"),
        ("stopped", "starting . . . . . ."),
        ("failed", "starting . . . . . ."),
    ];

    #[test]
    fn every_pair_is_in_the_table() {
        for (status, row) in TABLE {
            let status = Status::read(status).unwrap();
            for (event, expected) in EVENTS.into_iter().zip(row.split(' ')) {
                let next = status.after(event).map_or(".", |(next, _)| next.as_str());
                assert_eq!(next, expected, "{status:?} {event:?}");
            }
        }
        assert_eq!(TABLE.len(), Status::ALL.len());
    }

    #[test]
    fn what_runs_is_ended_and_noted() {
        for status in Status::ALL {
            for event in EVENTS {
                let Some((next, effects)) = status.after(event) else {
                    continue;
                };
                let has = |effect| effects.contains(&effect);
                let is_launched = !status.is_active() && next.is_active();
                assert_eq!(has(Effect::Launch), is_launched, "{status:?} {event:?}");
                assert_eq!(has(Effect::NoteStart), is_launched);
                assert_eq!(
                    has(Effect::NoteEnd),
                    status.is_active() && !next.is_active()
                );
                let is_torn_down = status != Status::Stopping
                    && !is_launched
                    && matches!(next, Status::Stopping | Status::Failed);
                assert_eq!(has(Effect::TearDown), is_torn_down, "{status:?} {event:?}");
            }
        }
    }

    #[test]
    fn status_is_read_as_it_is_written() {
        for status in Status::ALL {
            assert_eq!(Status::read(status.as_str()), Some(status));
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
        }
    }
}
