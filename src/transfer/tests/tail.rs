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
    for (header, tails) in [
        ("bytes=5-", 1),
        ("bytes=-9", 1),
        ("bytes=5-99999", 1),
        ("bytes=5-200000", 1),
        ("bytes=5-99998", 0),
        ("bytes=5-9", 0),
    ] {
        for known_length in [None, Some(TOTAL as u64)] {
            for is_head in [false, true] {
                let (fake, bench) = (Arc::new(Fake::new(good).tail("a")), knowing(known_length));
                let ask = Ask {
                    is_head,
                    ..range(header)
                };
                read(bench.start(&fake, ask).await.unwrap().body).await;
                assert_eq!(fake.tails(), tails, "{header} {known_length:?} {is_head}");
            }
        }
    }
}

fn knowing(known_length: Option<u64>) -> Bench {
    Bench {
        known_length,
        ..Bench::new()
    }
}

#[tokio::test(start_paused = true)]
async fn tail_of_a_known_size_is_asked_for_by_its_place_and_beside_the_head() {
    for header in ["bytes=5-", "bytes=5-99999", "bytes=-9", "bytes=0-"] {
        for is_head in [false, true] {
            let fake = Arc::new(Fake::new(|_| Act::Hang).tail("a"));
            let bench = knowing(Some(TOTAL as u64));
            let ask = Ask {
                is_head,
                ..range(header)
            };
            let mut started = Box::pin(bench.start(&fake, ask));
            assert!(futures_util::poll!(started.as_mut()).is_pending());
            assert_eq!((fake.asks().len(), fake.tails()), (1, 1), "{header}");
            assert_eq!(fake.suffixes(), 0, "{header}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn tail_of_a_size_that_the_site_has_wrong_is_proven_by_the_true_one() {
    let total = TOTAL as u64;
    for wrong in [1, total - 1, total + 1, 2 * total] {
        let (fake, bench) = (Arc::new(Fake::new(good).tail("a")), knowing(Some(wrong)));
        for _ in 0..2 {
            assert_eq!(
                bench.fetch(&fake, Ask::default()).await,
                Read::clean(&file())
            );
        }
        assert_eq!(fake.tails(), 1, "{wrong}");
    }
}

fn tail_reset(call: Call) -> Act {
    if call.is_tail {
        return reset();
    }
    good(call).into()
}

#[tokio::test(start_paused = true)]
async fn tail_that_is_dead_is_an_error_to_every_promise_of_the_end() {
    for header in ["bytes=0-", "bytes=-5", "bytes=5-99999"] {
        for is_head in [false, true] {
            let dead = Fake::new(tail_reset);
            let ask = Ask {
                is_head,
                ..range(header)
            };
            let (refused, ..) = refusal(dead.tail("a"), ask).await;
            assert!(
                matches!(refused, TransferError::Net(_)),
                "{header}: {refused}"
            );
        }
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
async fn tail_of_an_upstream_without_suffix_ranges_is_asked_for_by_its_place() {
    for answer in [Answer::whole(), Answer::status(416), Answer::status(400)] {
        let script = move |call: Call| match call.ask {
            RangeAsk::Suffix(_) => answer.clone(),
            _ => good(call),
        };
        let (fake, bench) = (Arc::new(Fake::new(script).tail("a")), Bench::new());
        for _ in 0..2 {
            let got = bench.fetch(&fake, Ask::default()).await;
            assert_eq!(got, Read::clean(&file()));
        }
        assert_eq!((fake.tails(), fake.suffixes()), (2, 1));
        assert_eq!(
            (fake.taken(), fake.open_bodies()),
            (2 * TOTAL as u64 + 1, 0)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn tail_of_an_upstream_without_ranges_is_taken_as_fine_and_not_read() {
    let (fake, bench) = (
        Arc::new(Fake::new(|_| Answer::whole()).tail("a")),
        Bench::new(),
    );
    for _ in 0..2 {
        assert_eq!(
            bench.fetch(&fake, Ask::default()).await,
            Read::clean(&file())
        );
    }
    assert_eq!((fake.tails(), fake.taken()), (1, 2 * TOTAL as u64));
}

#[tokio::test(start_paused = true)]
async fn tail_that_is_refused_under_its_place_is_a_dead_end() {
    let dead = Fake::new(|call| {
        if call.is_tail {
            Answer::status(416)
        } else {
            good(call)
        }
    });
    let (refused, ..) = refusal(dead.tail("a"), Ask::default()).await;
    assert!(
        matches!(refused, TransferError::Unusable("no last byte")),
        "{refused}"
    );
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
