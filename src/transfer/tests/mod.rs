//! Transfers from a scripted upstream, on a clock that the tests move.

mod bench;
mod clients;
mod conditions;
mod fake;
mod faults;
mod opening;
mod parts;
mod ranges;
mod resume;
mod suffix;
mod tail;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use http_body::Body;
use http_body_util::BodyExt;
use tokio::time::Instant;

use self::bench::{Bench, Read, range, read};
use self::fake::{
    Act, Answer, Call, Ending, Fake, IDLE, PIECE, Refresh, SiteDown, TOTAL, file, reset, to_usize,
};
use super::{Ask, Expected, Outcome, Transfer, TransferBody, TransferConfig, TransferError};
use crate::net::{NetError, Phase, RangeAsk};

type Refused = TransferError<SiteDown>;

fn sound() -> Arc<Fake> {
    Arc::new(Fake::new(good))
}

fn if_range(header: &str, if_range: &str) -> Ask {
    Ask {
        if_range: Some(if_range.to_owned()),
        ..range(header)
    }
}

fn head(ask: Ask) -> Ask {
    Ask {
        is_head: true,
        ..ask
    }
}

async fn refusal(fake: Fake, ask: Ask) -> (Refused, Arc<Fake>, Bench) {
    let (fake, bench) = (Arc::new(fake), Bench::new());
    let refused = bench.start(&fake, ask).await.unwrap_err();
    assert_eq!(fake.open_bodies(), 0, "an upstream is still open");
    assert_eq!(bench.admission.active(), 0, "the permit is still held");
    assert_eq!(bench.engine.stats().refused, 1);
    (refused, fake, bench)
}

async fn refusal_of(answer: Answer) -> Refused {
    refusal(Fake::new(move |_| answer.clone()), Ask::default())
        .await
        .0
}

/// The first answer ends after `length` bytes so; what comes after is `rest`.
fn broken_once<A: Into<Act>>(
    length: usize,
    ending: Ending,
    rest: impl Fn(Call) -> A + Send + Sync + 'static,
) -> Fake {
    Fake::new(move |call| match call.index {
        0 => Answer::to(call.ask).cut(length, ending).into(),
        _ => rest(call).into(),
    })
}

fn good(call: Call) -> Answer {
    Answer::to(call.ask)
}

fn small_buffer() -> TransferConfig {
    TransferConfig {
        buffer_bytes: 4 * PIECE,
        ..TransferConfig::default()
    }
}

/// Lets every task run until all of them wait.
async fn settle() {
    tokio::time::sleep(Duration::from_nanos(1)).await;
}

/// Reads that many bytes.
async fn take(body: &mut TransferBody, length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < length {
        let frame = body.frame().await.unwrap().unwrap();
        bytes.extend_from_slice(&frame.into_data().unwrap());
    }
    bytes
}
