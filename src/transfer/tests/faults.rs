//! Random faults: a transfer never lies.

use proptest::prelude::*;

use super::*;

/// A fault of the upstream.
#[derive(Debug, Clone, Copy)]
enum Fault {
    None,
    Status(u16),
    NoAnswer,
    Cut(usize, Ending),
    Whole,
    OtherEtag,
    WrongStart,
    Beyond,
}

impl Fault {
    fn act(self, ask: RangeAsk) -> Act {
        let answer = Answer::to(ask);
        match self {
            Self::None => answer.into(),
            Self::Status(status) => Answer::status(status).into(),
            Self::NoAnswer => reset(),
            Self::Cut(length, ending) => answer.cut(length, ending).into(),
            Self::Whole => Answer::whole().into(),
            Self::OtherEtag => answer.with("etag", "\"v2\"").into(),
            Self::WrongStart => answer.with("content-range", "bytes 1-99999/100000").into(),
            Self::Beyond => {
                let mut bytes = file().to_vec();
                bytes.extend([0; 50]);
                Answer::whole().body(bytes).into()
            }
        }
    }
}

fn any_fault() -> impl Strategy<Value = Fault> {
    let ending = prop_oneof![
        4 => Just(Ending::Reset),
        2 => Just(Ending::Clean),
        2 => Just(Ending::Stall),
        1 => Just(Ending::Panic),
    ];
    prop_oneof![
        3 => Just(Fault::None),
        2 => prop_oneof![Just(403_u16), Just(404), Just(429), Just(500), Just(416), Just(302)]
            .prop_map(Fault::Status),
        1 => Just(Fault::NoAnswer),
        6 => (1..TOTAL, ending).prop_map(|(length, ending)| Fault::Cut(length, ending)),
        1 => Just(Fault::Whole),
        1 => Just(Fault::OtherEtag),
        1 => Just(Fault::WrongStart),
        1 => Just(Fault::Beyond),
    ]
}

/// What the client is owed, by the head that it got.
fn owed(range: Option<&std::ops::Range<u64>>) -> bytes::Bytes {
    match range {
        Some(range) => file().slice(to_usize(range.start)..to_usize(range.end)),
        None => file(),
    }
}

async fn survive(faults: Vec<Fault>, mirrors: usize, ask: Ask) {
    let script = move |call: Call| match faults.get(call.index) {
        Some(fault) => fault.act(call.ask),
        None => good(call).into(),
    };
    let (fake, bench) = (
        Arc::new(Fake::new(script).mirrors(mirrors)),
        Bench::with(small_buffer()),
    );
    if let Ok(transfer) = bench.start(&fake, ask).await {
        let owed = owed(transfer.head.range.as_ref());
        let got = read(transfer.body).await;
        assert_eq!(got.broken.is_none(), got.bytes.len() == owed.len());
        assert!(
            owed.starts_with(&got.bytes),
            "bytes that are not the file's"
        );
    }
    bench.drain().await;
    assert_eq!((fake.open_bodies(), bench.admission.active()), (0, 0));
}

proptest! {
    /// A clean end means every byte, a break means a beginning of them; nothing else, and nothing left behind.
    #[test]
    fn transfer_under_any_faults_never_lies(
        faults in proptest::collection::vec(any_fault(), 0..8),
        mirrors in 1_usize..4,
        header in proptest::option::of(prop_oneof![
            Just("bytes=500-70000"), Just("bytes=99-"), Just("bytes=-60000"), Just("bytes=0-0")
        ]),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        let ask = header.map_or_else(Ask::default, range);
        runtime.block_on(survive(faults, mirrors, ask));
    }
}
