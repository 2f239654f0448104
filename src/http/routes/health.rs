//! `GET /health`: how this server is (api.md §9). Touches no network.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::ToSchema;

use super::ways::{self, Vpn, Way};
use crate::broadcast::{Figures, Status};
use crate::http::error::ApiError;
use crate::http::openapi::Anywhere;
use crate::http::{AppState, json};
use crate::media::abilities::Abilities;
use crate::net::StoreStatus;
use crate::process;
use crate::services::CacheStats;
use crate::transfer::{Admission, Stats};

#[derive(Serialize, ToSchema)]
struct Health {
    status: &'static str,
    /// What is missing: `ffmpeg` and `temp` (directory) for what they make, `redis`, `broadcasts` (their database) and
    /// `stream_temp` (what they fetch ahead) where they are allowed, `vpn` while it isn't known to run, `egress` while
    /// every way out is turned away by some site.
    degraded: Vec<&'static str>,
    time: f64,
    timestamp: f64,
    time_iso: String,
    ytdlp: &'static str,
    extractor: Extractors,
    /// Extractions and jobs of FFmpeg. Where `max` is 1, one job may run beside the one extraction: `active` is 2 then.
    workers: Places,
    streams: Places,
    queue: Queue,
    transfers: Transfers,
    memory: Memory,
    file_descriptors: Descriptors,
    redis: Redis,
    cache: Cache,
    /// `relaxed` when `ALLOW_PRIVATE_UPSTREAM` lets private addresses be dialled.
    guard: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    egresses: Option<Vec<Way>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vpn: Option<Vpn>,
    #[serde(skip_serializing_if = "Option::is_none")]
    broadcast: Option<OnAir>,
    ffmpeg: bool,
    instance_id: String,
    instance_region: String,
    port: u16,
    version: &'static str,
    uptime_seconds: u64,
}

#[derive(Serialize, ToSchema)]
struct Extractors {
    name: &'static str,
    version: &'static str,
    #[serde(flatten)]
    sites: BTreeMap<&'static str, &'static str>,
}

#[derive(Serialize, ToSchema)]
struct Places {
    max: usize,
    active: usize,
}

#[derive(Serialize, ToSchema)]
struct Queue {
    waiting: usize,
    max: usize,
}

/// What became of the answers with media since the start; the keys of `ended` are the words of the log.
#[derive(Serialize, ToSchema)]
struct Transfers {
    started: u64,
    refused: u64,
    bytes: u64,
    resumes: u64,
    refreshes: u64,
    ended: BTreeMap<&'static str, u64>,
}

#[derive(Serialize, ToSchema)]
struct Memory {
    rss: String,
    vms: String,
    percent: String,
    rss_bytes: u64,
}

#[derive(Serialize, ToSchema)]
struct Descriptors {
    current: i64,
    soft_limit: i64,
    hard_limit: i64,
}

/// What instances share (api.md §9).
#[derive(Serialize, ToSchema)]
struct Redis {
    status: &'static str,
    caching_enabled: bool,
}

#[derive(Serialize, ToSchema)]
struct Cache {
    entries: u64,
    hits: u64,
    misses: u64,
}

/// Broadcasts, where they are allowed.
#[derive(Serialize, ToSchema)]
struct OnAir {
    /// On air, or about to be, or about to end.
    running: u64,
    /// Whose target is away.
    reconnecting: u64,
    /// Whose last run ended by a fault.
    failed: u64,
    /// Programs that run for them.
    children: usize,
}

/// How this server is; 503 while it drains.
#[utoipa::path(
    get,
    path = "/health",
    operation_id = "health",
    tag = "operate",
    responses(
        (status = 200, description = "It serves", body = Health),
        (status = 503, description = "It drains", body = Health),
        Anywhere,
    )
)]
pub(in crate::http) async fn show(State(app): State<AppState>) -> Result<Response, ApiError> {
    let abilities = abilities(&app).await;
    let figures = match &app.broadcasts {
        Some(broadcasts) => Some(broadcasts.figures().await),
        None => None,
    };
    let cache = app.resolver.cache_stats().await;
    // Asked once, so that the status and the body say the same.
    let is_draining = app.lifecycle.is_draining();
    let health = look(&app, abilities, cache, (is_draining, figures.as_ref()));
    let answer = json::no_store(&health)?;
    if is_draining {
        return Ok((StatusCode::SERVICE_UNAVAILABLE, answer).into_response());
    }
    Ok(answer)
}

/// What FFmpeg can do here; known from a moment after the start.
async fn abilities(app: &AppState) -> Abilities {
    match &app.ffmpeg {
        Some(ffmpeg) => ffmpeg.abilities().await,
        None => Abilities::default(),
    }
}

