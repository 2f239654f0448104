//! The last bytes, from upstreams that know suffix ranges and from those that don't.

use super::*;

const END: u64 = TOTAL as u64;

fn knowing(known_length: Option<u64>) -> Bench {
    Bench {
        known_length,
        ..Bench::new()
    }
}

#[tokio::test(start_paused = true)]
async fn suffix_is_asked_for_by_its_first_byte() {
    let (measured, from) = (RangeAsk::Between(0, 0), RangeAsk::From);
    for (known_length, asks) in [
        (Some(END), vec![from(END - 10)]),
        (None, vec![measured, from(END - 10)]),
        (Some(END - 50), vec![from(END - 60), from(END - 10)]),
        (Some(END + 50), vec![from(END + 40), from(END - 10)]),
        (Some(5), vec![from(0), from(END - 10)]),
    ] {
        let (fake, bench) = (sound(), knowing(known_length));
        let got = bench.fetch(&fake, range("bytes=-10")).await;
        assert_eq!(got, Read::clean(&file()[TOTAL - 10..]), "{known_length:?}");
        let asked: Vec<_> = fake.asks().into_iter().map(|(_, ask)| ask).collect();
        assert_eq!(asked, asks, "{known_length:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn suffix_of_a_wrong_size_and_a_bare_416_is_found_out() {
    let fake = Arc::new(Fake::new(|call| match call.ask {
        RangeAsk::From(start) if start >= END => Answer::status(416),
        _ => good(call),
    }));
    let got = knowing(Some(2 * END))
        .fetch(&fake, range("bytes=-10"))
        .await;
    assert_eq!(got, Read::clean(&file()[TOTAL - 10..]));
    assert_eq!(fake.asks().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn suffix_of_an_upstream_without_ranges_is_the_whole() {
    for known_length in [None, Some(END)] {
        let fake = Arc::new(Fake::new(|_| Answer::whole()));
        let transfer = knowing(known_length).start(&fake, range("bytes=-10")).await;
        let Transfer { head, body, .. } = transfer.unwrap();
        assert_eq!((head.range, head.accepts_ranges), (None, false));
        assert_eq!(read(body).await, Read::clean(&file()));
        assert_eq!(fake.asks().len(), 1);
    }
}
