//! The log: one subscriber, set once by `main`, writing to standard error.

use std::fmt::Debug;
use std::io::IsTerminal;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::config::Env;

/// Accepted levels.
const LEVELS: &str = "trace, debug, info, warn, error and off";
/// Libraries whose names may stand in `RUST_LOG` without a level.
const LIBRARIES: [&str; 10] = [
    "axum",
    "h2",
    "hyper",
    "hyper_util",
    "mio",
    "reqwest",
    "rustls",
    "tokio",
    "tower",
    "tower_http",
];

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people; coloured on a terminal.
    Text,
    /// One JSON object per line, and nothing else on standard error or output. Only faults in the settings, with which
    /// nothing starts (exit code 78), are told as text: for them the log may not have been set up.
    Json,
}

impl FromStr for LogFormat {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.to_ascii_lowercase().as_str() {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("must be text or json"),
        }
    }
}

/// What is logged, and how.
#[derive(Debug)]
pub struct TelemetryConfig {
    /// `RUST_LOG` (a full filter), else `LOG_LEVEL` (info). A level without a name is for our own code, and at most
    /// `info` for libraries, which at `debug` print headers and addresses, secrets among them.
    pub filter: EnvFilter,
    /// `LOG_FORMAT`: `text` (default) or `json`.
    pub format: LogFormat,
}

impl TelemetryConfig {
    /// Reads `RUST_LOG`, `LOG_LEVEL` and `LOG_FORMAT`; faults are noted in `env`.
    pub fn from_env(env: &mut Env) -> Self {
        let full = env.text("RUST_LOG");
        let level = level(env);
        Self {
            filter: full.map_or_else(
                || filter_for(level),
                |directives| parse_filter(env, &directives, level),
            ),
            format: env.parse("LOG_FORMAT", LogFormat::Text),
        }
    }
}

/// Reads `LOG_LEVEL`. The words of Python's `logging` count too, so that settings of older servers go on.
fn level(env: &mut Env) -> LevelFilter {
    const DEFAULT: LevelFilter = LevelFilter::INFO;
    let Some(text) = env.text("LOG_LEVEL") else {
        return DEFAULT;
    };
    match text.to_ascii_lowercase().as_str() {
        "warning" => LevelFilter::WARN,
        "critical" => LevelFilter::ERROR,
        word => word.parse().unwrap_or_else(|_| {
            env.fault(
                "LOG_LEVEL",
                format_args!("`{text}`: must be one of {LEVELS}"),
            );
            DEFAULT
        }),
    }
}

fn filter_for(level: LevelFilter) -> EnvFilter {
    EnvFilter::new(directives_for(level))
}

fn directives_for(level: LevelFilter) -> String {
    let libraries = level.min(LevelFilter::INFO);
    format!("{libraries},{}={level}", env!("CARGO_CRATE_NAME"))
}

/// A word that is neither a level nor the name of anything that logs: as a filter it would let nothing through.
fn unknown_word(directives: &str) -> Option<&str> {
    let is_known = |word: &str| {
        let name = word.split([':', '[']).next().unwrap_or_default();
        word.parse::<LevelFilter>().is_ok()
            || ["", env!("CARGO_CRATE_NAME")].contains(&name)
            || LIBRARIES.contains(&name)
    };
    let mut words = directives.split(',').map(str::trim);
    words.find(|word| !word.is_empty() && !word.contains('=') && !is_known(word))
}

/// The directives with what a level without a name stands for; first, so that those with a name count more.
fn spelled_out(directives: &str) -> String {
    let bare = |part: &str| (!part.is_empty()).then(|| part.parse().ok()).flatten();
    let parts = || directives.split(',').map(str::trim);
    let level: Option<LevelFilter> = parts().filter_map(bare).next_back();
    let named = parts()
        .filter(|part| bare(part).is_none())
        .map(str::to_owned);
    let all: Vec<String> = level.map(directives_for).into_iter().chain(named).collect();
    all.join(",")
}

fn parse_filter(env: &mut Env, directives: &str, fallback: LevelFilter) -> EnvFilter {
    if let Some(word) = unknown_word(directives) {
        env.fault(
            "RUST_LOG",
            format_args!(
                "`{word}`: must be one of {LEVELS}, or NAME=LEVEL such as `serverrs::transfer=debug`, by comma"
            ),
        );
        return filter_for(fallback);
    }
    EnvFilter::builder()
        .parse(spelled_out(directives))
        .unwrap_or_else(|error| {
            env.fault("RUST_LOG", format_args!("`{directives}`: {error}"));
            filter_for(fallback)
        })
}

/// Starts the log for the whole process; a log that runs already stays.
pub fn install(config: TelemetryConfig) {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(config.filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    // Fails only when the program around this library has a log of its own.
    let _ = match config.format {
        LogFormat::Text => builder.finish().try_init(),
        LogFormat::Json => {
            // What a panic says is a line of the log, too.
            std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "panicked")));
            builder
                .json()
                // The current span alone says everything: no other lies around it.
                .with_span_list(false)
                .finish()
                .try_init()
        }
    };
}

