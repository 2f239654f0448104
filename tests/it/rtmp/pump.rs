//! The pump against ingests that fail: nothing is lost, little is repeated, and it ends when it should.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serverrs::broadcast::Resume;
use serverrs::broadcast::flv::TagKind;
use serverrs::broadcast::publisher::Rtmp;
use serverrs::broadcast::pump::{Event, Pump, PumpConfig, PumpEnd, PumpHandle, pump};
use serverrs::broadcast::splicer::Change;
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinHandle;

use super::{METADATA, item_bytes, publisher, slate, source, whole_item};
use crate::harness::ingest::{Ingest, Manner, Publication};

/// A cushion larger than all media: sent as fast as it is taken, so that tests needn't wait for it to play.
const AT_ONCE: Duration = Duration::from_secs(3600);

struct Running {
    handle: PumpHandle,
    events: Receiver<Event>,
    task: JoinHandle<PumpEnd>,
}

fn start(ingest: &Ingest, settings: impl FnOnce(&mut PumpConfig)) -> Running {
    let mut config = PumpConfig::new(slate(), METADATA);
    config.lead = AT_ONCE;
    config.start_with_slate = false;
    settings(&mut config);
    let (pump, handle, events): (Pump<Rtmp>, _, _) =
        pump(config, publisher(&ingest.url(), ingest.port));
    let task = crate::harness::spawn(pump.run());
    Running {
        handle,
        events,
        task,
    }
}

impl Running {
    async fn end(self) -> (PumpEnd, Vec<Event>) {
        let Self {
            task, mut events, ..
        } = self;
        let end = task.await.unwrap();
        let mut all = Vec::new();
        while let Some(event) = events.recv().await {
            all.push(event);
        }
        (end, all)
    }
}

/// Item and number of every picture, in the order in which they came.
fn pictures(publication: &Publication) -> Vec<(u8, u32)> {
    let played = publication
        .played()
        .filter(|got| got.tag.kind == TagKind::Video);
    played
        .map(|got| {
            let data = &got.tag.data;
            (data[5], u32::from_be_bytes(data[6..10].try_into().unwrap()))
        })
        .collect()
}

/// What holds for every connection: records once, a key frame first, times from zero that never go back.
#[track_caller]
fn assert_well_formed(publication: &Publication) {
    assert_eq!(publication.media[0].tag.kind, TagKind::Script);
    assert_eq!(publication.records().len(), 2);
    let mut last = 0;
    for (index, got) in publication.played().enumerate() {
        let tag = &got.tag;
        if index == 0 {
            assert!(tag.kind == TagKind::Video && tag.data[0] == 0x17 && tag.timestamp_ms == 0);
        }
        assert!(
            tag.timestamp_ms >= last,
            "{} after {last}",
            tag.timestamp_ms
        );
        last = tag.timestamp_ms;
    }
    for (kind, longest) in [(TagKind::Video, 34), (TagKind::Audio, 43)] {
        let times = publication.times(kind);
        let steps: BTreeSet<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(
            steps.iter().all(|step| (1..=longest).contains(step)),
            "{kind:?}: {steps:?}"
        );
    }
}

#[tokio::test]
async fn pump_sends_a_list_as_one_stream() {
    let ingest = Ingest::start([Manner::Keep]);
    let running = start(&ingest, |_| {});
    for (id, length) in [(1, 90), (2, 47), (3, 61)] {
        running.handle.queue(whole_item(id, length));
    }
    running.handle.finish();
    let (end, events) = running.end().await;
    assert!(matches!(end, PumpEnd::Finished), "{end:?}");
    ingest.until("good-bye", |all| all[0].is_closed).await;
    let publications = ingest.publications();
    assert_eq!(publications.len(), 1);
    assert_well_formed(&publications[0]);
    let expected: Vec<_> = [(1, 90), (2, 47), (3, 61)]
        .into_iter()
        .flat_map(|(id, length)| (0..length).map(move |index| (id, index)))
        .collect();
    assert_eq!(pictures(&publications[0]), expected);
    assert!(
        publications[0]
            .commands
            .ends_with(&["FCUnpublish".to_owned(), "deleteStream".to_owned()])
    );
    let changes: Vec<_> = events
        .into_iter()
        .filter_map(|event| match event {
            Event::OnAir(Change::Started(id)) => Some((id, true)),
            Event::OnAir(Change::Ended { id, .. }) => Some((id, false)),
            _ => None,
        })
        .collect();
    assert_eq!(
        changes,
        [
            (1, true),
            (1, false),
            (2, true),
            (2, false),
            (3, true),
            (3, false)
        ]
    );
}

