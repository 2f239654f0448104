//! What is refused before the first byte, and how mirrors, refresh and tries avoid it.

use super::*;

#[tokio::test(start_paused = true)]
async fn page_instead_of_media_is_refused_whatever_its_type() {
    let page = "<!DOCTYPE html><title>403</title>";
    let lying = Answer::whole()
        .with("content-length", page.len())
        .body(page);
    let honest = lying.clone().with("content-type", "text/html");
    for answer in [lying.clone(), lying.pieces_of(1), honest] {
        assert!(matches!(
            refusal_of(answer).await,
            TransferError::Unusable(_)
        ));
    }
    let blank = Answer::whole().with("content-length", 3).body("  \n");
    assert!(matches!(
        refusal_of(blank).await,
        TransferError::Unusable(_)
    ));
}

/// Just below what ends a wait for a piece.
const ALMOST_IDLE: Duration = Duration::from_secs(29);

/// What may become a page, and never does.
fn blanks(mark: &str) -> Answer {
    let body = mark.to_owned() + &" ".repeat(TOTAL);
    Answer::whole()
        .with("content-length", body.len())
        .body(body)
}

#[tokio::test(start_paused = true)]
async fn page_that_puts_off_what_it_is_is_refused_after_a_few_bytes() {
    for mark in ["", "<", "{", "\u{feff}<!doc"] {
        let fake = Fake::new(move |call| match call.mirror {
            0 => blanks(mark),
            _ => blanks(mark).pieces_of(100).drip(Duration::from_millis(1)),
        });
        let (refused, fake, _) = refusal(fake.mirrors(2), Ask::default()).await;
        assert!(matches!(refused, TransferError::Unusable(_)), "{refused}");
        assert_eq!(fake.asks().len(), 2);
        assert!(fake.taken() < 2 * PIECE as u64, "{} bytes", fake.taken());
    }
}

