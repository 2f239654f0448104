//! `GET /broadcasts/{id}/logs`: the newest rows, or all that come, as server-sent events.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::response::Response;
use futures_util::{Stream, StreamExt, stream};
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;
use tokio::time::timeout;

use super::described::{BroadcastLogs, LogLevelName, OfFollowing};
use super::{Id, broadcasts, records};
use crate::broadcast::{Broadcasts, Follower, LogLevel, LogQuery, LogRow, Notice};
use crate::http::error::ApiError;
use crate::http::{AppState, fields, json as answer};

const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
const LAST_EVENT_ID: &str = "last-event-id";
/// How long a stream of events may say nothing.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// What it says then: a comment, which clients take for nothing.
const PING: &[u8] = b": ping\n\n";
/// Rows when the client names no limit.
const DEFAULT_LIMIT: usize = 20;
/// Most rows of one answer: all that are kept.
const MAX_LIMIT: usize = 5000;

/// What is asked for.
struct Wish {
    query: LogQuery,
    follows: bool,
}

impl Wish {
    fn read(query: &str, headers: &HeaderMap) -> Result<Self, ApiError> {
        let accepts = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
        let seen = headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok());
        let mut wish = Self {
            query: LogQuery {
                level: LogLevel::Debug,
                limit: DEFAULT_LIMIT,
                before: None,
                after: seen.and_then(|id| id.trim().parse().ok()),
            },
            follows: accepts.is_some_and(|types| types.contains("text/event-stream")),
        };
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "level" => {
                    let level = LogLevel::read(&value).ok_or_else(|| {
                        ApiError::invalid("query", "level", "debug, info, warn or error")
                    })?;
                    wish.query.level = level;
                }
                "limit" => wish.query.limit = records::limit(&value, MAX_LIMIT)?,
                "before" => {
                    let id = value.parse().ok();
                    let id =
                        id.ok_or_else(|| ApiError::invalid("query", "before", "the id of a row"))?;
                    wish.query.before = Some(id);
                }
                "follow" => wish.follows |= matches!(value.as_ref(), "1" | "true"),
                _ => {}
            }
        }
        Ok(wish)
    }
}

/// Shows rows of the log, newest first, or follows it.
#[utoipa::path(
    get,
    path = "/broadcasts/{id}/logs",
    operation_id = "broadcastLogs",
    tag = "broadcasts",
    params(
        Id,
        ("level" = inline(Option<LogLevelName>), Query, description = "Only rows that matter so much"),
        ("limit" = Option<u64>, Query, description = "Most rows, 20 when left out", minimum = 1),
        ("before" = Option<i64>, Query, description = "Only rows older than the one with this id"),
        ("follow" = Option<bool>, Query, description = "Rows as they come, as server-sent events; `Accept: text/event-stream` says the same"),
        ("Last-Event-ID" = Option<String>, Header, description = "When following: the last row that was seen; later ones come first"),
    ),
    responses(
        (status = 200, description = "Rows; or events `log` with a row each, whose id is that of the row, and `lagged`", content((BroadcastLogs = "application/json"), (String = "text/event-stream"))),
        OfFollowing,
    ),
    security(("broadcast_token" = []))
)]
pub(super) async fn show(
    State(app): State<AppState>,
    Id(id): Id,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Wish { mut query, follows } = Wish::read(&query.unwrap_or_default(), &headers)?;
    let broadcasts = broadcasts(&app)?;
    if !follows {
        query.after = None;
        let rows = broadcasts.logs(&id, query).await?;
        return answer::no_store(&json!({ "logs": rows }));
    }
    // First the news, so that nothing is lost between them and the rows.
    let follower = broadcasts.follow(&id).await?;
    let missed = match query.after {
        Some(_) => {
            query.limit = MAX_LIMIT;
            broadcasts.logs(&id, query).await?
        }
        None => Vec::new(),
    };
    let told = missed.last().map_or(0, |row| row.id);
    let following = Following {
        waiting: missed.iter().map(log_event).collect(),
        follower,
        level: query.level,
        told,
    };
    Ok(events(following.pieces()))
}

/// States, items and figures as they come.
#[utoipa::path(
    get,
    path = "/broadcasts/{id}/events",
    operation_id = "broadcastEvents",
    tag = "broadcasts",
    params(
        Id,
        ("stats_interval" = Option<u64>, Query, description = "Seconds from one `stats` to the next, 2 when left out", minimum = 1, maximum = 60),
    ),
    responses(
        (status = 200, description = "Events `state`, `item`, `stats` (what `/status` says) and `lagged`, as they come", body = String, content_type = "text/event-stream"),
        OfFollowing,
    ),
    security(("broadcast_token" = []))
)]
pub(super) async fn events_of(
    State(app): State<AppState>,
    Id(id): Id,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let seconds = match fields::in_query(&query.unwrap_or_default(), "stats_interval") {
        Some(value) => value
            .parse()
            .ok()
            .filter(|seconds| (1..=60).contains(seconds)),
        None => Some(2),
    };
    let wanted = || ApiError::invalid("query", "stats_interval", "1 to 60");
    let every = Duration::from_secs(seconds.ok_or_else(wanted)?);
    let broadcasts = broadcasts(&app)?.clone();
    let watching = Watching {
        follower: broadcasts.follow(&id).await?,
        ticks: tokio::time::interval(every),
        broadcasts,
        id,
    };
    Ok(events(watching.pieces()))
}