/// In real time: what leaves at once and at a distance can't be known to have arrived.
#[tokio::test]
async fn pump_through_closes_at_any_place_loses_nothing() {
    let manners = [1, 40, 77, 78, 3].map(Manner::CloseAfter);
    let ingest = Ingest::start([&manners[..], &[Manner::Keep]].concat());
    let running = start(&ingest, |config| config.lead = Duration::ZERO);
    for id in 1..=3 {
        running.handle.queue(whole_item(id, 50));
    }
    running.handle.finish();
    let status = running.handle.clone();
    let (end, events) = running.end().await;
    assert!(matches!(end, PumpEnd::Finished), "{end:?}");
    ingest
        .until("good-bye", |all| all.len() == 6 && all[5].is_closed)
        .await;
    let index = |picture: &(u8, u32)| u32::from(picture.0 - 1) * 50 + picture.1;
    let mut next = 0;
    for publication in ingest.publications() {
        let pictures = pictures(&publication);
        let (Some(first), Some(last)) = (pictures.first(), pictures.last()) else {
            continue;
        };
        assert_well_formed(&publication);
        // Goes on where the one before ended, or repeats its last groups: of 30 pictures at most, the second one only
        // when the close came right behind its beginning.
        assert!(
            index(first) <= next && next <= index(first) + 35,
            "{first:?} after {next}"
        );
        next = index(last) + 1;
    }
    assert_eq!(next, 150);
    let lost = events
        .iter()
        .filter(|event| matches!(event, Event::Lost { .. }));
    assert_eq!(lost.count(), 5);
    let status = status.status();
    assert_eq!(status.reconnects, 5);
    let repeated = status.repeated;
    assert!(
        repeated > Duration::ZERO && repeated < Duration::from_secs(6),
        "{repeated:?}"
    );
}

#[tokio::test]
async fn pump_target_that_comes_back_later_gets_the_rest() {
    let first = Ingest::start([Manner::CloseAfter(50)]);
    let port = first.port;
    let mut running = start(&first, |config| config.lead = Duration::ZERO);
    running.handle.queue(whole_item(1, 75));
    running.handle.finish();
    first
        .until("the close", |all| {
            all.first().is_some_and(|one| one.is_closed)
        })
        .await;
    let before = first.publications();
    drop(first);
    // Tried in vain, and tried on.
    let mut losses = 0;
    while losses < 4 {
        if let Event::Lost { .. } = running.events.recv().await.unwrap() {
            losses += 1;
        }
    }
    let second = Ingest::start_on(port, [Manner::Keep]);
    let (end, _) = running.end().await;
    assert!(matches!(end, PumpEnd::Finished), "{end:?}");
    second.until("good-bye", |all| all[0].is_closed).await;
    let after = &second.publications()[0];
    assert_well_formed(after);
    let all: BTreeSet<_> = pictures(&before[0])
        .into_iter()
        .chain(pictures(after))
        .collect();
    assert_eq!(all.len(), 75);
}

