//! The time of one connection.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Event, MAX_EVENTS, Pump, PumpEnd, obey};
use crate::broadcast::Resume;
use crate::broadcast::flv::{Tag, TagKind};
use crate::broadcast::publisher::{Connect, PublishError, Publisher, described};
use crate::broadcast::source::Headers;
use crate::broadcast::splicer::{Change, Stamped, Step, Unit};

/// Why a connection is used no longer.
pub(super) enum Interrupted {
    /// It is gone.
    Lost(PublishError),
    /// It is not needed any more.
    Ended(PumpEnd),
}

impl From<PublishError> for Interrupted {
    fn from(error: PublishError) -> Self {
        Self::Lost(error)
    }
}

/// A pump that waits for its first item looks again after so long.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// The longest time that the last pictures are given to be played.
const MAX_FAREWELL: Duration = Duration::from_secs(1);

type Done = Result<(), Interrupted>;

impl<C: Connect> Pump<C> {
    /// Sends until the connection is lost or not needed any more.
    pub(super) async fn transmit(&mut self, publisher: &mut C::Publisher) -> Interrupted {
        match self.transmit_all(publisher).await {
            Err(why) => why,
            Ok(never) => match never {},
        }
    }

    async fn transmit_all(
        &mut self,
        publisher: &mut C::Publisher,
    ) -> Result<std::convert::Infallible, Interrupted> {
        let base = self.begin_at();
        self.introduce(publisher).await?;
        while let Some(unit) = self.history.next_again() {
            self.send_unit(publisher, &unit, base).await?;
        }
        loop {
            self.wait_for_turn(publisher, self.splicer.end()).await?;
            match self.splicer.step() {
                Step::Unit(unit) => self.send_unit(publisher, &Arc::new(unit), base).await?,
                Step::Waiting => self.wait_for_item(publisher).await?,
                Step::Finished => return Err(self.play_out(publisher).await?),
            }
        }
    }

    /// Where on the timeline this connection begins.
    fn begin_at(&mut self) -> Duration {
        match self.config.resume {
            Resume::All => self.pacer.reset(),
            // The clock goes on, and so do the items.
            Resume::Live => self.history.forget(),
        }
        self.history.begins_at().unwrap_or(self.splicer.end())
    }

    /// What an ingest must know before the first group.
    async fn introduce(&mut self, publisher: &mut C::Publisher) -> Done {
        if let Some(metadata) = &self.config.metadata {
            let tag = metadata.tag();
            self.send(publisher, &tag).await?;
        }
        self.announced = Headers::default();
        self.is_told = false;
        self.note_taken(publisher);
        Ok(())
    }

    /// Tells of the connection, once the target is known to take what it gets, and what went on air meanwhile.
    fn note_taken(&mut self, publisher: &C::Publisher) {
        if self.is_told || !publisher.is_taken() {
            return;
        }
        self.is_told = true;
        self.gauges(|gauges| gauges.connected(Instant::now()));
        self.tell(Event::Connected);
        for change in std::mem::take(&mut self.untold) {
            self.tell(Event::OnAir(change));
        }
    }

    fn tell_change(&mut self, change: Change) {
        if self.is_told {
            self.tell(Event::OnAir(change));
        } else if self.untold.len() < MAX_EVENTS {
            self.untold.push(change);
        }
    }

    /// Tells the records of a group, as far as the target doesn't know them from the one before: once for a connection,
    /// unless items pass through as they are.
    async fn announce(
        &mut self,
        publisher: &mut C::Publisher,
        unit: &Unit,
        base: Duration,
    ) -> Done {
        let (known, new) = (self.announced.clone(), &unit.headers);
        if self.config.metadata.is_none() {
            let stamped = Stamped {
                at: unit.start,
                kind: TagKind::Script,
                data: described(new),
            };
            self.send(publisher, &tag(&stamped, base)).await?;
        }
        let both = [
            (TagKind::Video, known.video, &new.video),
            (TagKind::Audio, known.audio, &new.audio),
        ];
        for (kind, _, data) in both.into_iter().filter(|(_, known, new)| known != *new) {
            let stamped = Stamped {
                at: unit.start,
                kind,
                data: data.clone(),
            };
            self.send(publisher, &tag(&stamped, base)).await?;
        }
        self.announced.clone_from(new);
        Ok(())
    }

