//! The table: printed as it grows, and written to a file at the end.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use crate::Result;

/// One figure.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// What it is, with its unit.
    pub(crate) figure: String,
    /// Ours.
    pub(crate) ours: f64,
    /// nginx's, where there is one.
    pub(crate) nginx: Option<f64>,
    /// What is to be reached, if anything.
    pub(crate) goal: Option<Goal>,
}

/// What is to be reached.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    /// Our figure, at most.
    AtMost(f64),
    /// Our figure, at least.
    AtLeast(f64),
    /// Our figure divided by nginx's, at most.
    RatioAtMost(f64),
    /// Our figure divided by nginx's, at least.
    RatioAtLeast(f64),
}

impl Row {
    /// A figure of ours alone.
    pub(crate) fn own(figure: impl Into<String>, ours: f64, goal: Option<Goal>) -> Self {
        Self {
            figure: figure.into(),
            ours,
            nginx: None,
            goal,
        }
    }

    /// A figure beside nginx's.
    pub(crate) fn beside(
        figure: impl Into<String>,
        ours: f64,
        nginx: f64,
        goal: Option<Goal>,
    ) -> Self {
        Self {
            nginx: Some(nginx),
            ..Self::own(figure, ours, goal)
        }
    }

    fn ratio(&self) -> Option<f64> {
        self.nginx
            .filter(|nginx| *nginx > 0.0)
            .map(|nginx| self.ours / nginx)
    }

    fn goal_text(&self) -> String {
        match self.goal {
            Some(Goal::AtMost(most)) => format!("≤ {}", number(most)),
            Some(Goal::AtLeast(least)) => format!("≥ {}", number(least)),
            Some(Goal::RatioAtMost(most)) => format!("≤ {most:.2} × nginx"),
            Some(Goal::RatioAtLeast(least)) => format!("≥ {least:.2} × nginx"),
            None => String::new(),
        }
    }

    fn verdict(&self) -> &'static str {
        let is_met = match (self.goal, self.ratio()) {
            (Some(Goal::AtMost(most)), _) => self.ours <= most,
            (Some(Goal::AtLeast(least)), _) => self.ours >= least,
            (Some(Goal::RatioAtMost(most)), Some(ratio)) => ratio <= most,
            (Some(Goal::RatioAtLeast(least)), Some(ratio)) => ratio >= least,
            (Some(_), None) => false,
            (None, _) => return "",
        };
        if is_met { "yes" } else { "no" }
    }

    fn line(&self) -> String {
        format!(
            "| {} | {} | {} | {} | {} | {} |",
            self.figure,
            number(self.ours),
            self.nginx.map_or(String::new(), number),
            self.ratio()
                .map_or(String::new(), |ratio| format!("{ratio:.2}")),
            self.goal_text(),
            self.verdict()
        )
    }
}

/// Three significant digits, and no fraction of large numbers.
fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

const HEADER: &str =
    "| figure | serverrs | nginx | ratio | goal | met |\n|---|---|---|---|---|---|";

/// The table while it grows.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
    notes: Vec<String>,
}

impl Report {
    /// Adds and prints a figure.
    pub(crate) fn add(&mut self, row: Row) {
        if self.rows.is_empty() {
            say(HEADER);
        }
        say(&row.line());
        self.rows.push(row);
    }

    /// Whether every goal is met.
    pub(crate) fn is_met(&self) -> bool {
        self.rows.iter().all(|row| row.verdict() != "no")
    }

    /// Adds what a reader must know about a figure.
    pub(crate) fn note(&mut self, note: String) {
        progress(&note);
        self.notes.push(note);
    }

    /// Writes all to `file`, before the sections there that others write.
    pub(crate) fn write(&self, file: &Path, facts: &[String], elapsed_s: u64) -> Result<()> {
        let mut text = String::from(
            "# Results\n\nWritten by `bench/run.sh` or `bench/soak.sh`; what each figure means: [README.md](README.md).\n\n",
        );
        for fact in facts {
            writeln!(text, "- {fact}")?;
        }
        writeln!(text, "- the whole run took {elapsed_s} s\n\n{HEADER}")?;
        for row in &self.rows {
            writeln!(text, "{}", row.line())?;
        }
        if !self.notes.is_empty() {
            text.push('\n');
        }
        for note in &self.notes {
            writeln!(text, "- {note}")?;
        }
        let old = std::fs::read_to_string(file).unwrap_or_default();
        if let Some(sections) = old.find("\n## ") {
            text += &old[sections..];
        }
        std::fs::write(file, text)?;
        Ok(())
    }
}

fn say(text: &str) {
    // Nobody to tell when it fails.
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// What goes on, for the person who waits.
pub(crate) fn progress(text: &str) {
    let _ = writeln!(std::io::stderr(), "  {text}");
}

/// Why the run ends.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "bench: {text}");
}
