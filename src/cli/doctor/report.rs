//! The lines of the report.

use std::net::IpAddr;

use crate::cli::exit::Exit;
use crate::cli::say;
use crate::cli::text::plain;
use crate::telemetry::Collected;

/// Messages of the log that are told better by a line of their own.
const TOLD: [&str; 3] = [
    "`ENCRYPTION_KEY` is not set",
    "no temporary files",
    "extraction failed",
];

/// Writes lines, and counts what is wrong.
pub(super) struct Report {
    log: Collected,
    fine: u32,
    warnings: u32,
    failures: u32,
}

impl Report {
    pub(super) fn new(log: Collected) -> Self {
        Self {
            log,
            fine: 0,
            warnings: 0,
            failures: 0,
        }
    }

    pub(super) fn ok(&mut self, what: &str, text: &str) {
        self.fine += 1;
        line("ok", what, text);
    }

    pub(super) fn warn(&mut self, what: &str, text: &str, advice: &str) {
        self.warnings += 1;
        line("warn", what, text);
        line("", "", advice);
    }

    pub(super) fn fail(&mut self, what: &str, text: &str, advice: &str) {
        self.failures += 1;
        line("fail", what, text);
        line("", "", advice);
    }

    /// Tells the warnings that were logged since the last call; returns all messages.
    pub(super) fn log(&mut self) -> Vec<String> {
        let noted = self.log.take();
        for noted in noted.iter().filter(|noted| noted.is_warning) {
            if TOLD.iter().any(|told| noted.message.starts_with(told)) {
                continue;
            }
            self.warnings += 1;
            line(
                "warn",
                "log",
                &format!("{} {}", noted.message, noted.fields.join(" ")),
            );
        }
        noted.into_iter().map(|noted| noted.message).collect()
    }

    /// The last line.
    pub(super) fn end(&self) -> Exit {
        say("");
        say(&format!(
            "{} ok, {} to look at, {} failed",
            self.fine, self.warnings, self.failures
        ));
        if self.failures == 0 {
            Exit::Ok
        } else {
            Exit::Failure
        }
    }
}

/// The name of what the next lines are about.
pub(super) fn title(title: &str) {
    say(title);
}

fn line(state: &str, what: &str, text: &str) {
    say(format!("{state:<5} {what:<11} {}", plain(text)).trim_end());
}

/// An address without what tells one house from its neighbours.
pub(super) fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            format!("{a}.{b}.{c}.x")
        }
        IpAddr::V6(address) => {
            let [a, b, c, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:x")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_leaves_the_last_part_out() {
        for (address, shown) in [
            ("203.0.113.77", "203.0.113.x"),
            ("::ffff:203.0.113.77", "203.0.113.x"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:x"),
        ] {
            assert_eq!(network(address.parse().unwrap()), shown);
        }
    }
}