    async fn send_unit(
        &mut self,
        publisher: &mut C::Publisher,
        unit: &Arc<Unit>,
        base: Duration,
    ) -> Done {
        // First of all: a loss must not lose it.
        self.history.begin(unit, publisher.stats(), Instant::now());
        for change in self.splicer.take_changes() {
            self.tell_change(change);
        }
        if self.announced != unit.headers {
            self.wait_for_turn(publisher, unit.start).await?;
            self.announce(publisher, unit, base).await?;
        }
        for stamped in &unit.tags {
            self.wait_for_turn(publisher, stamped.at).await?;
            self.send(publisher, &tag(stamped, base)).await?;
            self.note_taken(publisher);
            let now = Instant::now();
            self.history.sent(stamped.at, now);
            let (lead, repeated) = (self.pacer.lead(stamped.at, now), self.history.repeated());
            let stats = publisher.stats();
            self.gauges(|gauges| {
                gauges.sent(unit, stamped, now);
                (gauges.lead, gauges.repeated, gauges.connection) = (lead, repeated, stats);
            });
        }
        self.history.whole(publisher.stats());
        let repairs = self.splicer.repairs();
        self.gauges(|gauges| gauges.whole(unit, repairs));
        Ok(())
    }

    /// Sends a tag; a target that takes it slowly doesn't hold up commands.
    async fn send(&mut self, publisher: &mut C::Publisher, tag: &Tag) -> Done {
        let sending = publisher.send(tag);
        tokio::pin!(sending);
        loop {
            tokio::select! {
                biased;
                result = &mut sending => return Ok(result?),
                () = self.shared.wake.notified() => {}
            }
            obey(&self.shared, &mut self.splicer, &mut self.is_stopping);
            if self.is_stopping {
                return Err(Interrupted::Ended(PumpEnd::Stopped));
            }
        }
    }

    /// Waits until the tag at `at` may leave; meanwhile the connection is served and commands are obeyed.
    async fn wait_for_turn(&mut self, publisher: &mut C::Publisher, at: Duration) -> Done {
        let due = self.pacer.due(at, Instant::now());
        self.wait_until(publisher, due).await
    }

    async fn wait_until(&mut self, publisher: &mut C::Publisher, due: Instant) -> Done {
        loop {
            self.obey();
            if self.is_stopping {
                return Err(Interrupted::Ended(PumpEnd::Stopped));
            }
            if due <= Instant::now() {
                return Ok(());
            }
            tokio::select! {
                result = publisher.wait_until(due) => result?,
                () = self.shared.wake.notified() => {}
            }
        }
    }

    /// Waits until the first item has something, or another command comes.
    async fn wait_for_item(&mut self, publisher: &mut C::Publisher) -> Done {
        // Nothing was sent, so that time begins with the first tag.
        self.pacer.reset();
        let soon = Instant::now() + LOOK_AGAIN;
        let awaited = async {
            match self.splicer.awaited() {
                Some(source) => source.ready().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            result = publisher.wait_until(soon) => result?,
            () = self.shared.wake.notified() => {}
            () = awaited => {}
        }
        self.obey();
        Ok(())
    }

    /// Lets the last pictures be played before the good-bye.
    async fn play_out(&mut self, publisher: &mut C::Publisher) -> Result<Interrupted, Interrupted> {
        for change in self.splicer.take_changes() {
            self.tell_change(change);
        }
        let due = self.pacer.due(self.splicer.end(), Instant::now());
        let farewell = self.config.lead.min(MAX_FAREWELL);
        self.wait_until(publisher, due + farewell).await?;
        self.note_taken(publisher);
        Ok(Interrupted::Ended(PumpEnd::Finished))
    }
}

/// The tag as the connection that began at `base` sends it: rounded once, and wrapping after 49.7 days.
fn tag(stamped: &Stamped, base: Duration) -> Tag {
    let nanos = stamped.at.saturating_sub(base).as_nanos();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "times of RTMP wrap at 32 bits"
    )]
    let timestamp_ms = ((nanos + 500_000) / 1_000_000) as u32;
    Tag {
        kind: stamped.kind,
        timestamp_ms,
        data: stamped.data.clone(),
    }
}
