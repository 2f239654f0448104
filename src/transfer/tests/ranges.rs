//! Which bytes a client gets.

use super::*;

#[tokio::test(start_paused = true)]
async fn whole_is_asked_as_an_open_range_and_passes_unchanged() {
    let (fake, bench) = (sound(), Bench::new());
    let Transfer { head, body, .. } = bench.start(&fake, Ask::default()).await.unwrap();
    assert_eq!((head.range.clone(), head.total), (None, Some(TOTAL as u64)));
    assert!(head.accepts_ranges);
    assert_eq!(head.etag.as_deref(), Some("\"v1\""));
    assert_eq!(head.content_type.as_deref(), Some("video/mp4"));
    assert_eq!(body.size_hint().exact(), head.content_length());
    assert_eq!(read(body).await, Read::clean(&file()));
    assert_eq!(fake.asks(), [(0, RangeAsk::From(0))]);
    assert_eq!((fake.tails(), bench.admission.active()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn ranges_of_every_form_give_their_slice() {
    let total = TOTAL as u64;
    let cases = [
        ("bytes=0-0", 0..1),
        ("bytes=500-1499", 500..1500),
        ("bytes=99999-", 99_999..total),
        ("bytes=500-", 500..total),
        ("bytes=-10", total - 10..total),
        ("bytes=-999999999", 0..total),
        ("bytes=99990-999999999", 99_990..total),
        ("bytes=0-", 0..total),
    ];
    for (header, expected) in cases {
        let (fake, bench) = (sound(), Bench::new());
        let Transfer { head, body, .. } = bench.start(&fake, range(header)).await.unwrap();
        let slice = &file()[to_usize(expected.start)..to_usize(expected.end)];
        assert_eq!(head.range, Some(expected), "{header}");
        assert_eq!(body.size_hint().exact(), Some(slice.len() as u64));
        assert_eq!(read(body).await, Read::clean(slice), "{header}");
        // Where a suffix begins follows from the size, which is asked for first.
        let asked = 1 + usize::from(header.starts_with("bytes=-"));
        assert_eq!(fake.asks().len(), asked, "{header}");
    }
}

#[tokio::test(start_paused = true)]
async fn ranges_malformed_or_several_give_the_whole() {
    for header in ["bytes=0-1,5-6", "bytes=x", "items=0-1", "bytes=9-1"] {
        let transfer = Bench::new().start(&sound(), range(header)).await.unwrap();
        assert_eq!(transfer.head.range, None, "{header}");
        assert_eq!(read(transfer.body).await, Read::clean(&file()));
    }
}

#[tokio::test(start_paused = true)]
async fn range_past_the_end_is_unsatisfiable_with_the_total() {
    let past = format!("bytes={TOTAL}-");
    for header in [past.as_str(), "bytes=99999999-999999999", "bytes=-0"] {
        for ask in [range(header), head(range(header))] {
            let fake = Fake::new(|call| Answer::to(call.ask));
            let (refused, ..) = refusal(fake, ask).await;
            let expected = TOTAL as u64;
            assert!(
                matches!(refused, TransferError::Unsatisfiable { total } if total == expected),
                "{header}: {refused}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn range_past_the_end_without_a_total_is_found_out() {
    let fake = Fake::new(|call| match call.ask {
        RangeAsk::From(0) => Answer::to(call.ask),
        _ => Answer::status(416),
    });
    let (refused, fake, _) = refusal(fake, range("bytes=100000-")).await;
    assert!(
        matches!(refused, TransferError::Unsatisfiable { total: 100_000 }),
        "{refused}"
    );
    assert_eq!(fake.asks().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn refusal_416_for_bytes_that_are_there_is_unusable() {
    let (refused, ..) = refusal(Fake::new(|_| Answer::status(416)), Ask::default()).await;
    assert!(matches!(refused, TransferError::Unusable(_)), "{refused}");
    let liar = |_| Answer::status(416).with("content-range", "bytes */100000");
    let (refused, ..) = refusal(Fake::new(liar), range("bytes=5-")).await;
    assert!(matches!(refused, TransferError::Unusable(_)), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn upstream_without_ranges_gives_the_whole_and_says_so() {
    let fake = Arc::new(Fake::new(|_| {
        Answer::whole().with("accept-ranges", "bytes")
    }));
    let transfer = Bench::new().start(&fake, range("bytes=5-9")).await.unwrap();
    assert_eq!(
        (transfer.head.range.clone(), transfer.head.accepts_ranges),
        (None, false)
    );
    assert_eq!(read(transfer.body).await, Read::clean(&file()));
}

#[tokio::test(start_paused = true)]
async fn upstream_that_shortcuts_the_open_range_still_has_ranges() {
    let fake = Arc::new(Fake::new(|_| {
        Answer::whole().with("accept-ranges", "bytes")
    }));
    let transfer = Bench::new().start(&fake, Ask::default()).await.unwrap();
    assert!(transfer.head.accepts_ranges);
    let fake = Arc::new(Fake::new(|_| Answer::whole()));
    let transfer = Bench::new().start(&fake, Ask::default()).await.unwrap();
    assert!(!transfer.head.accepts_ranges);
}

#[tokio::test(start_paused = true)]
async fn if_range_that_fits_gives_the_range() {
    for validator in ["\"v1\"", "Mon, 02 Nov 2026 10:00:00 GMT"] {
        let (fake, bench) = (sound(), Bench::new());
        let got = bench.fetch(&fake, if_range("bytes=5-9", validator)).await;
        assert_eq!(got, Read::clean(&file()[5..10]));
        assert_eq!(fake.asks().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn if_range_that_does_not_fit_gives_the_whole() {
    for header in ["bytes=5-9", "bytes=-9", "bytes=100000-"] {
        let (fake, bench) = (sound(), Bench::new());
        let ask = if_range(header, "\"v0\"");
        let transfer = bench.start(&fake, ask.clone()).await.unwrap();
        assert_eq!(transfer.head.range, None, "{header}");
        assert_eq!(read(transfer.body).await, Read::clean(&file()));
        assert!(fake.asks().len() >= 2, "{header}");
        let probed = Bench::new().start(&sound(), head(ask)).await.unwrap();
        assert_eq!(probed.head.range, None, "{header}");
    }
}

#[tokio::test(start_paused = true)]
async fn head_probes_a_byte_of_either_end_and_holds_nothing() {
    let (fake, bench) = (
        Arc::new(Fake::new(|call| Answer::to(call.ask)).tail("a")),
        Bench::new(),
    );
    let transfer = bench.start(&fake, head(Ask::default())).await.unwrap();
    assert_eq!(transfer.head.content_length(), Some(TOTAL as u64));
    assert!(transfer.body.is_end_stream());
    assert_eq!((fake.open_bodies(), bench.admission.active()), (0, 0));
    assert_eq!(read(transfer.body).await, Read::clean(&[]));
    assert_eq!(fake.asks(), [(0, RangeAsk::Between(0, 0))]);
    assert_eq!(fake.tails(), 1);
    let ranged = bench.start(&fake, head(range("bytes=-10"))).await.unwrap();
    assert_eq!(ranged.head.range, Some(99_990..100_000));
}
