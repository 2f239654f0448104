//! Panics that a server or a command has printed. Answers tell of those in handlers alone: what a task behind them says
//! would be passed over.

/// What the standard library says of each, and the log for machines in a field.
const MARK: &str = "panicked at ";

/// Fails the test when the program that printed this has panicked.
#[track_caller]
pub(crate) fn assert_no_panic_in(printed: &str) {
    let found = found_in(printed);
    assert!(found.is_none(), "panic in what was printed: {found:?}");
}

/// The first one: its line, and the next, in which the message stands.
fn found_in(printed: &str) -> Option<String> {
    let before = &printed[..printed.find(MARK)?];
    let line = before.rfind('\n').map_or(0, |end| end + 1);
    let lines: Vec<&str> = printed[line..].lines().take(2).collect();
    Some(lines.join("\n"))
}

#[test]
fn panic_is_found_in_both_formats() {
    let text = "\nthread 'tokio-rt-worker' (7) panicked at src/a.rs:1:2:\nplanted\nnote: run with";
    let found = "thread 'tokio-rt-worker' (7) panicked at src/a.rs:1:2:\nplanted";
    assert_eq!(found_in(text).as_deref(), Some(found));
    let json = r#"{"level":"ERROR","fields":{"message":"panicked","panic":"panicked at src/a.rs:1:2:\nplanted"}}"#;
    let text = format!("{{}}\n{json}");
    assert_eq!(found_in(&text).as_deref(), Some(json));
    assert_eq!(
        found_in("# HELP serverrs_http_panics Handlers that panicked."),
        None
    );
}

/// Becomes the server after a word of its own.
#[cfg(test)]
const AFTER_A_PANIC: [&str; 4] = [
    "sh",
    "-c",
    "echo \"thread 'a' panicked at src/a.rs:1:2:\" >&2 && exec \"$@\"",
    "sh",
];

#[tokio::test]
#[should_panic(expected = "panic in what was printed")]
async fn server_that_has_panicked_fails_its_test() {
    let server = super::Builder::offline()
        .under(&AFTER_A_PANIC)
        .start()
        .await;
    assert_eq!(server.api().get("/livez").await.status, 200);
}

#[tokio::test]
#[should_panic(expected = "panic in what was printed")]
async fn command_that_has_panicked_fails_its_test() {
    let words = [&AFTER_A_PANIC[1..], &["true"]].concat();
    let (none, folder) = (std::collections::BTreeMap::new(), std::path::Path::new("/"));
    super::run(AFTER_A_PANIC[0], words, &none, folder).await;
}