/// What this program logs while a command looks on, in place of a log.
#[derive(Debug, Clone, Default)]
pub struct Collected(Arc<Mutex<Vec<Noted>>>);

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    /// Whether it calls for somebody to act.
    pub is_warning: bool,
    /// The message.
    pub message: String,
    /// The fields, as `name=value`.
    pub fields: Vec<String>,
}

/// Collects what this program logs from now on, up to `debug`.
pub fn collect() -> Collected {
    let collected = Collected::default();
    let ours = Targets::new().with_target(env!("CARGO_CRATE_NAME"), LevelFilter::DEBUG);
    let layer = collected.clone().with_filter(ours);
    // As in `install`.
    let _ = tracing_subscriber::registry().with(layer).try_init();
    collected
}

impl Collected {
    /// What came since the last call.
    pub fn take(&self) -> Vec<Noted> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<S: Subscriber> Layer<S> for Collected {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut noted = Noted {
            is_warning: *event.metadata().level() <= Level::WARN,
            message: String::new(),
            fields: Vec::new(),
        };
        event.record(&mut noted);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(noted);
    }
}

impl Visit for Noted {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            name => self.fields.push(format!("{name}={value:?}")),
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> (TelemetryConfig, Vec<String>) {
        let mut env = Env::from_pairs(pairs.iter().copied());
        let config = TelemetryConfig::from_env(&mut env);
        let faults = match env.finish() {
            Ok(()) => Vec::new(),
            Err(error) => error.faults.into_iter().map(|fault| fault.name).collect(),
        };
        (config, faults)
    }

    fn directives(pairs: &[(&str, &str)]) -> Vec<String> {
        let (config, faults) = read(pairs);
        assert!(faults.is_empty(), "{faults:?}");
        let text = config.filter.to_string();
        let mut parts: Vec<String> = text.split(',').map(str::to_owned).collect();
        parts.sort();
        parts
    }

    #[test]
    fn level_applies_to_us_and_info_at_most_to_libraries() {
        assert_eq!(directives(&[]), ["info", "serverrs=info"]);
        let debug = directives(&[("LOG_LEVEL", "DEBUG")]);
        assert_eq!(debug, ["info", "serverrs=debug"]);
        let error = directives(&[("LOG_LEVEL", "error")]);
        assert_eq!(error, ["error", "serverrs=error"]);
    }

    #[test]
    fn words_of_pythons_levels_count() {
        let warning = directives(&[("LOG_LEVEL", "WARNING")]);
        assert_eq!(warning, ["serverrs=warn", "warn"]);
        let critical = directives(&[("LOG_LEVEL", "CRITICAL")]);
        assert_eq!(critical, ["error", "serverrs=error"]);
    }

    #[test]
    fn word_that_would_silence_the_log_is_a_fault_with_the_accepted_ones() {
        let faults = |value| Env::read_pairs(&[("RUST_LOG", value)], TelemetryConfig::from_env).1;
        for wrong in ["inof", "info,inof", "WARNING", "serverr", "serverr::net"] {
            let told = faults(wrong);
            assert_eq!(told.len(), 1, "{wrong}: {told:?}");
            assert!(told[0].contains("trace, debug, info, warn, error and off"));
        }
        for good in [
            "serverrs",
            "serverrs::transfer",
            "hyper",
            "INFO",
            "off",
            "3",
            "other=debug, ,warn",
            "serverrs[request]=debug",
        ] {
            assert_eq!(faults(good), Vec::<String>::new(), "{good}");
        }
    }

    #[test]
    fn rust_log_wins_over_log_level() {
        let both = directives(&[("RUST_LOG", "warn,serverrs=trace"), ("LOG_LEVEL", "error")]);
        assert_eq!(both, ["serverrs=trace", "warn"]);
        let turned = directives(&[("RUST_LOG", "serverrs=trace, warn")]);
        assert_eq!(turned, ["serverrs=trace", "warn"]);
    }

    #[test]
    fn rust_log_without_a_name_leaves_libraries_at_info() {
        let all = directives(&[("RUST_LOG", "trace")]);
        assert_eq!(all, ["info", "serverrs=trace"]);
        let asked_for = directives(&[("RUST_LOG", "debug,hyper=trace")]);
        assert_eq!(asked_for, ["hyper=trace", "info", "serverrs=debug"]);
    }

    #[test]
    fn bad_values_are_faults_and_defaults_hold() {
        let (config, faults) = read(&[
            ("RUST_LOG", "serverrs=loud"),
            ("LOG_LEVEL", "loud"),
            ("LOG_FORMAT", "xml"),
        ]);
        assert_eq!(faults, ["LOG_LEVEL", "RUST_LOG", "LOG_FORMAT"]);
        assert_eq!(config.format, LogFormat::Text);
    }

    #[test]
    fn json_is_recognised() {
        assert_eq!(read(&[("LOG_FORMAT", "JSON")]).0.format, LogFormat::Json);
    }
}
