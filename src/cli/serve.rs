//! `serverrs serve`: the server itself.

use std::net::SocketAddr;
use std::process::ExitCode;

use tracing::{error, info};

use super::exit::Exit;
use super::{complain, runtime, say};
use crate::app::{App, Settings};
use crate::config::Env;
use crate::lifecycle::{self, Lifecycle};
use crate::server::{self, Server};
use crate::telemetry::{self, LogFormat};
use crate::{http, process};

/// Reads the environment, listens, and serves until told to stop.
pub(super) fn run() -> ExitCode {
    let mut env = Env::from_process();
    let telemetry = telemetry::TelemetryConfig::from_env(&mut env);
    let format = telemetry.format;
    // Before the other settings are read: some of them have warnings.
    telemetry::install(telemetry);
    let settings = Settings::from_env(&mut env);
    if let Err(error) = env.finish() {
        complain(&error.to_string());
        return Exit::Config.into();
    }
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(exit) => return exit.into(),
    };
    let served = runtime.block_on(serve(settings, format));
    // What still blocks a thread, such as a name look-up, must not hold up the end of the process.
    runtime.shutdown_background();
    match served {
        Ok(code) => code,
        Err(error) => {
            match format {
                LogFormat::Text => complain(&error),
                LogFormat::Json => error!(err = error, "the server can't run"),
            }
            ExitCode::FAILURE
        }
    }
}

async fn serve(settings: Settings, format: LogFormat) -> Result<ExitCode, String> {
    process::raise_descriptor_limit(settings.services.max_streams);
    let wanted = settings.server.address();
    let listen = |error| format!("listen on {wanted}: {error}; HOST and PORT say where");
    let listener = server::bind(wanted).map_err(listen)?;
    let address = listener.local_addr().map_err(listen)?;
    let lifecycle = Lifecycle::new();
    let config = settings.server.clone();
    let app =
        App::new(settings, address.port(), lifecycle.clone()).map_err(|error| error.to_string())?;
    // Before anybody is told that it listens: a signal from here on is obeyed, not fatal.
    let signals = lifecycle::signals().map_err(|error| format!("signals: {error}"))?;
    let scheme = config.scheme();
    // Programs that read the log read standard output, too.
    if format == LogFormat::Text {
        announce(scheme, address, &app.base_url);
    }
    info!(%address, scheme, version = env!("CARGO_PKG_VERSION"), "listening");
    // What a server before this one left running costs processor time, and is of no use to anybody.
    lifecycle.spawn(async {
        let _ = tokio::task::spawn_blocking(process::end_orphans).await;
    });
    let temps = [app.temp.clone(), app.shelves.clone()];
    let broadcasts = app.broadcasts.clone();
    let server = Server::new(config, http::router(app), lifecycle);
    let outcome = server.run(listener, signals).await;
    if let Some(broadcasts) = broadcasts {
        broadcasts.flush().await;
    }
    for temp in temps.into_iter().flatten() {
        temp.close();
    }
    Ok(ExitCode::from(outcome.exit_code()))
}

/// What a person at a terminal wants to know.
fn announce(scheme: &str, address: SocketAddr, base_url: &str) {
    say(&format!(
        "serverrs {} listening on {scheme}://{address}",
        env!("CARGO_PKG_VERSION")
    ));
    say(&format!(
        "try: curl -s {base_url}/tiktok -H 'Content-Type: application/json' -d '{{\"url\":\"https://www.tiktok.com/@user/video/ID\"}}'"
    ));
}
