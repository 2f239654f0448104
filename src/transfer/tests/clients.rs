//! Clients that are slow, stand still or vanish.

use std::pin::pin;

use futures_util::poll;

use super::*;
use crate::transfer::Admission;

#[tokio::test(start_paused = true)]
async fn stopped_reader_stops_the_upstream_within_the_bound() {
    let (fake, bench) = (sound(), Bench::with(small_buffer()));
    let mut body = bench.start(&fake, Ask::default()).await.unwrap().body;
    for read in [0, 10, 20] {
        take(&mut body, read * PIECE).await;
        settle().await;
        let ahead = fake.taken() - bench.engine.stats().bytes;
        // The bound, and the piece that waits for room.
        assert!(ahead <= 5 * PIECE as u64, "{ahead} bytes ahead");
    }
}

#[tokio::test(start_paused = true)]
async fn client_that_takes_nothing_is_given_up() {
    let (fake, bench) = (sound(), Bench::with(small_buffer()));
    let body = bench.start(&fake, Ask::default()).await.unwrap().body;
    let start = Instant::now();
    bench.drain().await;
    assert_eq!(start.elapsed().as_secs(), 60);
    assert_eq!((fake.open_bodies(), bench.admission.active()), (0, 0));
    // The client never comes back to see the error.
    drop(body);
    assert_eq!(bench.outcome(), Outcome::ClientStall);
}

#[tokio::test(start_paused = true)]
async fn client_that_stops_in_the_middle_is_given_up_in_time() {
    let (fake, bench) = (sound(), Bench::with(small_buffer()));
    let mut body = bench.start(&fake, Ask::default()).await.unwrap().body;
    settle().await;
    tokio::time::sleep(Duration::from_secs(50)).await;
    take(&mut body, PIECE).await;
    let start = Instant::now();
    bench.drain().await;
    let waited = start.elapsed().as_secs();
    assert!((60..=75).contains(&waited), "{waited} s");
}

#[tokio::test(start_paused = true)]
async fn client_that_stops_is_given_up_its_whole_time_after_the_last_piece() {
    let (fake, bench) = (Arc::new(Fake::new(good)), Bench::with(small_buffer()));
    let mut body = bench.start(&fake, Ask::default()).await.unwrap().body;
    let start = Instant::now();
    settle().await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    take(&mut body, PIECE).await;
    bench.drain().await;
    assert_eq!(start.elapsed().as_secs(), 70);
}

#[tokio::test(start_paused = true)]
async fn client_given_up_that_comes_back_sees_the_break() {
    let (fake, bench) = (sound(), Bench::with(small_buffer()));
    let body = bench.start(&fake, Ask::default()).await.unwrap().body;
    bench.drain().await;
    assert_eq!(read(body).await.broken, Some(Outcome::ClientStall));
}

/// A client that leaves the whole of what its pump has read, and how long that is put up with.
async fn leaves_all(fake: Fake, ask: Ask) -> (u64, Bench, Transfer) {
    let (fake, bench) = (Arc::new(fake), Bench::new());
    let transfer = bench.start(&fake, ask).await.unwrap();
    settle().await;
    assert_eq!((fake.open_bodies(), bench.admission.active()), (0, 1));
    let start = Instant::now();
    bench.drain().await;
    assert_eq!(bench.admission.active(), 0);
    assert_eq!(bench.outcome(), Outcome::ClientStall);
    (start.elapsed().as_secs(), bench, transfer)
}

#[tokio::test(start_paused = true)]
async fn client_that_never_comes_for_the_last_bytes_is_given_up() {
    let (waited, bench, mut transfer) = leaves_all(Fake::new(good), range("bytes=0-1999")).await;
    assert_eq!(waited, 59);
    let report = transfer.report.take().unwrap();
    assert_eq!(report.outcome(), Some(Outcome::ClientStall));
    let broken = Some(Outcome::ClientStall);
    let bytes = Vec::new();
    assert_eq!(read(transfer.body).await, Read { bytes, broken });
    assert_eq!(bench.engine.stats().ended(Outcome::ClientStall), 1);
}

#[tokio::test(start_paused = true)]
async fn client_that_never_comes_for_the_break_is_given_up() {
    let broken = broken_once(5000, Ending::Reset, |_| Answer::status(418));
    // The break is known after three waits of at most 1.4 s.
    let waited = leaves_all(broken, Ask::default()).await.0;
    assert!((59..=61).contains(&waited), "{waited} s");
}

#[tokio::test(start_paused = true)]
async fn client_that_never_comes_for_the_end_is_given_up() {
    let chunked = Answer::whole()
        .without("content-length")
        .with("transfer-encoding", "chunked");
    let (fake, bench) = (Arc::new(Fake::new(move |_| chunked.clone())), Bench::new());
    let mut body = bench.start(&fake, Ask::default()).await.unwrap().body;
    take(&mut body, TOTAL).await;
    bench.drain().await;
    assert_eq!(bench.admission.active(), 0);
    assert_eq!(bench.outcome(), Outcome::ClientStall);
}

