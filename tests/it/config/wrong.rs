//! Values that variables can't have: each is a fault of its variable, and all are told at once.

use std::collections::BTreeSet;

use serverrs::app::Settings;
use serverrs::config::Env;
use serverrs::telemetry::TelemetryConfig;

use super::names_asked_for;

/// Of each variable a value that it can't have.
const WRONG: [(&str, &str); 93] = [
    ("RUST_LOG", "serverrs=loud"),
    ("LOG_LEVEL", "loud"),
    ("LOG_FORMAT", "xml"),
    ("HOST", "localhost"),
    ("PORT", "70000"),
    ("BASE_URL", "media.example"),
    ("MAX_CONNECTIONS", "0"),
    ("MAX_CONNECTIONS_PER_CLIENT", "0"),
    ("HEADER_TIMEOUT", "0"),
    ("BODY_TIMEOUT", "0"),
    ("KEEPALIVE_TIMEOUT", "0"),
    ("CLIENT_STALL_TIMEOUT", "0"),
    ("SHUTDOWN_DELAY", "-1"),
    ("SHUTDOWN_GRACE", "soon"),
    ("TRUSTED_PROXIES", "proxy.example"),
    ("CORS_ORIGINS", "example.com"),
    ("METRICS_TOKEN_FILE", "/nonexistent/file"),
    ("DOCS", "maybe"),
    ("API_KEY", "same, same"),
    ("API_KEY_FILE", "/nonexistent/file"),
    ("API_KEYS_FILE", "/nonexistent/file"),
    ("API_KEY_MEDIA", "maybe"),
    ("RATE_LIMIT_PER_MINUTE", "-1"),
    ("RATE_LIMIT_MEDIA_PER_MINUTE", "many"),
    ("ENCRYPTION_KEY", "short"),
    ("ENCRYPTION_KEY_FILE", "/nonexistent/file"),
    ("ENCRYPTION_KEY_PREVIOUS", "short"),
    ("ENCRYPTION_KEY_PREVIOUS_FILE", "/nonexistent/file"),
    ("LINK_TTL_MINUTES", "0"),
    ("ALLOW_INSECURE_KEY", "maybe"),
    ("MAX_WORKERS", "0"),
    ("YTDLP_TIMEOUT", "0"),
    ("MAX_EXTRACTIONS", "0"),
    ("MAX_STREAMS", "0"),
    ("MAX_QUEUE", "-1"),
    ("QUEUE_TIMEOUT", "-1"),
    ("EXTRACT_TIMEOUT", "0"),
    ("CACHE_TTL", "soon"),
    ("CACHE_MAX_ENTRIES", "-1"),
    ("SLIDESHOW_CONCURRENCY", "0"),
    ("SLIDESHOW_KEEP", "0"),
    ("SLIDESHOW_TIMEOUT", "0"),
    ("STREAM_BUFFER_BYTES", "0"),
    ("STREAM_BUFFER_TOTAL_BYTES", "0"),
    ("QUEUE_SIZE", "0"),
    ("CHUNK_SIZE", "large"),
    ("CLIENT_MIN_RATE", "-1"),
    ("PROXY", "gopher://proxy.example"),
    ("PROXY_FILE", "/nonexistent/file"),
    ("HTTPS_PROXY", "gopher://proxy.example"),
    ("NO_PROXY", ":::"),
    ("USER_AGENT", "a\u{7}b"),
    ("EXTRA_CA_FILE", "/nonexistent/file"),
    ("SSL_CERT_FILE", "/nonexistent/file"),
    ("ALLOW_PRIVATE_UPSTREAM", "everything"),
    ("CONNECT_TIMEOUT", "0"),
    ("STREAM_IDLE_TIMEOUT", "0"),
    ("TIKTOK_IDENTITY_FILE", "/nonexistent/file"),
    ("DOUYIN_IDENTITY_FILE", "/nonexistent/file"),
    ("ENABLE_YOUTUBE", "maybe"),
    ("YOUTUBE_CLIENTS_FILE", "/nonexistent/file"),
    ("YOUTUBE_PO_TOKENS", "nonsense"),
    ("YOUTUBE_PO_TOKENS_FILE", "/nonexistent/file"),
    ("YOUTUBE_POT_PROVIDER_URL", "nonsense"),
    ("YOUTUBE_VISITOR_DATA_FILE", "/nonexistent/file"),
    ("YOUTUBE_DETAILS", "maybe"),
    ("TEMP_QUOTA_MB", "-1"),
    ("TEMP_MIN_FREE_MB", "-1"),
    ("CLEANUP_INTERVAL", "0"),
    ("TLS_CERT_FILE", "/nonexistent/file"),
    ("YOUTUBE_MAX_HEIGHT", "tall"),
    ("EGRESS", "nonsense"),
    ("EGRESS_FILE", "/nonexistent/file"),
    ("GLUETUN_CONTROL_URL", "nonsense"),
    ("GLUETUN_CONTROL_PORT", "door"),
    ("GLUETUN_API_KEY_FILE", "/nonexistent/file"),
    ("GLUETUN_PASSWORD_FILE", "/nonexistent/file"),
    ("REDIS_URL", "gopher://redis.example"),
    ("REDIS_URL_FILE", "/nonexistent/file"),
    ("REDIS_PORT", "door"),
    ("BROADCAST_API_CORS", "nonsense"),
    ("BROADCAST_API_TOKEN_FILE", "/nonexistent/file"),
    ("BROADCAST_ALLOW_PRIVATE_TARGETS", "everything"),
    ("BROADCAST_DISK_CAP_MB", "-1"),
    ("BROADCAST_MAX_ITEMS", "0"),
    ("BROADCAST_MAX_RUNNING", "0"),
    ("BROADCAST_PREFETCH_ITEMS", "0"),
    ("BROADCAST_REGION_FALLBACK", "nowhere"),
    ("BROADCAST_VIDEO_ENCODER", "libx265"),
    ("BROADCAST_CHILD_MEM_MB", "-1"),
    ("BROADCAST_SLATE_IMAGE", "/nonexistent/file"),
    ("BROADCAST_RECONNECT_MAX_S", "soon"),
    ("FFMPEG_TIMEOUT", "0"),
];