/// With `resume` `live`: what nobody was there to get is not sent later.
#[tokio::test]
async fn pump_that_stays_in_time_leaves_out_what_a_lost_target_missed() {
    let first = Ingest::start([Manner::CloseAfter(50)]);
    let port = first.port;
    let mut running = start(&first, |config| {
        (config.lead, config.resume) = (Duration::ZERO, Resume::Live);
    });
    running.handle.queue(whole_item(1, 240));
    running.handle.finish();
    first
        .until("the close", |all| {
            all.first().is_some_and(|one| one.is_closed)
        })
        .await;
    let before = pictures(&first.publications()[0]);
    drop(first);
    let away = Instant::now();
    let mut losses = 0;
    while losses < 7 {
        if let Event::Lost { .. } = running.events.recv().await.unwrap() {
            losses += 1;
        }
    }
    let away = away.elapsed().as_secs();
    assert!(away >= 1, "tries came faster than they may");
    let second = Ingest::start_on(port, [Manner::Keep]);
    let handle = running.handle.clone();
    let (end, _) = running.end().await;
    assert!(matches!(end, PumpEnd::Finished), "{end:?}");
    second.until("good-bye", |all| all[0].is_closed).await;
    let after = &second.publications()[0];
    assert_well_formed(after);
    let after = pictures(after);
    let (begin, last) = (after[0].1, after.last().unwrap().1);
    // One second has 30 pictures, and a group begins with each.
    assert!(u64::from(begin) >= 30 * away, "{begin} after {away} s");
    assert_eq!((begin % 30, last), (0, 239));
    assert!(before.last().unwrap().1 < begin, "something was repeated");
    let status = handle.status();
    assert_eq!(status.repeated, Duration::ZERO);
    assert!(
        status.left_out >= Duration::from_secs(away.saturating_sub(1)),
        "{status:?}"
    );
}

#[tokio::test]
async fn pump_that_stays_in_time_comes_to_its_end_without_a_target() {
    let ingest = Ingest::start([Manner::CloseAfter(10)]);
    let running = start(&ingest, |config| {
        (config.lead, config.resume) = (Duration::ZERO, Resume::Live);
    });
    running.handle.queue(whole_item(1, 60));
    running.handle.finish();
    ingest
        .until("the close", |all| {
            all.first().is_some_and(|one| one.is_closed)
        })
        .await;
    drop(ingest);
    let (end, _) = running.end().await;
    assert!(matches!(end, PumpEnd::Finished), "{end:?}");
}

#[tokio::test]
async fn pump_shows_the_slate_until_an_item_comes_and_again_when_it_starves() {
    let ingest = Ingest::start([Manner::Keep]);
    let mut running = start(&ingest, |config| {
        config.start_with_slate = true;
        // The slate never ends, so that it must not be sent at once.
        config.lead = Duration::from_millis(500);
    });
    let mut changes = async || loop {
        if let Event::OnAir(change) = running.events.recv().await.unwrap() {
            return change;
        }
    };
    assert_eq!(changes().await, Change::SlateOn);
    let (mut sink, item) = source(5);
    let bytes = item_bytes(5, 60);
    sink.push(&bytes[..bytes.len() * 3 / 4]).unwrap();
    running.handle.queue(item);
    assert_eq!(changes().await, Change::SlateOff);
    assert_eq!(changes().await, Change::Started(5));
    assert_eq!(changes().await, Change::SlateOn);
    sink.push(&bytes[bytes.len() * 3 / 4..]).unwrap();
    sink.finish();
    assert_eq!(changes().await, Change::SlateOff);
    assert!(matches!(changes().await, Change::Ended { id: 5, .. }));
    running.handle.stop();
    let status = running.handle.status();
    assert!(status.slate >= Duration::from_secs(1), "{status:?}");
    let (end, _) = running.end().await;
    assert!(matches!(end, PumpEnd::Stopped), "{end:?}");
    ingest.until("good-bye", |all| all[0].is_closed).await;
    let publication = &ingest.publications()[0];
    assert_well_formed(publication);
    let of_item: Vec<_> = pictures(publication)
        .into_iter()
        .filter(|picture| picture.0 == 5)
        .collect();
    assert_eq!(of_item, (0..60).map(|index| (5, index)).collect::<Vec<_>>());
}