#[tokio::test(start_paused = true)]
async fn client_that_takes_the_rest_too_slowly_is_given_up() {
    let (fake, bench) = (
        sound(),
        Bench::with(TransferConfig {
            client_min_rate: 100,
            ..TransferConfig::default()
        }),
    );
    let mut body = bench
        .start(&fake, range("bytes=0-19999"))
        .await
        .unwrap()
        .body;
    let start = Instant::now();
    while let Some(Ok(_)) = body.frame().await {
        tokio::time::sleep(Duration::from_secs(30)).await;
    }
    assert_eq!(bench.outcome(), Outcome::ClientStall);
    let seconds = start.elapsed().as_secs();
    assert!((120..=150).contains(&seconds), "{seconds} s");
}

#[tokio::test(start_paused = true)]
async fn hard_end_cuts_what_the_client_has_not_come_for() {
    let (fake, bench) = (sound(), Bench::new());
    let body = bench
        .start(&fake, range("bytes=0-1999"))
        .await
        .unwrap()
        .body;
    settle().await;
    bench.engine.shutdown_handles().cancel.cancel();
    bench.drain().await;
    assert_eq!(bench.admission.active(), 0);
    assert_eq!(read(body).await.broken, Some(Outcome::Cancelled));
    assert_eq!(bench.outcome(), Outcome::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn client_that_takes_a_little_now_and_then_is_served_without_a_least_rate() {
    let (fake, bench) = (sound(), Bench::with(min_rate(0)));
    let mut body = bench.start(&fake, Ask::default()).await.unwrap().body;
    for _ in 0..30 {
        take(&mut body, PIECE).await;
        tokio::time::sleep(Duration::from_secs(50)).await;
    }
    let rest = read(body).await;
    assert_eq!((rest.bytes.len(), rest.broken), (TOTAL - 30 * PIECE, None));
}

fn min_rate(client_min_rate: u64) -> TransferConfig {
    TransferConfig {
        client_min_rate,
        ..small_buffer()
    }
}

/// Takes a piece every so many seconds to the end, and says how that came and after how many seconds.
async fn take_slowly(bench: &Bench, seconds: u64) -> (Option<Outcome>, u64) {
    let fake = sound();
    let mut body = bench.start(&fake, Ask::default()).await.unwrap().body;
    let start = Instant::now();
    for _ in 0..TOTAL / PIECE {
        if let Some(Err(broken)) = body.frame().await {
            assert_eq!(fake.open_bodies(), 0);
            return (Some(broken.outcome), start.elapsed().as_secs());
        }
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }
    (None, start.elapsed().as_secs())
}

#[tokio::test(start_paused = true)]
async fn client_below_the_least_rate_is_given_up_after_the_window() {
    let bench = Bench::with(min_rate(100));
    let (broken, seconds) = take_slowly(&bench, 11).await;
    assert_eq!(broken, Some(Outcome::ClientStall));
    assert!((120..=131).contains(&seconds), "{seconds} s");
    assert_eq!(bench.outcome(), Outcome::ClientStall);
    assert_eq!(bench.admission.active(), 0);
}

#[tokio::test(start_paused = true)]
async fn client_above_the_least_rate_is_served() {
    let bench = Bench::with(min_rate(100));
    assert_eq!(take_slowly(&bench, 9).await, (None, 900));
}

#[tokio::test(start_paused = true)]
async fn client_that_falls_below_the_least_rate_later_is_given_up() {
    let (fake, bench) = (sound(), Bench::with(min_rate(100)));
    let mut body = bench.start(&fake, Ask::default()).await.unwrap().body;
    for _ in 0..60 {
        take(&mut body, PIECE).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    let start = Instant::now();
    while let Some(Ok(_)) = body.frame().await {
        tokio::time::sleep(Duration::from_secs(30)).await;
    }
    assert_eq!(bench.outcome(), Outcome::ClientStall);
    let seconds = start.elapsed().as_secs();
    assert!((120..=270).contains(&seconds), "{seconds} s");
}

#[tokio::test(start_paused = true)]
async fn client_is_measured_only_while_the_buffer_is_full() {
    let fake = Arc::new(Fake::new(|call| good(call).drip(Duration::from_secs(20))));
    let bench = Bench::with(min_rate(1024));
    let read = bench.fetch(&fake, Ask::default()).await;
    assert_eq!((read.bytes.len(), read.broken), (TOTAL, None));
}

#[tokio::test(start_paused = true)]
async fn upstream_that_is_slow_is_no_stall_of_the_client() {
    let fake = broken_once(5000, Ending::Stall, |call| match call.index {
        1 => Act::Hang,
        _ => good(call).into(),
    });
    let (fake, bench) = (Arc::new(fake), Bench::with(small_buffer()));
    let mut body = bench.start(&fake, Ask::default()).await.unwrap().body;
    take(&mut body, 5000).await;
    let next = tokio::time::timeout(Duration::from_secs(300), body.frame()).await;
    assert!(next.is_err(), "{next:?}");
    assert_eq!(fake.open_bodies(), 0);
}

/// Starts, waits until `calls` requests or refreshes were made and all tasks wait, and drops the body.
async fn vanish(fake: Fake, taken: usize, calls: usize) {
    let (fake, bench) = (Arc::new(fake), Bench::with(small_buffer()));
    let mut body = bench.start(&fake, Ask::default()).await.unwrap().body;
    take(&mut body, taken).await;
    while fake.asks().len() + fake.refreshes() < calls {
        fake.called.notified().await;
    }
    settle().await;
    let start = Instant::now();
    drop(body);
    bench.drain().await;
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!((fake.open_bodies(), bench.admission.active()), (0, 0));
    assert_eq!(bench.outcome(), Outcome::ClientGone);
}

#[tokio::test(start_paused = true)]
async fn client_gone_while_the_queue_is_full_frees_everything_at_once() {
    vanish(Fake::new(good), 0, 1).await;
    vanish(Fake::new(good), 7000, 1).await;
}

#[tokio::test(start_paused = true)]
async fn client_gone_while_the_upstream_is_silent_frees_everything_at_once() {
    vanish(broken_once(5000, Ending::Stall, good), 5000, 1).await;
    let hanging = broken_once(5000, Ending::Reset, |_| Act::Hang);
    vanish(hanging, 5000, 2).await;
}

#[tokio::test(start_paused = true)]
async fn client_gone_between_tries_frees_everything_at_once() {
    vanish(broken_once(5000, Ending::Reset, |_| reset()), 5000, 2).await;
}

#[tokio::test(start_paused = true)]
async fn client_gone_while_the_site_is_asked_frees_everything_at_once() {
    let fake = broken_once(5000, Ending::Reset, |_| Answer::status(403));
    vanish(fake.refresh(Refresh::Hangs), 5000, 3).await;
}

#[tokio::test(start_paused = true)]
async fn client_gone_before_the_head_frees_everything_at_once() {
    let (fake, bench) = (Arc::new(Fake::new(|_| Act::Hang).tail("a")), Bench::new());
    {
        let mut started = pin!(bench.start(&fake, Ask::default()));
        assert!(poll!(started.as_mut()).is_pending());
        assert_eq!(bench.admission.active(), 1);
    }
    assert_eq!((fake.open_bodies(), bench.admission.active()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn permit_is_held_until_the_body_has_been_passed_on() {
    let (fake, bench) = (Arc::new(Fake::new(good)), Bench::new());
    let mut body = bench
        .start(&fake, range("bytes=0-1999"))
        .await
        .unwrap()
        .body;
    settle().await;
    assert_eq!((fake.open_bodies(), bench.admission.active()), (0, 1));
    take(&mut body, 2000).await;
    // The library drops a body that it has passed on.
    assert_eq!(bench.admission.active(), 1);
    drop(body);
    assert_eq!(bench.admission.active(), 0);
    assert_eq!(bench.outcome(), Outcome::Complete);
}

#[tokio::test(start_paused = true)]
async fn counters_tell_transfers_apart() {
    let bench = Bench::new();
    let fine = Arc::new(Fake::new(good));
    bench.fetch(&fine, range("bytes=0-9")).await;
    bench.fetch(&fine, range("bytes=0-9")).await;
    drop(bench.start(&fine, Ask::default()).await.unwrap());
    bench
        .start(
            &Arc::new(Fake::new(|_| Answer::status(403))),
            Ask::default(),
        )
        .await
        .unwrap_err();
    let stats = bench.engine.stats();
    assert_eq!((stats.started, stats.refused, stats.bytes), (3, 1, 20));
    assert_eq!(
        (stats.completed(), stats.ended(Outcome::ClientGone)),
        (2, 1)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn clients_that_vanish_anywhere_on_many_threads_leave_nothing_behind() {
    const CLIENTS: usize = 400;
    let mut bench = Bench::with(small_buffer());
    bench.admission = Admission::new(CLIENTS, 0, Duration::ZERO);
    let (bench, fake) = (Arc::new(bench), sound());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (bench, fake) = (Arc::clone(&bench), Arc::clone(&fake));
            crate::task::spawn(async move {
                let mut body = bench.start(&fake, Ask::default()).await.unwrap().body;
                let length = client * TOTAL / (CLIENTS - 1);
                let got = take(&mut body, length).await;
                assert!(file().starts_with(&got));
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    bench.drain().await;
    assert_eq!((fake.open_bodies(), bench.admission.active()), (0, 0));
    let stats = bench.engine.stats();
    assert_eq!(stats.started, CLIENTS as u64);
    assert_eq!(
        stats.completed() + stats.ended(Outcome::ClientGone),
        CLIENTS as u64
    );
    assert!(stats.completed() >= 1);
}

#[tokio::test(start_paused = true)]
async fn body_dropped_by_the_hard_end_is_no_client_that_left() {
    let (fake, bench) = (sound(), Bench::with(small_buffer()));
    let body = bench.start(&fake, Ask::default()).await.unwrap().body;
    bench.engine.shutdown_handles().cancel.cancel();
    drop(body);
    assert_eq!(bench.outcome(), Outcome::Cancelled);
}