fn look(
    app: &AppState,
    abilities: Abilities,
    cache: CacheStats,
    (is_draining, figures): (bool, Option<&Figures>),
) -> Health {
    let now = app.clock.unix();
    let streams = app.deliverer.admission();
    let extractions = app.resolver.admission();
    Health {
        status: if is_draining { "draining" } else { "ok" },
        degraded: degraded(app, abilities, figures),
        time: now.as_secs_f64(),
        timestamp: now.as_secs_f64(),
        time_iso: OffsetDateTime::from(app.clock.now())
            .format(&Rfc3339)
            .unwrap_or_default(),
        ytdlp: newest(app),
        extractor: extractors(app),
        workers: places(extractions, app.deliverer.jobs_beside()),
        streams: places(streams, 0),
        queue: Queue {
            waiting: extractions.waiting() + streams.waiting() + app.deliverer.jobs_waiting(),
            max: app.max_queue,
        },
        transfers: transfers(&app.deliverer.stats()),
        memory: memory(),
        file_descriptors: descriptors(),
        redis: redis(app),
        cache: Cache {
            entries: cache.entries,
            hits: cache.hits,
            misses: cache.misses,
        },
        guard: if app.resolver.is_guard_relaxed() {
            "relaxed"
        } else {
            "strict"
        },
        egresses: ways::ways(app),
        vpn: ways::vpn(app),
        broadcast: figures.map(on_air),
        ffmpeg: abilities.any(),
        instance_id: app.server.instance_id.clone(),
        instance_region: app.server.instance_region.clone(),
        port: app.port,
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: app.started.elapsed().as_secs(),
    }
}

fn redis(app: &AppState) -> Redis {
    let status = app.resolver.shared_status();
    Redis {
        status: status.unwrap_or(StoreStatus::Disconnected).as_str(),
        caching_enabled: status.is_some(),
    }
}

/// Parts that are missing, with what they would be needed for.
fn degraded(app: &AppState, abilities: Abilities, figures: Option<&Figures>) -> Vec<&'static str> {
    let status = app.resolver.shared_status();
    let has_broadcasts = app.broadcast.token.is_some();
    let parts = [
        ("ffmpeg", abilities == Abilities::ALL),
        ("temp", app.temp.is_some()),
        (
            "redis",
            status.is_none_or(|status| status == StoreStatus::Connected),
        ),
        (
            "broadcasts",
            !has_broadcasts || figures.is_some_and(|figures| figures.is_database_well),
        ),
        ("stream_temp", !has_broadcasts || app.shelves.is_some()),
    ];
    let missing = parts.into_iter().filter(|(_, is_there)| !is_there);
    let missing = missing.map(|(name, _)| name);
    missing.chain(ways::degraded(app)).collect()
}

/// The newest of the extractors' dates: monitors of ServerPY parse one here.
fn newest(app: &AppState) -> &'static str {
    let extractors = app.resolver.extractors().iter();
    extractors.map(|site| site.version()).max().unwrap_or("")
}

fn extractors(app: &AppState) -> Extractors {
    let sites = app.resolver.extractors().iter();
    Extractors {
        name: "native",
        version: newest(app),
        sites: sites.map(|site| (site.site(), site.version())).collect(),
    }
}

fn on_air(figures: &Figures) -> OnAir {
    let count = |states: &[Status]| {
        let counts = states.iter().map(|state| figures.by_status[state.as_str()]);
        counts.sum()
    };
    OnAir {
        running: count(&[Status::Starting, Status::Running, Status::Stopping]),
        reconnecting: count(&[Status::Reconnecting]),
        failed: count(&[Status::Failed]),
        children: figures.children,
    }
}

/// The places, and how many work `beside` them.
fn places(admission: &Admission, beside: usize) -> Places {
    Places {
        max: admission.max(),
        active: admission.active() + beside,
    }
}

fn transfers(stats: &Stats) -> Transfers {
    let ended = stats.ended.iter();
    Transfers {
        started: stats.started,
        refused: stats.refused,
        bytes: stats.bytes,
        resumes: stats.resumes,
        refreshes: stats.refreshes,
        ended: ended
            .map(|(outcome, count)| (outcome.as_str(), *count))
            .collect(),
    }
}

fn memory() -> Memory {
    let memory = process::memory();
    let resident = memory.resident.unwrap_or(0);
    let share = match memory.total {
        Some(total) if total > 0 => resident as f64 / total as f64 * 100.0,
        _ => 0.0,
    };
    Memory {
        rss: mebibytes(resident),
        vms: mebibytes(memory.address_space.unwrap_or(0)),
        percent: format!("{share:.2}%"),
        rss_bytes: resident,
    }
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.2} MB", bytes as f64 / 1_048_576.0)
}

fn descriptors() -> Descriptors {
    let descriptors = process::descriptors();
    let known = |value: Option<u64>| {
        value
            .and_then(|value| i64::try_from(value).ok())
            .unwrap_or(-1)
    };
    Descriptors {
        current: known(descriptors.current),
        soft_limit: known(descriptors.soft_limit),
        hard_limit: known(descriptors.hard_limit),
    }
}
