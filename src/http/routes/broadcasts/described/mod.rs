//! What requests and answers of broadcasts say, for the document of the API. Only described: the room `broadcast` reads
//! and writes them, and a test below compares the names.

mod errors;

use utoipa::ToSchema;

pub(super) use errors::{OfAll, OfChanging, OfFollowing, OfMaking, OfOne, OfReading};

/// What a request says of a broadcast. A field that is left out, or null, has its default.
#[derive(ToSchema)]
#[schema(examples(json!({
    "title": "Harbour", "playlist_id": "PLBCF2DAC6FFB574DE", "stream_source": "playlist_direct", "loop_enabled": true,
    "target_url": "rtmp://a.rtmp.example/live2", "stream_key": "abcd-efgh-ijkl",
})))]
pub(super) struct BroadcastFields {
    /// 1 to 200 characters; needed.
    #[schema(min_length = 1, max_length = 200)]
    title: Option<String>,
    #[schema(max_length = 5000, default = "")]
    description: Option<String>,
    /// A label; there are no accounts.
    #[schema(max_length = 100, default = "")]
    owner: Option<String>,
    /// Name of one of the operator's files of cookies, for private lists; only with a playlist.
    #[schema(
        min_length = 1,
        max_length = 64,
        pattern = "^[A-Za-z0-9_-][A-Za-z0-9._-]*$"
    )]
    account: Option<String>,
    #[schema(inline, default = "playlist")]
    stream_source: Option<StreamSourceName>,
    /// Only with `media_files`: 1 to 1000 names below the operator's directory.
    media_files: Option<Vec<String>>,
    /// Id or address of a playlist; needed but with `media_files`.
    playlist_id: Option<String>,
    #[schema(inline, default = "download")]
    playlist_serve_mode: Option<ServeModeName>,
    /// With `hybrid`: how many of the first items are kept.
    #[schema(maximum = 100, default = 3)]
    cache_first: Option<u8>,
    #[schema(default = false)]
    shuffle_playlist: Option<bool>,
    /// The same seed and items give the same order. Drawn when left out.
    shuffle_seed: Option<u64>,
    #[schema(default = false)]
    loop_enabled: Option<bool>,
    /// Place of the first item, counted from 0.
    #[schema(default = 0)]
    start_index: Option<u32>,
    /// A selector in the core of yt-dlp's format language.
    #[schema(default = "best[height<=720]/best")]
    format: Option<String>,
    profile: Option<BroadcastProfile>,
    #[schema(inline, default = "encode")]
    video_mode: Option<VideoModeName>,
    /// `rtmp://`, `rtmps://` or `srt://`; needed to start. A key in it moves to `stream_key`.
    #[schema(max_length = 1024)]
    target_url: Option<String>,
    /// Goes in and never comes out.
    #[schema(min_length = 1, max_length = 1024, write_only)]
    stream_key: Option<String>,
    /// What is sent when the target is back: everything, or what is due by then.
    #[schema(inline, default = "all")]
    resume: Option<ResumeName>,
    /// Name of one of the operator's ways out.
    proxy: Option<String>,
    schedule: Option<BroadcastSchedule>,
    #[schema(inline, default = "skip")]
    on_item_failure: Option<OnItemFailureName>,
    /// 0 for none, and for 60 where an item is live.
    #[schema(maximum = 10_080, default = 0)]
    max_item_minutes: Option<u32>,
    /// Whether what is on air is played; otherwise it is skipped.
    #[schema(default = false)]
    allow_live: Option<bool>,
    /// Whether it starts with the server.
    #[schema(default = false)]
    autostart: Option<bool>,
    /// Whether a slate is sent before the first item is ready.
    #[schema(default = true)]
    start_with_slate: Option<bool>,
}

