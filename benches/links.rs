//! How long links take to be opened and refused, and whether the time tells what is wrong with one (proofs T1).
//!
//! `cargo bench --bench links`. Every kind in turn, 100,000 times; medians, so that what else runs doesn't count. Fails when
//! those of refusals of links of full length differ by more than a microsecond.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark that can't begin has nothing to measure, and its figures go to the terminal"
)]

use std::hint::black_box;
use std::ops::Range;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::FutureExt as _;
use serverrs::clock::Clock;
use serverrs::config::Secret;
use serverrs::links::{Hint, Kind, Link, LinksConfig, Purpose, Sealer};

const ROUNDS: usize = 100_000;
/// Those of the kinds that are refused and of full length: nothing may tell them apart.
const REFUSED: Range<usize> = 2..11;
/// The most that medians of them may differ by: less than what a network hides, and more than what a machine that does other
/// things adds (30 ns were seen at a load of 17).
const MOST_APART: Duration = Duration::from_micros(1);
/// Places in a sealed link: version, key id, nonce, what is encrypted.
const VERSION_AT: usize = 0;
const KEY_AT: usize = 1;
const NONCE_AT: usize = 2;
const CLAIMS_AT: usize = 14;

fn sealer(key: &str) -> Sealer {
    let config = LinksConfig {
        key: Some(Secret::new(key.to_owned())),
        previous: Vec::new(),
        ttl: Duration::from_secs(3600),
    };
    Sealer::new(&config, Clock::System)
}

fn link() -> Link {
    Link {
        expires_at: Clock::System.unix_seconds() + 3600,
        site: "tiktok".to_owned(),
        id: "7524919459643919201".to_owned(),
        format: "h264_720p_1490112".to_owned(),
        kind: Kind::Video,
        author: "harbour.keeper".to_owned(),
        extension: "mp4".to_owned(),
        index: None,
        track: None,
        egress: None,
        hint: Some(Hint {
            url: format!("https://v16-webapp-prime.tiktok.com/{}", "v".repeat(300)),
            cookie: None,
        }),
    }
}

fn flipped(sealed: &[u8], at: usize) -> String {
    let mut forged = sealed.to_vec();
    forged[at] ^= 1;
    URL_SAFE_NO_PAD.encode(forged)
}

fn main() -> ExitCode {
    let ours = sealer("a key of ours, long enough");
    let theirs = sealer("a key of theirs, long enough");
    // The first call derives the key on another thread; those that follow wait for nothing.
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.expect("a runtime");
    let seal = |sealer: &Sealer, purpose| runtime.block_on(sealer.seal(purpose, &link()));
    let text = seal(&ours, Purpose::Media);
    let sealed = URL_SAFE_NO_PAD.decode(&text).expect("a link");
    let last = sealed.len() - 1;
    let dead = Link {
        expires_at: 1,
        ..link()
    };
    let kinds = [
        ("good", text.clone()),
        (
            "expired",
            runtime.block_on(ours.seal(Purpose::Media, &dead)),
        ),
        ("version", flipped(&sealed, VERSION_AT)),
        ("key id", flipped(&sealed, KEY_AT)),
        ("another key", seal(&theirs, Purpose::Media)),
        ("another purpose", seal(&ours, Purpose::Slideshow)),
        ("nonce", flipped(&sealed, NONCE_AT)),
        ("first byte of the claims", flipped(&sealed, CLAIMS_AT)),
        ("middle of the claims", flipped(&sealed, last / 2)),
        ("first byte of the tag", flipped(&sealed, last - 15)),
        ("last byte of the tag", flipped(&sealed, last)),
        // These differ in what anybody sees: their length, and whether they are base64url at all.
        ("a byte less", URL_SAFE_NO_PAD.encode(&sealed[..last])),
        ("half of it", URL_SAFE_NO_PAD.encode(&sealed[..last / 2])),
        ("not base64url", format!("{}*", &text[..text.len() - 1])),
    ];
    let mut times = kinds.each_ref().map(|_| Vec::with_capacity(ROUNDS));
    for _ in 0..ROUNDS {
        for ((_, text), times) in kinds.iter().zip(&mut times) {
            let begin = Instant::now();
            let opened = ours.open(Purpose::Media, black_box(text)).now_or_never();
            times.push(begin.elapsed());
            black_box(&opened);
        }
    }
    let mut medians = Vec::with_capacity(kinds.len());
    for ((name, _), mut times) in kinds.iter().zip(times) {
        times.sort_unstable();
        println!("{name}: {} ns", times[ROUNDS / 2].as_nanos());
        medians.push(times[ROUNDS / 2]);
    }
    let refused = &medians[REFUSED];
    let apart = refused.iter().max().zip(refused.iter().min());
    let apart = apart.map_or(Duration::ZERO, |(most, least)| most.abs_diff(*least));
    println!(
        "refusals of links of full length: {} ns apart",
        apart.as_nanos()
    );
    if apart > MOST_APART {
        println!(
            "that is more than {} ns: times tell what is wrong with a link",
            MOST_APART.as_nanos()
        );
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
