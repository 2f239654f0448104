//! What commands that end by themselves stand on: everything of the server but its listener, and an ear for signals.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::exit::Exit;
use super::{complain, runtime};
use crate::app::{App, Settings};
use crate::config::Env;
use crate::lifecycle::Lifecycle;
use crate::task;
use crate::telemetry::{self, TelemetryConfig};

/// How long writing a piece may take after a signal; then it isn't waited for.
const LAST_WRITE: Duration = Duration::from_secs(2);
/// A reader of ours may pause as long as it likes: there is no other client who would want its place.
const READER_PATIENCE: Duration = Duration::from_secs(24 * 3600);
/// Signals that end a command.
const SIGNALS: [SignalKind; 3] = [
    SignalKind::hangup(),
    SignalKind::interrupt(),
    SignalKind::terminate(),
];

/// Reads the settings, builds the services, and does `work` until it is done or a signal comes. The log is written only
/// when `is_verbose`. `stopped` is told after a signal.
pub(super) fn run<W>(is_verbose: bool, stopped: &str, work: W) -> ExitCode
where
    W: AsyncFnOnce(Arc<App>) -> Exit,
{
    let mut env = Env::from_process();
    let telemetry = TelemetryConfig::from_env(&mut env);
    if is_verbose {
        telemetry::install(telemetry);
    }
    let settings = settings(&mut env);
    run_with(env, settings, stopped, work)
}

/// As [`run`], with settings that the caller has read from `env` and may have changed.
pub(super) fn run_with<W>(env: Env, settings: Settings, stopped: &str, work: W) -> ExitCode
where
    W: AsyncFnOnce(Arc<App>) -> Exit,
{
    if let Err(error) = env.finish() {
        complain(&error.to_string());
        return Exit::Config.into();
    }
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(exit) => return exit.into(),
    };
    let exit = runtime.block_on(attend(settings, stopped, work));
    runtime.shutdown_background();
    exit.into()
}

/// The server's settings, but for one reader on this machine.
fn settings(env: &mut Env) -> Settings {
    let mut settings = Settings::from_env(env);
    settings.transfer.client_stall = READER_PATIENCE;
    settings.transfer.client_min_rate = 0;
    // A server has a folder of its own to work in; a command is called anywhere.
    if env.text("TEMP_DIR").is_none()
        && let Some(cache) = cache_folder(env)
    {
        settings.temp.dir = cache;
    }
    settings
}

/// `$XDG_CACHE_HOME/serverrs`, else `~/.cache/serverrs`.
fn cache_folder(env: &mut Env) -> Option<PathBuf> {
    let base = env.text("XDG_CACHE_HOME").map(PathBuf::from);
    let base = base.filter(|base| base.is_absolute());
    let base = base.or_else(|| Some(Path::new(&env.text("HOME")?).join(".cache")))?;
    Some(base.join("serverrs"))
}

async fn attend<W>(mut settings: Settings, stopped: &str, work: W) -> Exit
where
    W: AsyncFnOnce(Arc<App>) -> Exit,
{
    // They are the server's, and so is their database.
    settings.broadcast.token = None;
    let lifecycle = Lifecycle::new();
    let (mut signalled, _ears) = match listen() {
        Ok(listening) => listening,
        Err(error) => {
            complain(&format!("signals: {error}"));
            return Exit::Software;
        }
    };
    let port = settings.server.port;
    let app = match App::new(settings, port, lifecycle.clone()) {
        Ok(app) => app,
        Err(error) => {
            complain(&error.to_string());
            return Exit::Software;
        }
    };
    let exit = tokio::select! {
        biased;
        Ok(signal) = signalled.wait_for(Option::is_some) => {
            complain(stopped);
            signal.unwrap_or(Exit::Failure)
        }
        exit = work(Arc::clone(&app)) => exit,
    };
    lifecycle.hard.cancel();
    if let Some(temp) = &app.temp {
        temp.close();
    }
    exit
}

/// The tasks that hear signals.
type Ears = Vec<AbortOnDropHandle<()>>;

/// Hears signals on a thread of its own, for the one that works may be held up by a pipe that nobody reads.
fn listen() -> std::io::Result<(watch::Receiver<Option<Exit>>, Ears)> {
    let (sender, receiver) = watch::channel(None);
    let mut ears = Ears::new();
    for kind in SIGNALS {
        let mut heard = signal(kind)?;
        let sender = sender.clone();
        ears.push(task::owned(async move {
            if heard.recv().await.is_none() {
                return;
            }
            let number = u8::try_from(kind.as_raw_value()).unwrap_or(0);
            let exit = Exit::Signal(number);
            sender.send_replace(Some(exit));
            tokio::time::sleep(LAST_WRITE).await;
            std::process::exit(exit.code().into());
        }));
    }
    Ok((receiver, ears))
}
