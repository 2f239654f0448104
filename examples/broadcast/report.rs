//! The section with the figures.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::Value;
use serverrs::clock::Clock;
use tokio::process::Command;

use crate::Result;
use crate::process;
use crate::watch::{Sample, Watch};

/// What the section begins with.
const TITLE: &str = "## A list in a loop";
/// Parts that a run is told in.
const PARTS: u32 = 12;
/// Parts at the beginning in which memory may still fill: caches, arenas of the allocator, pages of the database.
const WARM_UP: usize = 1;
/// Bytes of a mebibyte.
const MIB: f64 = 1_048_576.0;

/// Everything that is told.
pub(crate) struct Report<'a> {
    pub(crate) watch: &'a Watch,
    /// What the server says of itself at the end.
    pub(crate) status: &'a Value,
    pub(crate) ran: Duration,
    /// Load averages at the beginning.
    pub(crate) load: String,
    pub(crate) server: &'a Path,
}

/// What was seen in one part of the time.
struct Part {
    end: Duration,
    resident: f64,
    descriptors: (usize, usize, usize),
    threads: u64,
    children: usize,
    database: u64,
    gap: Duration,
    late: Duration,
    offset: Option<f64>,
    load: f64,
}

impl Part {
    fn of(samples: &[Sample]) -> Option<Self> {
        let last = samples.last()?;
        let most = |figure: fn(&Sample) -> u64| samples.iter().map(figure).max();
        let descriptors = sorted(samples, |sample| sample.descriptors);
        let resident = sorted(samples, |sample| sample.process.resident);
        let offsets: Vec<f64> = samples.iter().filter_map(|sample| sample.offset).collect();
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let loads: Vec<f64> = samples.iter().map(|sample| sample.load).collect();
        Some(Self {
            end: last.at,
            resident: resident[resident.len() / 2] as f64 / MIB,
            descriptors: (
                descriptors[0],
                descriptors[descriptors.len() / 2],
                *descriptors.last()?,
            ),
            threads: most(|sample| sample.process.threads)?,
            children: samples.iter().map(|sample| sample.process.children).max()?,
            database: last.database,
            gap: samples.iter().map(|sample| sample.gap).max()?,
            late: samples.iter().map(|sample| sample.late).max()?,
            offset: (!offsets.is_empty()).then(|| mean(&offsets)),
            load: mean(&loads),
        })
    }

    fn line(&self) -> String {
        let (fewest, usual, most) = self.descriptors;
        format!(
            "| {:.0} | {:.1} | {fewest} / {usual} / {most} | {} | {} | {} | {} | {} | {} | {:.1} |",
            self.end.as_secs_f64() / 60.0,
            self.resident,
            self.threads,
            self.children,
            self.database / 1024,
            self.gap.as_millis(),
            self.late.as_millis(),
            self.offset
                .map_or(String::new(), |offset| format!("{offset:.1}")),
            self.load,
        )
    }
}

fn sorted<T: Ord>(samples: &[Sample], figure: impl Fn(&Sample) -> T) -> Vec<T> {
    let mut figures: Vec<T> = samples.iter().map(figure).collect();
    figures.sort();
    figures
}