#[tokio::test(start_paused = true)]
async fn page_that_drips_has_the_time_of_one_piece() {
    let start = Instant::now();
    let drip = || blanks("{").pieces_of(1).drip(ALMOST_IDLE);
    let (refused, fake, _) = refusal(Fake::new(move |_| drip()), Ask::default()).await;
    let phase = Phase::Body;
    assert!(
        matches!(&refused, TransferError::Net(NetError::Timeout { phase: at, .. }) if *at == phase),
        "{refused}"
    );
    // For the first byte, and for all others; no time is left for another address.
    assert_eq!(fake.asks().len(), 1);
    assert!(start.elapsed() < IDLE * 2 + Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn media_that_drips_is_known_by_its_first_byte() {
    let slow = |call: Call| Answer::to(call.ask).pieces_of(TOTAL / 4).drip(ALMOST_IDLE);
    let (fake, bench) = (Arc::new(Fake::new(slow)), Bench::new());
    assert_eq!(
        bench.fetch(&fake, Ask::default()).await,
        Read::clean(&file())
    );
}

#[tokio::test(start_paused = true)]
async fn picture_must_be_one() {
    let bench = Bench::new();
    let permit = bench.admission.admit().await.unwrap();
    let started = bench
        .engine
        .start(sound(), Expected::Image, None, Ask::default(), permit)
        .await;
    assert!(matches!(
        started,
        Err(TransferError::Unusable("content type"))
    ));
}

#[tokio::test(start_paused = true)]
async fn body_without_length_or_chunks_is_refused() {
    let answer = Answer::whole().without("content-length");
    assert!(matches!(
        refusal_of(answer).await,
        TransferError::Unusable(_)
    ));
}

#[tokio::test(start_paused = true)]
async fn empty_representation_is_refused() {
    for answer in [
        Answer::whole().with("content-length", 0).body(""),
        Answer::status(416).with("content-range", "bytes */0"),
        Answer::whole()
            .without("content-length")
            .with("transfer-encoding", "chunked")
            .body(""),
    ] {
        assert!(matches!(
            refusal_of(answer).await,
            TransferError::Unusable(_)
        ));
    }
}

#[tokio::test(start_paused = true)]
async fn mirror_that_fails_is_passed_over() {
    let bad: [fn(RangeAsk) -> Act; 9] = [
        |_| Answer::status(403).into(),
        |_| Answer::status(404).into(),
        |_| Answer::status(503).into(),
        |_| Answer::status(429).into(),
        |_| reset(),
        |ask| Answer::to(ask).with("content-type", "text/html").into(),
        |ask| {
            Answer::to(ask)
                .with("content-range", "bytes 1-99999/100000")
                .into()
        },
        |ask| Answer::to(ask).cut(0, Ending::Stall).into(),
        |ask| Answer::to(ask).cut(0, Ending::Reset).into(),
    ];
    for act in bad {
        let script = move |call: Call| match call.mirror {
            0 => act(call.ask),
            _ => Answer::to(call.ask).into(),
        };
        let (fake, bench) = (Arc::new(Fake::new(script).mirrors(2)), Bench::new());
        assert_eq!(
            bench.fetch(&fake, Ask::default()).await,
            Read::clean(&file())
        );
        assert_eq!(
            fake.asks(),
            [(0, RangeAsk::From(0)), (1, RangeAsk::From(0))]
        );
        assert_eq!(fake.refreshes(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn expired_addresses_are_refreshed_once() {
    let script = |call: Call| match call.refreshes {
        0 => Answer::status(403),
        _ => Answer::to(call.ask),
    };
    let (fake, bench) = (Arc::new(Fake::new(script).mirrors(2)), Bench::new());
    assert_eq!(
        bench.fetch(&fake, Ask::default()).await,
        Read::clean(&file())
    );
    assert_eq!((fake.refreshes(), fake.asks().len()), (1, 3));
}

#[tokio::test(start_paused = true)]
async fn addresses_refused_after_the_refresh_too_are_forbidden_or_gone() {
    for (statuses, is_gone) in [([401, 403], false), ([404, 403], false), ([404, 410], true)] {
        let fake = Fake::new(move |call| Answer::status(statuses[call.mirror])).mirrors(2);
        let (refused, fake, _) = refusal(fake, Ask::default()).await;
        assert_eq!(
            matches!(refused, TransferError::Gone),
            is_gone,
            "{statuses:?}"
        );
        assert_eq!(
            matches!(refused, TransferError::Forbidden),
            !is_gone,
            "{statuses:?}"
        );
        assert_eq!((fake.refreshes(), fake.asks().len()), (1, 4));
    }
}

#[tokio::test(start_paused = true)]
async fn gone_is_said_only_when_every_mirror_says_so() {
    let fake = Fake::new(|call| match call.mirror {
        0 => Answer::status(404),
        _ => Answer::status(500),
    });
    let (refused, ..) = refusal(fake.mirrors(2), Ask::default()).await;
    assert!(
        matches!(refused, TransferError::Unusable("status 5xx")),
        "{refused}"
    );
}

#[tokio::test(start_paused = true)]
async fn refresh_that_fails_is_told() {
    let fake = Fake::new(|_| Answer::status(410)).refresh(Refresh::Fails);
    let (refused, ..) = refusal(fake, Ask::default()).await;
    assert!(
        matches!(refused, TransferError::Refresh(SiteDown)),
        "{refused}"
    );
}

#[tokio::test(start_paused = true)]
async fn rate_limit_is_told_at_once_with_its_time() {
    let start = Instant::now();
    let fake = Fake::new(|_| Answer::status(429).with("retry-after", 7)).mirrors(2);
    let (refused, fake, _) = refusal(fake, Ask::default()).await;
    let TransferError::RateLimited { retry_after } = refused else {
        panic!("{refused}");
    };
    assert_eq!(retry_after, Some(Duration::from_secs(7)));
    assert_eq!((fake.asks().len(), start.elapsed()), (2, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn fault_that_may_pass_is_tried_three_times_in_all() {
    for failures in 1..=2 {
        let script = move |call: Call| match call.index {
            index if index < failures => Answer::status(500),
            _ => Answer::to(call.ask),
        };
        let (fake, bench) = (Arc::new(Fake::new(script)), Bench::new());
        assert_eq!(
            bench.fetch(&fake, Ask::default()).await,
            Read::clean(&file())
        );
    }
    let (refused, fake, _) = refusal(Fake::new(|_| reset()), Ask::default()).await;
    assert!(
        matches!(refused, TransferError::Net(NetError::Broken { .. })),
        "{refused}"
    );
    assert_eq!(fake.asks().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn silence_before_the_first_byte_ends_in_a_time_out_not_in_a_head() {
    let start = Instant::now();
    let fake = Fake::new(|call| Answer::to(call.ask).cut(0, Ending::Stall)).mirrors(4);
    let (refused, fake, _) = refusal(fake, Ask::default()).await;
    let phase = Phase::Body;
    assert!(
        matches!(&refused, TransferError::Net(NetError::Timeout { phase: at, .. }) if *at == phase),
        "{refused}"
    );
    // After two of them the patience was used up, so no further mirror was asked.
    assert_eq!(fake.asks().len(), 2);
    assert!(start.elapsed() < IDLE * 2 + Duration::from_secs(1));
}
