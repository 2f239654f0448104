//! `serverrs info`: what a post is, and what can be had of it.

use std::fmt::Write as _;
use std::process::ExitCode;

use indicatif::HumanBytes;

use super::exit::{Exit, Failure};
use super::text::{plain, plain_json, table};
use super::{complain, desk, put};
use crate::app::App;
use crate::extract::{DynamicRange, Format};
use crate::http::offline::{self, Answer, Asked};
use crate::services::Entry;

/// What to tell, and how.
#[derive(Debug, clap::Args)]
pub(super) struct Info {
    /// Address of a post, or a text that holds one
    url: String,
    /// Print the answer of `POST /resolve`. Its links work where a server with the same `ENCRYPTION_KEY` answers at
    /// `BASE_URL`
    #[arg(long)]
    json: bool,
    /// Write the log to standard error, as `RUST_LOG` or `LOG_LEVEL` wants it
    #[arg(short, long)]
    verbose: bool,
}

/// Resolves the address and prints what is known.
pub(super) fn run(info: &Info) -> ExitCode {
    desk::run(info.verbose, "stopped", async |app| {
        match tell(&app, info).await {
            Ok(text) => put(text.as_bytes()),
            Err(failure) => {
                complain(&failure.message);
                failure.exit
            }
        }
    })
}

async fn tell(app: &App, info: &Info) -> Result<String, Failure> {
    let answer = offline::resolve(app, &Asked::of(&info.url)).await?;
    if !info.json {
        return Ok(page(&answer));
    }
    let body = serde_json::to_string(&answer.body(&app.base_url));
    let body = body.map_err(|error| Failure::new(Exit::Software, error.to_string()))?;
    Ok(format!("{}\n", plain_json(&body)))
}

fn page(answer: &Answer) -> String {
    let extraction = &answer.extraction;
    let author = &extraction.author;
    let facts = [
        ("title", plain(&extraction.title)),
        (
            "author",
            plain(&format!("{} @{}", author.name, author.handle)),
        ),
        ("length", length(extraction.duration_ms)),
        ("page", plain(&extraction.url)),
    ];
    let facts = facts.into_iter().filter(|(_, value)| !value.is_empty());
    let facts: Vec<_> = facts
        .map(|(name, value)| vec![name.to_owned(), value])
        .collect();
    let formats = table(&formats(&answer.offers.entries), RIGHT);
    let picks = &answer.offers.picks;
    let made = [("mp3", &picks.sound), ("zip", &picks.archive)];
    let made = made.into_iter().filter(|(_, token)| token.is_some());
    let made: Vec<_> = made.map(|(name, _)| name).collect();
    let mut page = format!("{}\n{formats}", table(&facts, &[]));
    if !made.is_empty() {
        let _ = writeln!(page, "\nand made of it: {}", made.join(", "));
    }
    page
}

/// Columns of numbers.
const RIGHT: &[usize] = &[4, 7, 8];

fn formats(entries: &[Entry]) -> Vec<Vec<String>> {
    let head = [
        "ID", "WHAT", "EXT", "SIZE", "FPS", "VIDEO", "AUDIO", "KBIT/S", "BYTES", "NOTE",
    ];
    let head = head.map(str::to_owned).to_vec();
    std::iter::once(head)
        .chain(entries.iter().map(row))
        .collect()
}

fn row(entry: &Entry) -> Vec<String> {
    let format = entry.format.as_ref();
    let image = entry.image.as_ref();
    let (width, height) = match (format, image) {
        (Some(format), _) => (format.width, format.height),
        (None, Some(image)) => (image.width, image.height),
        (None, None) => (None, None),
    };
    let size = width.zip(height);
    let or_nothing = |value: Option<String>| value.unwrap_or_default();
    // The name of a codec is what JSON calls it.
    let codec = |codec| {
        serde_json::to_value(codec)
            .ok()?
            .as_str()
            .map(str::to_owned)
    };
    vec![
        plain(&entry.format_id),
        plain(&entry.name),
        entry.extension.to_owned(),
        or_nothing(size.map(|(width, height)| format!("{width}x{height}"))),
        or_nothing(format.and_then(|format| Some(format.fps?.to_string()))),
        or_nothing(format.and_then(|format| codec(format.vcodec))),
        or_nothing(format.and_then(|format| codec(format.acodec))),
        or_nothing(format.and_then(|format| Some(format.bitrate_bps?.div_ceil(1000).to_string()))),
        or_nothing(format.and_then(bytes)),
        format.map(|format| note(entry, format)).unwrap_or_default(),
    ]
}

/// What the site or the joining says, or what is reckoned.
fn bytes(format: &Format) -> Option<String> {
    let exact = format.filesize.map(|bytes| HumanBytes(bytes).to_string());
    exact.or_else(|| Some(format!("~{}", HumanBytes(format.facts.filesize_approx?))))
}

fn note(entry: &Entry, format: &Format) -> String {
    let facts = &format.facts;
    let language = facts
        .audio
        .as_ref()
        .and_then(|track| track.language.as_deref());
    let range = facts
        .dynamic_range
        .filter(|range| *range != DynamicRange::Sdr);
    let notes = [
        format.is_watermarked.then_some("watermark"),
        entry.is_joined.then_some("joined"),
        range.map(DynamicRange::name),
        language,
    ];
    plain(&notes.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

/// `1:02:03`; empty when unknown.
fn length(ms: u64) -> String {
    let seconds = ms / 1000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, ms) {
        (_, 0) => String::new(),
        (0, _) => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_is_written_as_players_do() {
        assert_eq!(length(0), "");
        assert_eq!(length(39_000), "0:39");
        assert_eq!(length(3_723_999), "1:02:03");
    }
}