impl Report<'_> {
    /// The section as text.
    pub(crate) async fn text(&self) -> Result<String> {
        let parts = self.parts();
        let mut text = format!("{TITLE}\n\n");
        self.write_facts(&mut text).await?;
        text += "| figure | seen | gate | met |\n|---|---|---|---|\n";
        for (figure, seen, gate, is_met) in self.rows(&parts) {
            let verdict = is_met.map_or("", |is_met| if is_met { "yes" } else { "no" });
            writeln!(text, "| {figure} | {seen} | {gate} | {verdict} |")?;
        }
        text += "\n| until minute | RSS MiB, median | descriptors fewest / median / most | threads | children | database KiB | \
                 longest gap ms | of it the machine, most | sound after picture ms, mean | load |\n\
                 |---|---|---|---|---|---|---|---|---|---|\n";
        for part in &parts {
            writeln!(text, "{}", part.line())?;
        }
        Ok(text)
    }

    fn parts(&self) -> Vec<Part> {
        let end_of = |number: u32| self.ran * number / PARTS;
        let part = |number: u32| {
            let within =
                |sample: &&Sample| (end_of(number)..end_of(number + 1)).contains(&sample.at);
            let samples: Vec<Sample> = self.watch.samples.iter().filter(within).cloned().collect();
            Part::of(&samples)
        };
        (0..PARTS).filter_map(part).collect()
    }

    async fn write_facts(&self, text: &mut String) -> Result<()> {
        let date = httpdate::fmt_http_date(UNIX_EPOCH + Clock::System.unix());
        let version = Command::new(self.server).arg("--version").output().await?;
        let version = String::from_utf8_lossy(&version.stdout);
        let size = std::fs::metadata(self.server)?.len();
        let minutes = self.ran.as_secs() / 60;
        let cores = std::thread::available_parallelism()?;
        writeln!(
            text,
            "Written by `bench/broadcast.sh`; what each figure means: [README.md](README.md).\n\n\
             - ended {date}, after {minutes} minutes; {}, {size} bytes\n\
             - {cores} cores; load average at start {}, at the end {}; other work ran beside it when that is over 1\n",
            version.trim(),
            self.load,
            process::load_average(),
        )?;
        Ok(())
    }

    fn rows(&self, parts: &[Part]) -> Vec<(String, String, String, Option<bool>)> {
        let watch = self.watch;
        let (first, last) = (parts.get(WARM_UP), parts.last());
        let mut rows = Vec::new();
        let mut add = |figure: &str, seen: String, gate: &str, is_met: Option<bool>| {
            rows.push((figure.to_owned(), seen, gate.to_owned(), is_met));
        };
        if let (Some(first), Some(last)) = (first, last) {
            let growth = last.resident - first.resident;
            add(
                "RSS: last part less the second (the first is warm-up), MiB",
                format!("{growth:.1}"),
                "≤ 10",
                Some(growth <= 10.0),
            );
            let (before, after) = (first.descriptors, last.descriptors);
            add(
                "descriptors, median: second part, last part",
                format!("{}, {}", before.1, after.1),
                "the same, ± 2 of what an item opens",
                Some(before.1.abs_diff(after.1) <= 2 && before.0.abs_diff(after.0) <= 2),
            );
            let growth = last.database.saturating_sub(first.database) / 1024;
            add(
                "database with its log: largest, growth after the second part, KiB",
                format!("{}, {growth}", last.database / 1024),
                "≤ 8192",
                Some(last.database <= 8192 * 1024),
            );
        }
        add(
            "zombies at two looks",
            watch.zombies.to_string(),
            "0",
            Some(watch.zombies == 0),
        );
        let most = |gap: fn(&Sample) -> Duration| watch.samples.iter().map(gap).max();
        let (gap, own) = (most(|sample| sample.gap), most(Sample::own_gap));
        let (gap, own) = (gap.unwrap_or_default(), own.unwrap_or_default());
        add(
            "longest gap between two messages, ms; less what the machine held up a timer beside",
            format!("{}; {}", gap.as_millis(), own.as_millis()),
            "≤ 250 of the second",
            Some(own <= Duration::from_millis(250)),
        );
        add(
            "times that went back",
            watch.back.to_string(),
            "0",
            Some(watch.back == 0),
        );
        add(
            "connections; configuration records",
            format!("{}; {}", watch.connections, watch.records),
            "2 records each",
            Some(watch.records == 2 * watch.connections),
        );
        add(
            "flashes; not a second after the one before",
            format!("{}; {}", watch.flashes, watch.uneven),
            "0 outside the slate",
            None,
        );
        self.add_offsets(&mut add);
        self.add_status(&mut add);
        rows
    }

    fn add_offsets(&self, add: &mut impl FnMut(&str, String, &str, Option<bool>)) {
        let offsets = self
            .watch
            .samples
            .iter()
            .filter_map(|sample| sample.offsets);
        let (least, most) = offsets.fold((f64::MAX, f64::MIN), |(least, most), next| {
            (least.min(next.0), most.max(next.1))
        });
        add(
            "sound after picture, least and most, ms",
            format!("{least:.0}, {most:.0}"),
            "-40 … 60",
            Some(least >= -40.0 && most <= 60.0),
        );
        let means = self.watch.samples.iter();
        let means: Vec<(f64, f64)> = means
            .filter_map(|sample| Some((sample.at.as_secs_f64() / 3600.0, sample.offset?)))
            .collect();
        let drift = slope(&means);
        add(
            "drift of the same, ms an hour",
            format!("{drift:.2}"),
            "≤ 1",
            Some(drift.abs() <= 1.0),
        );
    }

    fn add_status(&self, add: &mut impl FnMut(&str, String, &str, Option<bool>)) {
        let faults = &self.status["faults"];
        for (figure, key) in [
            ("reconnects, by the server's status", "reconnects"),
            ("slate, ms, by the server's status", "slate_ms"),
            ("items that failed, by the server's status", "item_failures"),
        ] {
            add(figure, faults[key].to_string(), "", None);
        }
        let now = &self.status["now"];
        add(
            "whole lists played, by the server's status",
            now["cycle"].to_string(),
            "",
            None,
        );
        let ticks = self
            .watch
            .samples
            .last()
            .map_or(0, |last| last.process.ticks);
        let ticks_per_second = rustix::param::clock_ticks_per_second() as f64;
        let share = ticks as f64 / ticks_per_second / self.ran.as_secs_f64();
        add(
            "CPU of the server alone, % of a core",
            format!("{:.2}", share * 100.0),
            "",
            None,
        );
    }
}

/// The slope of the straight line with the least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let sum = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>();
    let (x, y) = (sum(|point| point.0), sum(|point| point.1));
    let (xy, xx) = (
        sum(|point| point.0 * point.1),
        sum(|point| point.0 * point.0),
    );
    let below = count * xx - x * x;
    if below > 0.0 {
        (count * xy - x * y) / below
    } else {
        0.0
    }
}

/// Puts the section into a file in place of the one before; it goes to the end where there was none.
pub(crate) fn replace_section(file: &Path, section: &str) -> Result<()> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let (before, rest) = text.split_once(TITLE).unwrap_or((&text, ""));
    let after = rest.find("\n## ").map_or("", |at| &rest[at..]);
    let before = before.trim_end();
    std::fs::write(file, format!("{before}\n\n{section}{after}"))?;
    Ok(())
}