#[tokio::test]
async fn pump_keeps_real_time_but_for_the_cushion() {
    let ingest = Ingest::start([Manner::Keep]);
    let running = start(&ingest, |config| config.lead = Duration::from_millis(500));
    running.handle.queue(whole_item(1, 60));
    running.handle.finish();
    let (end, _) = running.end().await;
    assert!(matches!(end, PumpEnd::Finished), "{end:?}");
    let publication = &ingest.publications()[0];
    let first = publication.played().next().unwrap().at;
    for got in publication.played() {
        let plays = Duration::from_millis(u64::from(got.tag.timestamp_ms));
        // Two milliseconds of rounding.
        assert!(
            got.at - first + Duration::from_millis(502) >= plays,
            "{plays:?}"
        );
    }
}

#[tokio::test]
async fn pump_stops_at_once_wherever_it_is() {
    // While the target takes nothing, while nothing is there to send, and while there is no target.
    for manner in [Some(Manner::StallAfter(30)), Some(Manner::Keep), None] {
        let ingest = Ingest::start([manner.unwrap_or(Manner::CloseAfter(1))]);
        let port = ingest.port;
        let ingest = if manner.is_some() {
            Some(ingest)
        } else {
            drop(ingest);
            None
        };
        let target = format!("rtmp://127.0.0.1:{port}/live");
        let mut config = PumpConfig::new(slate(), METADATA);
        config.lead = AT_ONCE;
        config.start_with_slate = false;
        let (pump, handle, mut events) = pump(config, publisher(&target, port));
        let task = crate::harness::spawn(pump.run());
        if manner == Some(Manner::StallAfter(30)) {
            for id in 1..=40 {
                handle.queue(whole_item(id, 200));
            }
            let ingest = ingest.as_ref().unwrap();
            ingest
                .until("media", |all| {
                    all.first().is_some_and(|one| one.media.len() >= 30)
                })
                .await;
        } else {
            events.recv().await.unwrap();
        }
        handle.stop();
        let end = tokio::time::timeout(Duration::from_secs(8), task)
            .await
            .unwrap()
            .unwrap();
        assert!(matches!(end, PumpEnd::Stopped), "{manner:?}: {end:?}");
    }
}

#[tokio::test]
async fn pump_skip_goes_to_the_next_item_after_its_group() {
    let ingest = Ingest::start([Manner::Keep]);
    let running = start(&ingest, |config| config.lead = Duration::from_millis(100));
    running.handle.queue(whole_item(1, 3000));
    running.handle.queue(whole_item(2, 30));
    ingest
        .until("the first item", |all| {
            all.first()
                .is_some_and(|one| one.times(TagKind::Video).len() > 5)
        })
        .await;
    running.handle.skip();
    running.handle.finish();
    let (end, _) = running.end().await;
    assert!(matches!(end, PumpEnd::Finished), "{end:?}");
    let publication = &ingest.publications()[0];
    assert_well_formed(publication);
    let pictures = pictures(publication);
    let of_first = pictures.iter().filter(|picture| picture.0 == 1).count();
    assert!(of_first.is_multiple_of(30) && of_first < 3000, "{of_first}");
    assert_eq!(pictures.len() - of_first, 30);
}

#[tokio::test]
async fn pump_without_a_permitted_target_ends_at_once() {
    let ingest = Ingest::start([Manner::Keep]);
    let config = PumpConfig::new(slate(), METADATA);
    let (pump, _handle, _events) = pump(config, publisher(&ingest.url(), 1));
    let end = pump.run().await;
    assert!(matches!(end, PumpEnd::Forbidden(_)), "{end:?}");
    assert!(ingest.publications().is_empty());
}

#[tokio::test]
async fn pump_gives_up_when_it_is_told_to() {
    let ingest = Ingest::start([Manner::CloseAfter(1)]);
    let running = start(&ingest, |config| {
        config.give_up_after = Some(Duration::from_millis(400));
    });
    let (end, events) = running.end().await;
    assert!(matches!(end, PumpEnd::GaveUp(_)), "{end:?}");
    assert!(!events.is_empty());
}