/// Further values that can't be had, each by itself: their variables stand above already, or a twin in a file does.
const MORE_WRONG: [(&str, &str); 37] = [
    ("RUST_LOG", "inof"),
    ("RUST_LOG", "serverrs=debug,inof"),
    ("LOG_LEVEL", "inof"),
    ("MAX_QUEUE", "abc"),
    ("CORS_ORIGINS", "http://"),
    ("CORS_ORIGINS", "https://*.example.com"),
    ("CORS_ORIGINS", "https://a.example/path"),
    ("BROADCAST_API_CORS", "http://"),
    ("BROADCAST_API_CORS", "https://*.example.com"),
    ("BROADCAST_API_CORS", "https://a.example/path"),
    ("PROXY", "/nonexistent/x"),
    ("PROXY", "-1"),
    ("PROXY", "soon"),
    ("HTTP_PROXY", "/nonexistent/x"),
    ("HTTP_PROXY", "-1"),
    ("HTTP_PROXY", "soon"),
    ("HTTPS_PROXY", "/nonexistent/x"),
    ("HTTPS_PROXY", "-1"),
    ("HTTPS_PROXY", "soon"),
    ("ALL_PROXY", "/nonexistent/x"),
    ("ALL_PROXY", "-1"),
    ("ALL_PROXY", "soon"),
    ("REDIS_HOST", "http://"),
    ("REDIS_HOST", "redis:6379"),
    ("REDIS_PORT", "0"),
    ("API_KEY", "a-long-key-with-a-bell\u{7}"),
    ("API_KEY", "a-long-key-of-one-line\nand-one-of-another"),
    ("METRICS_TOKEN", "to\u{7}ken"),
    ("BROADCAST_API_TOKEN", "to\u{7}ken"),
    ("YOUTUBE_VISITOR_DATA", "visi\u{7}tor"),
    ("TIKTOK_APP_INFO", "http://"),
    ("TIKTOK_APP_INFO", "1/2/3/4/5/6"),
    ("TIKTOK_DEVICE_ID", "device"),
    ("ENCRYPTION_KEY", "aaaaaaaaaaaaaaaa"),
    ("ENCRYPTION_KEY", "passwordpassword"),
    ("ENCRYPTION_KEY", "99999999999999999999999"),
    ("ENCRYPTION_KEY_PREVIOUS", "passwordpassword"),
];

