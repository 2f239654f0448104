//! `.env.example` against what the server really asks for, and what it does with settings that it can't use.

use std::collections::BTreeSet;

use serverrs::app::Settings;
use serverrs::config::Env;
use serverrs::telemetry::TelemetryConfig;

use crate::harness::Builder;

const EXAMPLE: &str = include_str!("../../.env.example");

/// Names as they stand in the example, set or commented out.
pub(crate) fn names_in_example() -> Vec<String> {
    EXAMPLE
        .lines()
        .filter_map(|line| {
            let line = line.strip_prefix('#').unwrap_or(line);
            let (name, _) = line.split_once('=')?;
            let is_name = name
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
            (is_name && !name.is_empty()).then(|| name.to_owned())
        })
        .collect()
}

/// Names that the server asks for. The standard proxy variables count in lower case too; the example has one case.
pub(crate) fn names_asked_for() -> Vec<String> {
    let mut env = Env::from_pairs([("", ""); 0]);
    TelemetryConfig::from_env(&mut env);
    drop(Settings::from_env(&mut env));
    let is_upper = |name: &&String| !name.bytes().any(|byte| byte.is_ascii_lowercase());
    env.asked().iter().filter(is_upper).cloned().collect()
}

#[test]
fn example_lists_every_variable_once() {
    let example = names_in_example();
    let unique: BTreeSet<_> = example.iter().collect();
    assert_eq!(
        unique.len(),
        example.len(),
        "a name stands twice: {example:#?}"
    );
    assert_eq!(example, names_asked_for());
}

#[test]
fn example_values_are_the_defaults() {
    let pairs: Vec<(&str, &str)> = EXAMPLE
        .lines()
        .filter_map(|line| line.split_once('='))
        .filter(|(name, _)| !name.starts_with('#'))
        .collect();
    assert!(pairs.len() > 20, "the example sets only {pairs:?}");
    let read = |env: &mut Env| {
        let settings = Settings::from_env(env);
        format!(
            "{:?} {:?} {:?} {:?}",
            settings.server, settings.http, settings.services, settings.transfer
        )
    };
    assert_eq!(
        read(&mut Env::from_pairs(pairs)),
        read(&mut Env::from_pairs([("", ""); 0]))
    );
}

#[tokio::test]
async fn server_with_bad_settings_names_every_one_and_does_not_start() {
    let (status, output) = Builder::offline()
        .env("PORT", "99999")
        .env("QUEUE_SIZE", "0")
        .env("CACHE_TTL", "soon")
        .env("CORS_ORIGINS", "example.com")
        .env("PROXY", "gopher://user:canary@proxy.example")
        .env("ALLOW_PRIVATE_UPSTREAM", "everything")
        .env("LOG_FORMAT", "xml")
        .run_to_end()
        .await;
    assert_eq!(status.code(), Some(78), "{output}");
    for name in [
        "PORT",
        "QUEUE_SIZE",
        "CACHE_TTL",
        "CORS_ORIGINS",
        "PROXY",
        "ALLOW_PRIVATE_UPSTREAM",
        "LOG_FORMAT",
    ] {
        assert!(output.contains(&format!("  {name}: ")), "{name}: {output}");
    }
    assert!(!output.contains("canary"), "{output}");
}

#[tokio::test]
async fn server_with_a_weak_key_does_not_start() {
    for key in ["overflow", "your_secret_key_here", "change-me", "short"] {
        let (status, output) = Builder::offline()
            .env("ENCRYPTION_KEY", key)
            .run_to_end()
            .await;
        assert_eq!(status.code(), Some(78), "{key}: {output}");
        assert!(output.contains("ENCRYPTION_KEY"), "{output}");
    }
}

#[tokio::test]
async fn replica_without_a_key_does_not_start() {
    let (status, output) = Builder::offline()
        .without("ENCRYPTION_KEY")
        .env("INSTANCE_ID", "a")
        .run_to_end()
        .await;
    assert_eq!(status.code(), Some(78), "{output}");
    assert!(output.contains("ENCRYPTION_KEY"), "{output}");
}

#[tokio::test]
async fn server_without_a_key_starts_and_warns() {
    let mut server = Builder::offline().without("ENCRYPTION_KEY").start().await;
    server.wait_for_log("`ENCRYPTION_KEY` is not set").await;
    assert_eq!(server.api().get("/health").await.status, 200);
}

#[tokio::test]
async fn dotenv_is_read_and_the_environment_wins() {
    let server = Builder::offline()
        .file(".env", "INSTANCE_ID=from-file\nINSTANCE_REGION=from-file\n")
        .env("INSTANCE_REGION", "from-process")
        .start()
        .await;
    let health = server.api().get("/health").await.json();
    assert_eq!(health["instance_id"], "from-file");
    assert_eq!(health["instance_region"], "from-process");
}

#[tokio::test]
async fn dotenv_that_is_a_folder_is_a_fault_and_no_endless_loop() {
    let (status, output) = Builder::offline().file(".env/x", "").run_to_end().await;
    assert_eq!(status.code(), Some(78), "{output}");
    assert!(output.contains("  .env: "), "{output}");
}

