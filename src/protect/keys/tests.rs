//! Keys in their file and in the variable, good and bad.

use std::time::UNIX_EPOCH;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::*;

fn hex(key: &str) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for byte in Sha256::digest(key.as_bytes()) {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}

fn keys(json: &str) -> Result<Vec<Key>, String> {
    parse(json.replace("KEY", &hex("k")).as_bytes())
}

#[test]
fn entry_is_read_with_all_its_fields() {
    let json = r#"[{"id":"a.b@c-1","sha256":"KEY","limit_per_minute":5,"routes":["/resolve"],
        "expires":"2030-01-31T12:00:00+01:00"}]"#;
    let key = keys(json).unwrap().remove(0);
    assert_eq!((&*key.id, key.limit_per_minute), ("a.b@c-1", Some(5)));
    assert_eq!(key.expires_at, Some(1_896_087_600));
    assert!(key.opens("/resolve") && !key.opens("/playlist"));
    let plain = keys(r#"[{"id":"a","sha256":"KEY","expires":7}]"#)
        .unwrap()
        .remove(0);
    assert_eq!((plain.limit_per_minute, plain.expires_at), (None, Some(7)));
    assert!(plain.opens("/anything"));
    assert_eq!(keys("[]"), Ok(Vec::new()));
}

#[test]
fn files_that_can_not_be_used_say_why() {
    let twice = format!(
        r#"[{{"id":"a","sha256":"KEY"}},{{"id":"a","sha256":"{}"}}]"#,
        hex("l")
    );
    for (json, part) in [
        ("", "not a JSON list"),
        ("{}", "not a JSON list"),
        (r#"[{"id":"a","sha256":"KEY""#, "not a JSON list"),
        (r#"[{"id":"a","id":"b","sha256":"KEY"}]"#, "duplicate field"),
        (r#"[{"id":"a","sha256":"KEY","limit":5}]"#, "unknown field"),
        (
            r#"[{"id":"a","sha256":"KEY","limit_per_minute":-1}]"#,
            "not a JSON list",
        ),
        (r#"[{"id":"","sha256":"KEY"}]"#, "key number 1: `id`"),
        (r#"[{"id":"a b","sha256":"KEY"}]"#, "`id`"),
        (r#"[{"id":"a","sha256":"KEYx"}]"#, "`sha256`"),
        (r#"[{"id":"a","sha256":"+f"}]"#, "`sha256`"),
        (
            r#"[{"id":"a","sha256":"KEY","routes":["resolve"]}]"#,
            "`routes`",
        ),
        (
            r#"[{"id":"a","sha256":"KEY","routes":["/resolve","/facts"]}]"#,
            r#"key number 1: `routes`: "/facts""#,
        ),
        (
            r#"[{"id":"a","sha256":"KEY","expires":"soon"}]"#,
            "`expires`",
        ),
        (
            r#"[{"id":"a","sha256":"KEY"},{"id":"b","sha256":"KEY"}]"#,
            "the same key",
        ),
        (&twice, "there twice"),
    ] {
        let fault = keys(json).unwrap_err();
        assert!(fault.contains(part), "{json}: {fault}");
    }
}

#[test]
fn key_is_found_until_it_expires() {
    let mut early = plain(1, "early");
    early.expires_at = Some(1000);
    let config = KeysConfig {
        plain: vec![plain(0, "other"), early],
        file: None,
    };
    let at = |second| Clock::Fixed(UNIX_EPOCH + Duration::from_secs(second));
    let found = |second, shown: Option<&str>| {
        let keys = Keys::new(config.clone(), at(second));
        let found = keys.find(shown.map(str::as_bytes));
        found.map(|key| key.id.to_string())
    };
    assert_eq!(found(999, Some("early")), Ok("API_KEY-1".to_owned()));
    assert_eq!(found(1000, Some("early")), Err(KeyFault::Expired));
    assert_eq!(found(1000, Some("other")), Ok("API_KEY-0".to_owned()));
    assert_eq!(found(0, Some("")), Err(KeyFault::Unknown));
    assert_eq!(found(0, None), Err(KeyFault::Missing));
}

#[test]
fn changed_file_counts_and_a_broken_one_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    let write = |text: &str| std::fs::write(&path, text).unwrap();
    let entry = |id: &str| format!(r#"{{"id":"{id}","sha256":"{}"}}"#, hex(id));
    write(&format!("[{}]", entry("a")));
    let config = KeysConfig {
        plain: vec![plain(0, "p")],
        file: Some(KeyFile::open(path.clone()).unwrap()),
    };
    let keys = Keys::new(config, Clock::System);
    let file = keys.file.as_ref().unwrap();
    let mut now = Instant::now();
    let mut ids = || {
        now += CHECK_INTERVAL;
        file.renew(&keys.plain, now);
        let keys = file.keys.load();
        keys.iter()
            .map(|key| key.id.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(), ["a"]);
    write(&format!("[{},{}]", entry("b"), entry("cc")));
    assert_eq!(ids(), ["b", "cc"]);
    for broken in [
        format!("[{},{{\"id\":", entry("d")),
        format!("[{}]", entry("p")),
        format!("[{}]", entry("d").replace('}', r#","routes":["/facts"]}"#)),
        String::new(),
    ] {
        write(&broken);
        assert_eq!(ids(), ["b", "cc"], "{broken}");
    }
    std::fs::remove_file(&path).unwrap();
    assert_eq!(ids(), ["b", "cc"]);
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR, 0).unwrap();
    assert_eq!(ids(), ["b", "cc"], "a pipe is not waited for");
    let fault = KeyFile::open(path.clone()).unwrap_err();
    assert_eq!(fault, "is no regular file");
    std::fs::remove_file(&path).unwrap();
    write("[]");
    assert_eq!(ids(), Vec::<String>::new());
    assert!(keys.are_configured());
}