struct Watching {
    broadcasts: Broadcasts,
    id: String,
    follower: Follower,
    ticks: tokio::time::Interval,
}

impl Watching {
    fn pieces(self) -> impl Stream<Item = Bytes> {
        stream::unfold(self, |mut watching| async move {
            Some((watching.next().await?, watching))
        })
    }

    /// The next event; `None` when there are no more.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            let news = tokio::select! {
                news = self.follower.next() => news?,
                _ = self.ticks.tick() => {
                    let status = self.broadcasts.status(&self.id).await.ok()?;
                    return Some(event("stats", None, &status));
                }
            };
            match news {
                Err(lost) => return Some(event("lagged", None, &json!({ "skipped": lost }))),
                Ok(notice) => match &*notice {
                    Notice::State(state) => return Some(event("state", None, state)),
                    Notice::Item(item) => return Some(event("item", None, item)),
                    Notice::Log(_) => {}
                },
            }
        }
    }
}

/// An answer of server-sent events (HTML Living Standard §9.2), with a comment wherever nothing comes for a while: both
/// ends, and whoever is between, see that the other is there.
fn events(pieces: impl Stream<Item = Bytes> + Send + 'static) -> Response {
    let kept_alive = stream::unfold(Box::pin(pieces), |mut pieces| async move {
        let piece = match timeout(KEEP_ALIVE, pieces.next()).await {
            Ok(piece) => piece?,
            Err(_) => Bytes::from_static(PING),
        };
        Some((Ok::<_, Infallible>(piece), pieces))
    });
    let mut response = Response::new(Body::from_stream(kept_alive));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response
}

struct Following {
    waiting: VecDeque<Bytes>,
    follower: Follower,
    level: LogLevel,
    /// The newest row that was told.
    told: i64,
}

impl Following {
    fn pieces(self) -> impl Stream<Item = Bytes> {
        // So that the client knows at once that it follows.
        let hello = stream::iter([Bytes::from_static(b": \n\n")]);
        let rest = stream::unfold(self, |mut following| async move {
            Some((following.next().await?, following))
        });
        hello.chain(rest)
    }

    /// The next event; `None` when there are no more.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(waiting) = self.waiting.pop_front() {
            return Some(waiting);
        }
        loop {
            match self.follower.next().await? {
                Err(lost) => return Some(event("lagged", None, &json!({ "skipped": lost }))),
                Ok(notice) => match &*notice {
                    Notice::Log(row) if row.level >= self.level && row.id > self.told => {
                        return Some(log_event(row));
                    }
                    Notice::Log(_) | Notice::State(_) | Notice::Item(_) => {}
                },
            }
        }
    }
}

fn log_event(row: &LogRow) -> Bytes {
    event("log", Some(row.id), &json!(row))
}

/// One event; JSON has no line breaks of its own.
fn event(name: &str, id: Option<i64>, data: &serde_json::Value) -> Bytes {
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    format!("{id}event: {name}\ndata: {data}\n\n").into()
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use tokio::time::{Instant, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn answer_says_something_every_so_often_though_nothing_comes() {
        // Silent for twice as long and a little more, as figures every 60 s are; then for ever.
        let late = async {
            sleep(2 * KEEP_ALIVE + Duration::from_secs(1)).await;
            event("stats", None, &json!({}))
        };
        let pieces = stream::once(late).chain(stream::once(pending()));
        let mut body = events(pieces).into_body().into_data_stream();
        let begun = Instant::now();
        let mut seen = Vec::new();
        for _ in 0..4 {
            let piece = body.next().await.unwrap().unwrap();
            seen.push((begun.elapsed().as_secs(), piece));
        }
        let ping = || Bytes::from_static(b": ping\n\n");
        let stats = Bytes::from_static(b"event: stats\ndata: {}\n\n");
        assert_eq!(
            seen,
            [(15, ping()), (30, ping()), (31, stats), (46, ping())]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn answer_ends_with_what_it_tells() {
        let piece = event("state", None, &json!({}));
        let pieces = stream::once(ready(piece.clone()));
        let body = events(pieces).into_body();
        assert_eq!(axum::body::to_bytes(body, 1000).await.unwrap(), piece);
    }
}
