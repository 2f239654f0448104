//! Keys of SRT targets, for [`crate::fuzz`].

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::options::SrtOptions;

/// What a key may set.
const NAMES: [&str; 4] = ["streamid", "passphrase", "pbkeylen", "latency"];

/// Keys: none sets anything else or begins a line of its own, what is set is read again as it was written, and what is
/// secret is struck from what is told.
pub(in crate::broadcast) fn key(data: &[u8]) {
    let key = String::from_utf8_lossy(data);
    let Some(options) = SrtOptions::parse(&key) else {
        return;
    };
    let lines = options.to_lines();
    let mut again = "?".to_owned();
    for line in lines.lines() {
        let (name, value) = line.split_once('=').unwrap_or_default();
        assert!(NAMES.contains(&name), "{line:?}");
        assert!(
            !value.is_empty() && !value.contains(char::is_control),
            "{line:?}"
        );
        let value = utf8_percent_encode(value, NON_ALPHANUMERIC).to_string();
        again = [&again, name, "=", &value, "&"].concat();
    }
    let written = SrtOptions::parse(&again).map(|options| options.to_lines());
    assert_eq!(written.as_ref(), Some(&lines), "{again}");
    let told = options.clean(&lines);
    let secrets = lines.lines().filter_map(|line| line.split_once('='));
    // A shorter one may be part of the names.
    for (_, secret) in
        secrets.filter(|(name, value)| NAMES[..2].contains(name) && value.len() >= 16)
    {
        assert!(!told.contains(secret), "{told}");
    }
}
