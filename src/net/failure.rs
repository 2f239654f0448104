//! Turns the library's errors into ours: by what the caller can do, and without any address in the text.

use std::error::Error;

use super::{GuardError, NetError, Phase};

/// Longest message kept of the library's.
const MAX_MESSAGE_CHARS: usize = 300;

/// What `error` means; `phase` is what was going on once the connection stood.
pub(super) fn classify(error: reqwest::Error, host: &str, phase: Phase) -> NetError {
    // The address may hold signatures; the library prints it unless told (reliability R4.4).
    let error = error.without_url();
    if let Some(refused) = refusal(&error) {
        return NetError::Guard(refused);
    }
    let host = host.to_owned();
    match (error.is_connect(), error.is_timeout()) {
        (true, true) => NetError::Timeout {
            host,
            phase: Phase::Connect,
        },
        (false, true) => NetError::Timeout { host, phase },
        (true, false) => NetError::Connect {
            host,
            message: message(&error),
        },
        (false, false) => NetError::Broken {
            host,
            message: message(&error),
        },
    }
}

/// The guard's word, when it is behind `error`.
pub(super) fn refusal(error: &(dyn Error + 'static)) -> Option<GuardError> {
    chain(error)
        .find_map(|cause| cause.downcast_ref::<GuardError>())
        .cloned()
}

/// Whether a limit of time is behind `error`.
pub(super) fn is_timeout(error: &(dyn Error + 'static)) -> bool {
    chain(error).any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::TimedOut)
    })
}

/// What `error` and its causes say, each new thing once.
pub(super) fn message(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    for cause in chain(error) {
        let said = cause.to_string();
        if !text.contains(&said) {
            text.push_str(if text.is_empty() { "" } else { ": " });
            text.push_str(&said);
        }
    }
    text.chars().take(MAX_MESSAGE_CHARS).collect()
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}
