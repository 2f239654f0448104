//! `GET /metrics`: figures for Prometheus. Read when asked for; nothing is counted here.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use tokio::runtime::Handle;

use crate::broadcast::Figures;
use crate::http::error::ApiError;
use crate::http::openapi::Anywhere;
use crate::http::{AppState, guard};
use crate::net::{EgressStatus, StoreStats, StoreStatus, VpnState, VpnStatus};
use crate::observe::{self, Page};
use crate::process;
use crate::protect::KeyDigest;
use crate::services::CacheStats;
use crate::transfer::{Admission, Stats};

/// The figures of the moment.
///
/// For whoever shows `METRICS_TOKEN` where it is set.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "metrics",
    tag = "operate",
    responses(
        (
            status = 200,
            description = "Figures as text for Prometheus",
            body = String,
            content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8",
        ),
        (status = 401, description = "A token is wanted", body = crate::http::openapi::ErrorBody),
        Anywhere,
    ),
    security((), ("bearer" = []))
)]
pub(in crate::http) async fn show(
    State(app): State<AppState>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    if let Some(token) = &app.metrics_token
        && !guard::bearer(&headers).is_some_and(|shown| KeyDigest::of(shown).matches(token))
    {
        return Err(ApiError::unauthorized(
            "The token for metrics is needed: send it as `Authorization: Bearer`",
        ));
    }
    let headers = [
        (
            CONTENT_TYPE,
            HeaderValue::from_static(observe::CONTENT_TYPE),
        ),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    let mut page = page(&app, app.resolver.cache_stats().await);
    if let Some(broadcasts) = &app.broadcasts {
        of_broadcasts(&mut page, &broadcasts.figures().await);
    }
    Ok((headers, page.finish()).into_response())
}

fn page(app: &AppState, cache: CacheStats) -> Page {
    let mut page = Page::new();
    of_process(&mut page);
    of_server(&mut page, app);
    app.requests.write(&mut page);
    of_sites(&mut page, app);
    of_cache(&mut page, cache);
    if let (Some(status), Some(stats)) = (app.resolver.shared_status(), app.resolver.shared_stats())
    {
        of_redis(&mut page, status, stats);
    }
    let egresses = app.resolver.egresses();
    of_egresses(&mut page, &egresses.status());
    if let Some(vpn) = egresses.vpn() {
        of_vpn(&mut page, vpn);
    }
    let beside = app.deliverer.jobs_beside();
    places(&mut page, "extraction", app.resolver.admission(), beside);
    places(&mut page, "stream", app.deliverer.admission(), 0);
    of_transfers(&mut page, &app.deliverer.stats());
    page
}

fn of_process(page: &mut Page) {
    let figures = [
        (
            "resident_memory_bytes",
            "Resident memory",
            process::memory().resident,
        ),
        (
            "open_fds",
            "Open file descriptors",
            process::descriptors().current,
        ),
        (
            "max_fds",
            "Most file descriptors that may be open",
            process::descriptors().soft_limit,
        ),
    ];
    for (name, help, value) in figures {
        if let Some(value) = value {
            page.process_gauge(name, help, value as f64);
        }
    }
}

fn of_server(page: &mut Page, app: &AppState) {
    page.gauges(
        ("build_info", "Always 1; the label says which version runs"),
        "version",
        [(env!("CARGO_PKG_VERSION"), 1.0)],
    );
    page.gauge(
        "uptime_seconds",
        "Time since the start",
        app.started.elapsed().as_secs_f64(),
    );
    page.gauge(
        "draining",
        "1 while the server comes to its end",
        f64::from(u8::from(app.lifecycle.is_draining())),
    );
    let tasks = Handle::current().metrics().num_alive_tasks();
    page.gauge("tasks", "Tasks that are alive", tasks as f64);
    if let Some(ffmpeg) = &app.ffmpeg {
        page.gauge(
            "ffmpeg_jobs",
            "Runs of FFmpeg that go on",
            ffmpeg.running() as f64,
        );
        page.gauge(
            "ffmpeg_waiting",
            "Jobs of FFmpeg that wait for a place",
            app.deliverer.jobs_waiting() as f64,
        );
    }
}

fn of_sites(page: &mut Page, app: &AppState) {
    let extractions = app.resolver.extractions();
    extractions.write(page);
    let sites = || app.resolver.extractors().iter();
    page.gauges(
        (
            "last_good_extraction_age_seconds",
            "Time since a site last gave something; absent until it has",
        ),
        "site",
        sites().filter_map(|site| {
            let age = extractions.state(site.site()).good_age?;
            Some((site.site(), age.as_secs_f64()))
        }),
    );
    page.gauges(
        (
            "cookie_file_age_seconds",
            "Time since the operator's cookie file for a site was written; absent without one",
        ),
        "site",
        sites().filter_map(|site| {
            let modified = site.operator_cookies()?.modified()?;
            let age = app.clock.now().duration_since(modified).unwrap_or_default();
            Some((site.site(), age.as_secs_f64()))
        }),
    );
}

fn of_cache(page: &mut Page, stats: CacheStats) {
    page.gauge(
        "cache_entries",
        "Extractions that are kept",
        stats.entries as f64,
    );
    page.counter("cache_hits", "Requests answered from the cache", stats.hits);
    page.counter("cache_misses", "Requests that asked a site", stats.misses);
}

fn of_redis(page: &mut Page, status: StoreStatus, stats: StoreStats) {
    page.gauge(
        "redis_up",
        "1 while Redis is asked; 0 while each instance works by itself",
        f64::from(u8::from(status == StoreStatus::Connected)),
    );
    page.counters(
        (
            "redis_calls",
            "Calls to Redis by what came of them; those that were away were not made",
        ),
        "result",
        [
            ("ok", stats.ok),
            ("away", stats.away),
            ("failed", stats.failed),
            ("refused", stats.refused),
        ],
    );
    page.counter(
        "redis_losses",
        "Times that Redis was given up after it had been well",
        stats.lost,
    );
}

/// What the only way out is called when it has no name.
const ONLY_EGRESS: &str = "default";

fn of_egresses(page: &mut Page, egresses: &[EgressStatus]) {
    fn name(egress: &EgressStatus) -> &str {
        egress.name.as_deref().unwrap_or(ONLY_EGRESS)
    }
    type Figure = fn(&EgressStatus) -> f64;
    let gauges: [(&str, &str, Figure); 3] = [
        (
            "egress_up",
            "1 while a way out may be taken; 0 while its VPN is down",
            |egress| f64::from(u8::from(egress.is_up)),
        ),
        (
            "egress_active",
            "Extractions that run through a way out",
            |egress| egress.active as f64,
        ),
        (
            "egress_benched_sites",
            "Sites that a way out is not taken for, because they turned it away",
            |egress| egress.benched.len() as f64,
        ),
    ];
    for (metric, help, figure) in gauges {
        let values = egresses.iter().map(|egress| (name(egress), figure(egress)));
        page.gauges((metric, help), "egress", values);
    }
    let values = |figure: fn(&EgressStatus) -> u64| {
        egresses
            .iter()
            .map(move |egress| (name(egress), figure(egress)))
    };
    page.counters(
        ("egress_uses", "Extractions that took a way out"),
        "egress",
        values(|egress| egress.uses),
    );
    page.counters(
        ("egress_blocks", "Times that a site turned a way out away"),
        "egress",
        values(|egress| egress.blocks),
    );
}

fn of_vpn(page: &mut Page, vpn: VpnStatus) {
    page.gauges(
        ("vpn", "1 for the state in which the VPN is"),
        "state",
        VpnState::ALL.map(|state| {
            let is_it = state == vpn.state;
            (state.as_str(), f64::from(u8::from(is_it)))
        }),
    );
    page.counters(
        (
            "vpn_reconnects",
            "Attempts to get another address by the VPN, by what came of them",
        ),
        "result",
        [("ok", vpn.reconnects.ok), ("failed", vpn.reconnects.failed)],
    );
}

/// The places, and how many work `beside` them.
fn places(page: &mut Page, what: &str, admission: &Admission, beside: usize) {
    let figures = [
        ("places", "Places there are for it", admission.max()),
        ("active", "Running now", admission.active() + beside),
        ("waiting", "Waiting for a place", admission.waiting()),
    ];
    for (name, help, value) in figures {
        page.gauge(&format!("{what}_{name}"), help, value as f64);
    }
}

fn of_broadcasts(page: &mut Page, figures: &Figures) {
    let states = figures.by_status.iter();
    page.gauges(
        ("broadcasts", "Broadcasts by where they stand"),
        "state",
        states.map(|(state, count)| (*state, *count as f64)),
    );
    page.gauge(
        "broadcast_children",
        "Programs that run for broadcasts",
        figures.children as f64,
    );
    let tally = figures.tally;
    page.counters(
        ("broadcast_items", "Items by what came of them"),
        "result",
        [
            ("ok", tally.played),
            ("skipped", tally.skipped),
            ("failed", tally.failed),
        ],
    );
    for (name, help, value) in [
        (
            "broadcast_reconnects",
            "Connections to targets after the first",
            tally.reconnects,
        ),
        (
            "broadcast_upstream_resumes",
            "Times that the upstream of an item was taken up again",
            tally.resumes,
        ),
        (
            "broadcast_sent_bytes",
            "Bytes sent to targets",
            tally.sent_bytes,
        ),
    ] {
        page.counter(name, help, value);
    }
    page.seconds(
        "broadcast_slate_seconds",
        "Media time of the slate that was sent",
        tally.slate,
    );
}

fn of_transfers(page: &mut Page, stats: &Stats) {
    let counters = [
        (
            "transfers_started",
            "Transfers whose first byte was there",
            stats.started,
        ),
        (
            "transfers_refused",
            "Transfers refused before their first byte",
            stats.refused,
        ),
        (
            "transfer_bytes",
            "Bytes of media handed to clients",
            stats.bytes,
        ),
        (
            "transfer_resumes",
            "Times that an upstream was taken up again in the middle",
            stats.resumes,
        ),
        (
            "transfer_refreshes",
            "Times that a site was asked anew because addresses had expired",
            stats.refreshes,
        ),
    ];
    for (name, help, value) in counters {
        page.counter(name, help, value);
    }
    page.counters(
        ("transfers_ended", "Transfers by how they ended"),
        "reason",
        stats
            .ended
            .iter()
            .map(|(outcome, count)| (outcome.as_str(), *count)),
    );
}