/// What is sent.
#[derive(ToSchema)]
pub(super) struct BroadcastProfile {
    /// Even.
    #[schema(minimum = 16, maximum = 3840, multiple_of = 2, default = 1280)]
    width: Option<u32>,
    /// Even.
    #[schema(minimum = 16, maximum = 2160, multiple_of = 2, default = 720)]
    height: Option<u32>,
    #[schema(minimum = 1, maximum = 60, default = 30)]
    fps: Option<u32>,
    #[schema(minimum = 100, maximum = 20000, default = 2500)]
    video_kbps: Option<u32>,
    #[schema(minimum = 32, maximum = 512, default = 128)]
    audio_kbps: Option<u32>,
    /// One of x264's.
    #[schema(default = "veryfast")]
    preset: Option<String>,
    /// Seconds from one key frame to the next.
    #[schema(minimum = 1, maximum = 4, default = 2)]
    gop_s: Option<u32>,
}

/// When a broadcast is on air by itself: in its windows, not before `start_at`, not after `stop_at`; without windows
/// from the one to the other.
#[derive(ToSchema)]
#[schema(examples(json!({
    "tz": "Europe/Vienna", "windows": [{"days": ["mon", "fri"], "from": "18:00", "to": "23:00"}],
})))]
pub(super) struct BroadcastSchedule {
    /// Name of an IANA zone.
    tz: String,
    windows: Option<Vec<BroadcastWindow>>,
    /// RFC 3339; without an offset in the zone.
    start_at: Option<String>,
    stop_at: Option<String>,
    /// Only with a playlist served by `download` or `hybrid`.
    prefetch: Option<BroadcastPrefetch>,
}

/// A time of the week. One that ends not later than it begins ends on the next day.
#[derive(ToSchema)]
pub(super) struct BroadcastWindow {
    /// Days on which it begins; every one when left out.
    #[schema(inline)]
    days: Option<Vec<DayName>>,
    #[schema(examples("18:00"))]
    from: String,
    #[schema(examples("23:00"))]
    to: String,
}

/// When the items are fetched, every day, with which the next time on air begins.
#[derive(ToSchema)]
pub(super) struct BroadcastPrefetch {
    from: String,
    to: String,
    #[schema(minimum = 1, maximum = 100)]
    items: u32,
}

/// A broadcast.
#[derive(ToSchema)]
pub(super) struct Broadcast {
    id: String,
    #[schema(inline)]
    #[serde(flatten)]
    fields: BroadcastFields,
    #[serde(flatten)]
    facts: BroadcastFacts,
}

/// What the server says of a broadcast. Times are RFC 3339.
#[derive(ToSchema)]
pub(super) struct BroadcastFacts {
    stream_key_set: bool,
    /// The last four characters of a key of twelve or more.
    stream_key_hint: Option<String>,
    #[schema(inline)]
    status: BroadcastState,
    /// Process that encodes the current item.
    pid: Option<u32>,
    started_at: Option<String>,
    stopped_at: Option<String>,
    /// When it starts by its schedule; in the past while that is tried.
    next_start_at: Option<String>,
    /// When it ends by its schedule, while it is on air.
    next_stop_at: Option<String>,
    /// When items are fetched next before a time on air (`prefetch`).
    next_prefetch_at: Option<String>,
    created_at: String,
    updated_at: String,
    last_error: Option<BroadcastFault>,
    position: Option<BroadcastPosition>,
}

/// What went wrong.
#[derive(ToSchema)]
pub(super) struct BroadcastFault {
    /// Stable word.
    code: String,
    message: String,
    at: String,
}

/// A place in a list.
#[derive(ToSchema)]
pub(super) struct BroadcastPosition {
    /// Place in the order of the cycle, counted from 0.
    index: u32,
    item_id: String,
    /// Milliseconds of the item that were sent.
    offset_ms: u64,
    /// How often the list was begun before.
    cycle: u32,
    on_air_ms: u64,
}

/// A part of all broadcasts, in the order in which they were made.
#[derive(ToSchema)]
pub(super) struct BroadcastPage {
    broadcasts: Vec<Broadcast>,
    /// For the `cursor` of the next request.
    next_cursor: Option<String>,
}

