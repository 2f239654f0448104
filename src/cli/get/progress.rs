//! How far a download is: a bar on a terminal, lines elsewhere, both on standard error.

use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::complain;

/// Time between two lines where there is no bar.
const LINE_INTERVAL: Duration = Duration::from_secs(10);
/// Rate, and time left where the length is known.
const BAR: &str = "{wide_bar} {percent:>3}%  {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left";
const COUNTER: &str = "{spinner} {bytes}  {bytes_per_sec}  {elapsed}";

/// Tells how far a download is.
pub(super) enum Progress {
    /// Nothing is told.
    Silent,
    /// On a terminal.
    Bar(ProgressBar),
    /// In lines.
    Lines(Lines),
}

/// A download told in lines.
pub(super) struct Lines {
    started: Instant,
    told: Instant,
    from: u64,
    bytes: u64,
    total: Option<u64>,
}

impl Progress {
    /// A bar on a terminal unless the log goes there; lines elsewhere.
    pub(super) fn new(is_quiet: bool, has_log: bool) -> Self {
        if is_quiet {
            return Self::Silent;
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        // It hides where there is no terminal, or one that can only write lines.
        if !has_log && !bar.is_hidden() {
            return Self::Bar(bar);
        }
        let now = Instant::now();
        Self::Lines(Lines {
            started: now,
            told: now,
            from: 0,
            bytes: 0,
            total: None,
        })
    }

    /// Says what happens before the first byte.
    pub(super) fn stage(&self, text: &'static str) {
        match self {
            Self::Silent => {}
            Self::Bar(bar) => {
                bar.set_style(style("{spinner} {msg}"));
                bar.set_message(text);
                bar.tick();
            }
            Self::Lines(_) => complain(text),
        }
    }

    /// Begins with `from` bytes of `total` that are there already.
    pub(super) fn begin(&mut self, what: &str, from: u64, total: Option<u64>) {
        let size = total.map_or_else(
            || "size unknown".to_owned(),
            |total| HumanBytes(total).to_string(),
        );
        let rest = match from {
            0 => size,
            from => format!("{size}, {} are there already", HumanBytes(from)),
        };
        match self {
            Self::Silent => {}
            Self::Bar(bar) => {
                bar.println(format!("{what}: {rest}"));
                match total {
                    Some(total) => bar.set_length(total),
                    None => bar.unset_length(),
                }
                bar.set_style(style(if total.is_some() { BAR } else { COUNTER }));
                bar.set_position(from);
                bar.reset_eta();
            }
            Self::Lines(lines) => {
                complain(&format!("{what}: {rest}"));
                let now = Instant::now();
                *lines = Lines {
                    started: now,
                    told: now,
                    from,
                    bytes: from,
                    total,
                };
            }
        }
    }

    /// More bytes are there.
    pub(super) fn advance(&mut self, bytes: u64) {
        match self {
            Self::Silent => {}
            Self::Bar(bar) => bar.inc(bytes),
            Self::Lines(lines) => lines.advance(bytes),
        }
    }

    /// All bytes are there.
    pub(super) fn end(&self) {
        match self {
            Self::Silent => {}
            Self::Bar(bar) => bar.finish_and_clear(),
            Self::Lines(lines) => complain(&lines.summary()),
        }
    }

    /// There will be no more; what was told stays.
    pub(super) fn give_up(&self) {
        if let Self::Bar(bar) = self {
            bar.abandon();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Lines {
    fn advance(&mut self, bytes: u64) {
        self.bytes += bytes;
        if self.told.elapsed() >= LINE_INTERVAL {
            self.told = Instant::now();
            complain(&self.line(self.started.elapsed()));
        }
    }

    fn line(&self, elapsed: Duration) -> String {
        let rate = self.rate(elapsed);
        let so_far = format!("{}  {}/s", HumanBytes(self.bytes), HumanBytes(rate));
        match self.total {
            Some(total) if total > 0 && rate > 0 => {
                let percent = self.bytes.saturating_mul(100) / total;
                let left = Duration::from_secs(total.saturating_sub(self.bytes) / rate);
                format!("{percent}%  {so_far}  {} left", HumanDuration(left))
            }
            _ => so_far,
        }
    }

    fn rate(&self, elapsed: Duration) -> u64 {
        let ms = elapsed.as_millis().max(1);
        let rate = u128::from(self.bytes - self.from) * 1000 / ms;
        u64::try_from(rate).unwrap_or(u64::MAX)
    }

    fn summary(&self) -> String {
        let elapsed = self.started.elapsed();
        format!(
            "{} in {:.1} s, {}/s",
            HumanBytes(self.bytes - self.from),
            elapsed.as_secs_f64(),
            HumanBytes(self.rate(elapsed))
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_tells_rate_and_time_left_of_what_came_now() {
        let now = Instant::now();
        let mut lines = Lines {
            started: now,
            told: now,
            from: 1024 * 1024,
            bytes: 3 * 1024 * 1024,
            total: Some(4 * 1024 * 1024),
        };
        let line = lines.line(Duration::from_secs(2));
        assert_eq!(line, "75%  3.00 MiB  1.00 MiB/s  1 second left");
        lines.total = None;
        assert_eq!(lines.line(Duration::from_secs(2)), "3.00 MiB  1.00 MiB/s");
    }

    #[test]
    fn templates_are_read() {
        for template in [BAR, COUNTER, "{spinner} {msg}"] {
            ProgressStyle::with_template(template).unwrap();
        }
    }
}