#[tokio::test]
async fn value_that_is_no_text_is_a_fault() {
    use std::os::unix::ffi::OsStrExt;
    let dir = tempfile::TempDir::new().expect("temporary directory");
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_serverrs"))
        .env_clear()
        .env("PORT", std::ffi::OsStr::from_bytes(b"39981\xff"))
        .env("FOREIGN", std::ffi::OsStr::from_bytes(b"\xff"))
        .current_dir(dir.path())
        .output()
        .await
        .expect("the binary under test");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(78), "{said}");
    assert!(
        said.contains("  PORT: ") && !said.contains("FOREIGN"),
        "{said}"
    );
}

#[tokio::test]
async fn cookie_file_that_is_not_there_yet_is_warned_about() {
    let mut server = Builder::offline()
        .env("COOKIES_PATH", "nowhere.txt")
        .start()
        .await;
    server
        .wait_for_log("the cookie file does not exist yet")
        .await;
}

/// Whoever reads the log by a program reads nothing else, from the first line to the last.
#[tokio::test]
async fn log_for_machines_has_nothing_for_people() {
    let server = Builder::offline()
        .without("RUST_LOG")
        .without("ENCRYPTION_KEY")
        .env("LOG_FORMAT", "json")
        .env("FFMPEG_PATH", "/nonexistent/ffmpeg")
        .start()
        .await;
    let address = server.base().to_owned();
    assert_eq!(server.api().get("/nowhere").await.status, 404);
    let (status, logs) = server.stop().await;
    assert!(status.success());
    let messages: Vec<String> = logs
        .lines()
        .map(|line| {
            let line: serde_json::Value =
                serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
            line["fields"]["message"]
                .as_str()
                .expect("a message")
                .to_owned()
        })
        .collect();
    assert!(
        messages.iter().any(|line| line == "request finished"),
        "{logs}"
    );
    // Nor is it told in another way that it can't begin.
    let port = address.rsplit(':').next().expect("a port");
    let taken = std::net::TcpListener::bind(format!("127.0.0.1:{port}")).expect("the port is free");
    let (status, logs) = Builder::offline()
        .env("LOG_FORMAT", "json")
        .env("PORT", port)
        .run_to_end()
        .await;
    drop(taken);
    assert_eq!(status.code(), Some(1), "{logs}");
    let last = logs.lines().last().expect("a line");
    let last: serde_json::Value = serde_json::from_str(last).expect("JSON");
    assert_eq!(last["level"], "ERROR");
    assert!(
        last["fields"]["err"]
            .as_str()
            .is_some_and(|err| err.contains("HOST and PORT say where"))
    );
}

#[tokio::test]
async fn ffmpeg_that_is_named_and_not_there_is_warned_about() {
    let mut server = Builder::offline()
        .env("FFMPEG_PATH", "/nonexistent/ffmpeg")
        .start()
        .await;
    let line = server.wait_for_log("`FFMPEG_PATH` names no program").await;
    assert!(
        line.contains("WARN") && line.contains("/nonexistent/ffmpeg"),
        "{line}"
    );
}

#[tokio::test]
async fn value_that_several_sites_read_is_told_once() {
    let (status, output) = Builder::offline()
        .env("USER_AGENT", "a\u{7}b")
        .run_to_end()
        .await;
    assert_eq!(status.code(), Some(78), "{output}");
    assert_eq!(output.matches("USER_AGENT: ").count(), 1, "{output}");
}

#[tokio::test]
async fn secret_comes_from_a_file_too() {
    let server = Builder::offline()
        .without("ENCRYPTION_KEY")
        .env("ENCRYPTION_KEY_FILE", "key.txt")
        .file("key.txt", "a-key-that-is-long-enough-91\n")
        .start()
        .await;
    assert!(!server.logs().contains("`ENCRYPTION_KEY` is not set"));
}

/// Of each variable a value that it can't have.
const WRONG: [(&str, &str); 92] = [
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
        .filter(|(name, value)| !faults_of(&[(*name, *value)]).contains(*name))
        // Without its twin, the missing half is what is named.
        .filter(|(name, _)| !name.starts_with("TLS_"))
        .collect();
    assert!(accepted.is_empty(), "{accepted:?}");
    assert!(faults_of(&[("TLS_CERT_FILE", "/nonexistent/file")]).contains("TLS_KEY_FILE"));
}

#[test]
fn variables_without_a_wrong_value_are_known() {
    // Free texts, paths of what may come later, and proxies of which one stands for all.
    let free = [
        "TLS_KEY_FILE",
        "INSTANCE_ID",
        "INSTANCE_REGION",
        "METRICS_TOKEN",
        "REDIS_HOST",
        "HTTP_PROXY",
        "ALL_PROXY",
        "COOKIES_PATH",
        "TIKTOK_DEVICE_ID",
        "TIKTOK_APP_INFO",
        "DOUYIN_COOKIES_PATH",
        "YOUTUBE_VISITOR_DATA",
        "YOUTUBE_COOKIES_PATH",
        "YOUTUBE_STATE_DIR",
        "TEMP_DIR",
        "FFMPEG_PATH",
        "GLUETUN_API_KEY",
        "GLUETUN_PASSWORD",
        "GLUETUN_USERNAME",
        // Looked at together with the others of this VPN.
        "GLUETUN_EGRESS",
        "BROADCAST_API_TOKEN",
        "BROADCAST_DB",
        "BROADCAST_MEDIA_DIR",
        "BROADCAST_COOKIES_DIR",
        "BROADCAST_TARGET_ALLOW",
        "STREAM_TEMP_DIR",
    ];
    let wrong = WRONG.iter().map(|(name, _)| *name);
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