/// Names of the faults that these variables have.
fn faults_of(pairs: &[(&str, &str)]) -> BTreeSet<String> {
    let mut env = Env::from_pairs(pairs.iter().copied());
    TelemetryConfig::from_env(&mut env);
    drop(Settings::from_env(&mut env));
    let faults = env.finish().err().map(|error| error.faults);
    let names = faults.into_iter().flatten().map(|fault| fault.name);
    names.collect()
}

#[test]
fn wrong_value_of_any_variable_is_a_fault_of_that_variable() {
    let accepted: Vec<_> = WRONG
        .iter()
        .chain(&MORE_WRONG)
        .filter(|(name, value)| !faults_of(&[(*name, *value)]).contains(*name))
        // Without its twin, the missing half is what is named.
        .filter(|(name, _)| !name.starts_with("TLS_"))
        .collect();
    assert!(accepted.is_empty(), "{accepted:?}");
    assert!(faults_of(&[("TLS_CERT_FILE", "/nonexistent/file")]).contains("TLS_KEY_FILE"));
}

#[test]
fn variables_without_a_wrong_value_are_known() {
    // Free texts, and paths of what may come later.
    let free = [
        "TLS_KEY_FILE",
        "INSTANCE_ID",
        "INSTANCE_REGION",
        "COOKIES_PATH",
        "DOUYIN_COOKIES_PATH",
        "YOUTUBE_COOKIES_PATH",
        "YOUTUBE_STATE_DIR",
        "TEMP_DIR",
        "FFMPEG_PATH",
        "GLUETUN_API_KEY",
        "GLUETUN_PASSWORD",
        "GLUETUN_USERNAME",
        // Looked at together with the others of this VPN.
        "GLUETUN_EGRESS",
        "BROADCAST_DB",
        "BROADCAST_MEDIA_DIR",
        "BROADCAST_COOKIES_DIR",
        "BROADCAST_TARGET_ALLOW",
        "STREAM_TEMP_DIR",
    ];
    let wrong = WRONG.iter().chain(&MORE_WRONG).map(|(name, _)| *name);
    let known: BTreeSet<String> = wrong.chain(free).map(str::to_owned).collect();
    let asked: BTreeSet<String> = names_asked_for().into_iter().collect();
    assert_eq!(known, asked);
}

#[test]
fn all_wrong_values_are_told_at_once() {
    // A twin in a file would be a fault of its own beside the value.
    let inline: Vec<_> = WRONG
        .iter()
        .filter(|(name, _)| !name.ends_with("_FILE") || !name.contains("KEY"))
        .filter(|(name, _)| {
            let twins = [
                "EGRESS_FILE",
                "PROXY_FILE",
                "REDIS_URL_FILE",
                "YOUTUBE_PO_TOKENS_FILE",
            ];
            !twins.contains(name)
        })
        // Not looked at beside `PROXY`.
        .filter(|(name, _)| *name != "HTTPS_PROXY")
        .filter(|(name, _)| !name.starts_with("TLS_") && *name != "ALLOW_INSECURE_KEY")
        .copied()
        .collect();
    let told = faults_of(&inline);
    let missing: Vec<_> = inline
        .iter()
        .filter(|(name, _)| !told.contains(*name))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
