//! The proof of the tail.

use super::*;

#[tokio::test(start_paused = true)]
async fn tail_is_asked_beside_the_head_and_remembered() {
    let (fake, bench) = (
        Arc::new(Fake::new(|call| Answer::to(call.ask)).tail("a")),
        Bench::new(),
    );
    for _ in 0..2 {
        assert_eq!(
            bench.fetch(&fake, Ask::default()).await,
            Read::clean(&file())
        );
    }
    assert_eq!((fake.asks().len(), fake.tails()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn tail_does_not_wait_for_the_head() {
    let fake = Arc::new(Fake::new(|_| Act::Hang).tail("a"));
    let bench = Bench::new();
    let mut started = Box::pin(bench.start(&fake, Ask::default()));
    assert!(futures_util::poll!(started.as_mut()).is_pending());
    assert_eq!((fake.asks().len(), fake.tails()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn tail_is_asked_only_for_ranges_to_the_end() {
    for (header, tails) in [("bytes=5-", 1), ("bytes=-9", 1), ("bytes=5-9", 0)] {
        let (fake, bench) = (
            Arc::new(Fake::new(|call| Answer::to(call.ask)).tail("a")),
            Bench::new(),
        );
        bench.fetch(&fake, range(header)).await;
        assert_eq!(fake.tails(), tails, "{header}");
    }
}

#[tokio::test(start_paused = true)]
async fn tail_that_fails_rules_its_mirror_out() {
    let bad: [fn(RangeAsk) -> Act; 4] = [
        |_| Answer::status(404).into(),
        |_| Answer::status(500).into(),
        |_| reset(),
        |ask| Answer::to(ask).cut(0, Ending::Reset).into(),
    ];
    for act in bad {
        let script = move |call: Call| match (call.mirror, call.is_tail) {
            (0, true) => act(call.ask),
            _ => Answer::to(call.ask).into(),
        };
        let fake = Arc::new(Fake::new(script).mirrors(2).tail("a"));
        assert_eq!(
            Bench::new().fetch(&fake, Ask::default()).await,
            Read::clean(&file())
        );
        assert_eq!(
            fake.asks(),
            [(0, RangeAsk::From(0)), (1, RangeAsk::From(0))]
        );
    }
    let dead = Fake::new(|call| {
        if call.is_tail {
            Answer::status(404)
        } else {
            good(call)
        }
    });
    let (refused, ..) = refusal(dead.tail("a"), Ask::default()).await;
    assert!(matches!(refused, TransferError::Gone), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn tail_of_an_upstream_without_suffix_ranges_is_taken_as_fine_and_not_read() {
    for answer in [Answer::whole(), Answer::status(416)] {
        let script = move |call: Call| {
            if call.is_tail {
                answer.clone()
            } else {
                good(call)
            }
        };
        let (fake, bench) = (Arc::new(Fake::new(script).tail("a")), Bench::new());
        assert_eq!(
            bench.fetch(&fake, Ask::default()).await,
            Read::clean(&file())
        );
        assert_eq!((fake.taken(), fake.open_bodies()), (TOTAL as u64, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn tail_of_another_file_is_refused() {
    let fake = Fake::new(|call| {
        if call.is_tail {
            good(call).with("content-range", "bytes 4-4/5")
        } else {
            good(call)
        }
    });
    let (refused, ..) = refusal(fake.tail("a"), Ask::default()).await;
    assert!(matches!(refused, TransferError::Unusable(_)), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn tail_remembered_of_another_file_is_proven_anew() {
    let bench = Bench::new();
    let short = Fake::new(|call| {
        let range = if call.is_tail {
            "bytes 4-4/5"
        } else {
            "bytes 0-4/5"
        };
        let length = if call.is_tail { 1 } else { 5 };
        let answer = Answer::to(call.ask).with("content-range", range);
        answer
            .with("content-length", length)
            .cut(length, Ending::Clean)
    });
    let short = Arc::new(short.tail("a"));
    assert_eq!(bench.fetch(&short, Ask::default()).await.bytes.len(), 5);
    let fake = Arc::new(Fake::new(|call| Answer::to(call.ask)).tail("a"));
    assert_eq!(
        bench.fetch(&fake, Ask::default()).await,
        Read::clean(&file())
    );
    assert_eq!((short.tails(), fake.tails()), (1, 1));
}
