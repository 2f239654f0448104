//! `serverrs get`: a post into a file, by the same services as the server's, without a listener.

mod part;
mod progress;
mod target;

use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use bytes::Bytes;
use http::StatusCode;
use http_body_util::BodyExt as _;

use super::exit::{Exit, Failure};
use super::pick::{self, Pick};
use super::{complain, desk, say};
use crate::app::App;
use crate::http::offline::{self, Asked, Refused};
use crate::services::{Delivered, Delivery};
use crate::transfer::{Ask, TransferBody};
use part::{Different, Part, Wanted};
use progress::Progress;
use target::{Place, Target, refuse_existing};

/// What the help says below the options.
pub(super) const NOTES: &str = "\
Without -f a video comes with its sound in the best quality that plays everywhere, a photo post as a \
ZIP of its pictures.

While it comes, the file is FILE.part, with a note of what it is in FILE.part.json; at the end it gets \
its name, never before all of it is there. A part that was left is gone on with when the site still \
has the very same file, else it is begun anew. The name of the finished file is printed on standard \
output.

Settings (cookies, PROXY, FFMPEG_PATH and others) are those of the server: the environment and `.env`.";

/// What to fetch, and where to.
#[derive(Debug, clap::Args)]
pub(super) struct Get {
    /// Address of a post, or a text that holds one
    url: String,
    /// File or folder to write to, `-` for standard output. Without it: `AUTHOR_ID.EXTENSION` in this folder
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// `mp3`, `zip`, `slideshow`, the id of a format as `info` lists it, or a selector such as `b[height<=720]`
    #[arg(short, long, value_name = "FORMAT")]
    format: Option<String>,
    /// Replace a file of that name
    #[arg(long)]
    force: bool,
    /// No progress on standard error
    #[arg(short, long)]
    quiet: bool,
    /// Write the log to standard error, as `RUST_LOG` or `LOG_LEVEL` wants it
    #[arg(short, long)]
    verbose: bool,
}

impl Get {
    /// What is said after a signal.
    fn farewell(&self) -> &'static str {
        if self.output.as_deref() == Some("-".as_ref()) {
            "stopped"
        } else {
            "stopped; what has come is kept, and the same command goes on with it"
        }
    }
}

/// Fetches it.
pub(super) fn run(get: &Get) -> ExitCode {
    desk::run(get.verbose, get.farewell(), async |app| {
        let mut progress = Progress::new(get.quiet, get.verbose);
        let fetched = fetch(&app, get, &mut progress).await;
        match fetched {
            Ok(file) => {
                progress.end();
                if let Some(file) = file {
                    say(&file.display().to_string());
                }
                Exit::Ok
            }
            Err(failure) => {
                progress.give_up();
                complain(&failure.message);
                failure.exit
            }
        }
    })
}

/// Returns the finished file, if it is one.
async fn fetch(app: &App, get: &Get, progress: &mut Progress) -> Result<Option<PathBuf>, Failure> {
    if let Some(path) = get.output.as_ref().filter(|path| path.is_file()) {
        refuse_existing(path, get.force)?;
    }
    progress.stage("asking the site");
    let answer = offline::resolve(app, &Asked::of(&get.url)).await?;
    let pick = pick::pick(&answer, get.format.as_deref())?;
    let post = &answer.extraction;
    let stem = offline::saved_stem(post, pick.number);
    let name = format!("{stem}.{}", pick.extension);
    let wanted = Wanted {
        site: &post.site,
        id: &post.id,
        format: &pick.format,
    };
    match Target::of(get.output.as_deref(), &name)? {
        Target::Stream(sink) => {
            stream(app, &pick, sink, progress).await?;
            Ok(None)
        }
        Target::File(place) => {
            refuse_existing(&place.path, get.force)?;
            let saved = save(app, &pick, wanted, &place, get.force, progress);
            Ok(Some(saved.await?))
        }
    }
}

async fn deliver(app: &App, pick: &Pick, ask: Ask) -> Result<Delivery, Refused> {
    match app.deliverer.deliver(&pick.token, ask).await {
        Ok(Delivered::Media(delivery)) => Ok(*delivery),
        // No pick is a text.
        Ok(Delivered::Text(_)) => Err(offline::format_not_found()),
        Err(error) => Err(offline::undelivered(error)),
    }
}