/// The list of a broadcast, as far as it is known.
#[derive(ToSchema)]
pub(super) struct BroadcastItems {
    items: Vec<BroadcastItem>,
}

/// An item of a list.
#[derive(ToSchema)]
pub(super) struct BroadcastItem {
    /// Place in the list, counted from 0.
    ord: u32,
    /// The site's id, or the name of the file.
    video_id: String,
    title: String,
    duration_s: Option<u64>,
    #[schema(inline)]
    state: ItemStateName,
    /// Why it can't be played: a stable word.
    reason: Option<String>,
    checked_at: Option<String>,
}

/// Rows of a log, newest first.
#[derive(ToSchema)]
pub(super) struct BroadcastLogs {
    logs: Vec<BroadcastLogRow>,
}

/// A row of a log; as an event too.
#[derive(ToSchema)]
pub(super) struct BroadcastLogRow {
    id: i64,
    broadcast_id: String,
    created_at: String,
    #[schema(inline)]
    level: LogLevelName,
    #[schema(inline)]
    source: LogSourceName,
    #[schema(nullable = false)]
    item_id: Option<String>,
    message: String,
}

/// What a broadcast is doing. Parts that there are only on air are null else.
#[derive(ToSchema)]
pub(super) struct BroadcastStatus {
    id: String,
    #[schema(inline)]
    status: BroadcastState,
    since: Option<String>,
    uptime_s: u64,
    pid: Option<u32>,
    pids: Vec<serde_json::Value>,
    /// What is on air.
    #[schema(value_type = Option<Object>)]
    now: Option<serde_json::Value>,
    #[schema(value_type = Option<Object>)]
    next: Option<serde_json::Value>,
    /// What the target gets.
    #[schema(value_type = Option<Object>)]
    output: Option<serde_json::Value>,
    /// What was survived, in numbers.
    #[schema(value_type = Option<Object>)]
    faults: Option<serde_json::Value>,
    #[schema(value_type = Option<Object>)]
    encoder: Option<serde_json::Value>,
    last_error: Option<BroadcastFault>,
    position: Option<BroadcastPosition>,
}

/// How a broadcast begins.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BroadcastStart {
    /// Place of the first item, counted from 0.
    index: Option<u32>,
    /// Go on where it was.
    from_position: Option<bool>,
}

/// How a broadcast begins again.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BroadcastRestart {
    /// Begin with the first item in place of going on where it was.
    from_start: Option<bool>,
}

/// How many items came to a list, and went.
#[derive(ToSchema)]
pub(super) struct BroadcastRefreshed {
    added: u64,
    removed: u64,
}

/// What a broadcast of these fields would be.
#[derive(ToSchema)]
pub(super) struct BroadcastValid {
    playlist_id: Option<String>,
    /// Without the key.
    target_url: Option<String>,
    /// The first page of the list.
    items: Vec<BroadcastItem>,
}

/// Where a broadcast stands.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(super) enum BroadcastState {
    Created,
    Starting,
    Running,
    Reconnecting,
    Stopping,
    Stopped,
    Failed,
}

#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum StreamSourceName {
    MediaFiles,
    Playlist,
    PlaylistDirect,
}

#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum ServeModeName {
    Download,
    Direct,
    Hybrid,
}

#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum VideoModeName {
    Encode,
    Copy,
}

#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum ResumeName {
    All,
    Live,
}

#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum OnItemFailureName {
    Skip,
    FallbackDownload,
}

#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum DayName {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum ItemStateName {
    Pending,
    Ok,
    Skipped,
    Failed,
}

#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(super) enum LogLevelName {
    Debug,
    Info,
    Warn,
    Error,
}

#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
enum LogSourceName {
    Manager,
    Resolver,
    Normaliser,
    Publisher,
}

#[cfg(test)]
mod tests;
