//! `.env.example` against what the server really asks for, and what it does with settings that it can't use.

use std::collections::BTreeSet;

use serverrs::app::Settings;
use serverrs::config::Env;
use serverrs::telemetry::TelemetryConfig;

use crate::harness::Builder;

mod wrong;

const EXAMPLE: &str = include_str!("../../../.env.example");

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
    for key in [
        "overflow",
        "your_secret_key_here",
        "change-me",
        "short",
        "passwordpassword",
    ] {
        let (status, output) = Builder::offline()
            .env("ENCRYPTION_KEY", key)
            .run_to_end()
            .await;
        assert_eq!(status.code(), Some(78), "{key}: {output}");
        assert!(output.contains("  ENCRYPTION_KEY: "), "{output}");
        assert!(output.contains("`serverrs key`"), "{output}");
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
async fn dotenv_with_two_values_of_one_name_is_warned_about() {
    let dotenv =
        "INSTANCE_REGION=first\nINSTANCE_ID=same\nINSTANCE_REGION=last\nINSTANCE_ID=same\n";
    let mut server = Builder::offline().file(".env", dotenv).start().await;
    let line = server
        .wait_for_log("stands in `.env` with different values")
        .await;
    assert!(line.contains("WARN") && line.contains("INSTANCE_REGION"));
    assert!(!line.contains("first"), "{line}");
    assert_eq!(server.logs().matches("with different values").count(), 1);
    let health = server.api().get("/health").await.json();
    assert_eq!(health["instance_region"], "last");
}

#[tokio::test]
async fn messages_say_what_is_accepted() {
    let (status, output) = Builder::offline()
        .env("MAX_QUEUE", "abc")
        .env("HOST", "localhost")
        .env("RUST_LOG", "inof")
        .run_to_end()
        .await;
    assert_eq!(status.code(), Some(78), "{output}");
    for line in [
        "  MAX_QUEUE: `abc`: must be a whole number from 0 to 100000",
        "  HOST: `localhost`: must be an IP address",
        "  RUST_LOG: `inof`: must be one of trace, debug, info, warn, error and off",
    ] {
        assert!(output.contains(line), "{line}: {output}");
    }
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

#[tokio::test]
async fn cookie_file_that_is_a_folder_is_warned_about() {
    let mut server = Builder::offline()
        .file("jar/x", "")
        .env("COOKIES_PATH", "jar")
        .env("YOUTUBE_COOKIES_PATH", "jar")
        .start()
        .await;
    for name in ["COOKIES_PATH", "YOUTUBE_COOKIES_PATH"] {
        let line = server.wait_for_log(&format!("variable=\"{name}\"")).await;
        assert!(
            line.contains("WARN") && line.contains("names a folder"),
            "{line}"
        );
    }
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