/// The next piece; `None` at the proven end.
async fn next(body: &mut TransferBody) -> Result<Option<Bytes>, Failure> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|broken| Failure::new(Exit::Temporary, broken.to_string()))?;
        if let Ok(piece) = frame.into_data() {
            return Ok(Some(piece));
        }
    }
    Ok(None)
}

async fn stream(
    app: &App,
    pick: &Pick,
    mut sink: Box<dyn Write>,
    progress: &mut Progress,
) -> Result<(), Failure> {
    let Delivery { mut transfer, .. } = deliver(app, pick, Ask::default()).await?;
    progress.begin(&pick.format, 0, transfer.head.total);
    while let Some(piece) = next(&mut transfer.body).await? {
        sink.write_all(&piece).map_err(|error| unwritten(&error))?;
        progress.advance(piece.len() as u64);
    }
    sink.flush().map_err(|error| unwritten(&error))
}

fn unwritten(error: &std::io::Error) -> Failure {
    let message = match error.kind() {
        ErrorKind::BrokenPipe => "output: the reader has closed it".to_owned(),
        _ => format!("output: {error}"),
    };
    Failure::new(Exit::Io, message)
}

async fn save(
    app: &App,
    pick: &Pick,
    wanted: Wanted<'_>,
    place: &Place,
    force: bool,
    progress: &mut Progress,
) -> Result<PathBuf, Failure> {
    let mut part = Part::open(&place.path)?;
    let mut delivery = match resume(app, pick, &part, wanted).await? {
        Some(delivery) => delivery,
        None => deliver(app, pick, Ask::default()).await?,
    };
    if fill(&mut part, &mut delivery, wanted, progress)
        .await?
        .is_err()
    {
        delivery = deliver(app, pick, Ask::default()).await?;
        // What is whole can't be different.
        let _ = fill(&mut part, &mut delivery, wanted, progress).await?;
    }
    let finished = place.finished(&offline::saved_extension(&delivery));
    part.finish(&finished, delivery.transfer.head.total, force)?;
    Ok(finished)
}

/// What goes on with the part; `None` when it must be begun anew.
async fn resume(
    app: &App,
    pick: &Pick,
    part: &Part,
    wanted: Wanted<'_>,
) -> Result<Option<Delivery>, Failure> {
    let Some(ask) = part.ask(wanted) else {
        return Ok(None);
    };
    match deliver(app, pick, ask).await {
        Ok(delivery) if part.fits(&delivery.transfer.head) => Ok(Some(delivery)),
        Ok(_) => Ok(None),
        // The file has become shorter than the part.
        Err(refused) if refused.status == StatusCode::RANGE_NOT_SATISFIABLE => Ok(None),
        Err(refused) => Err(refused.into()),
    }
}

/// Writes the body. The inner error: it isn't what was there before.
async fn fill(
    part: &mut Part,
    delivery: &mut Delivery,
    wanted: Wanted<'_>,
    progress: &mut Progress,
) -> Result<Result<(), Different>, Failure> {
    let transfer = &mut delivery.transfer;
    let from = part.prepare(wanted, &transfer.head)?;
    progress.begin(
        &part.path().display().to_string(),
        from,
        transfer.head.total,
    );
    loop {
        let piece = match next(&mut transfer.body).await {
            Ok(Some(piece)) => piece,
            Ok(None) => return Ok(Ok(())),
            Err(failure) => return Err(left(part, &failure)),
        };
        match part.add(&piece)? {
            Ok(new) => progress.advance(new),
            Err(different) => return Ok(Err(different)),
        }
    }
}

/// A transfer that broke off, and what is left of it.
fn left(part: &Part, failure: &Failure) -> Failure {
    let then = if part.is_resumable() {
        "the same command goes on with it"
    } else {
        "the same command begins anew"
    };
    let message = format!(
        "{}; {} bytes are in {}: {then}",
        failure.message,
        part.length(),
        part.path().display()
    );
    Failure::new(failure.exit, message)
}
