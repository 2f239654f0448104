//! The environment as one value: read once, asked by name, faults collected.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use super::Secret;

/// One variable that can't be used, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Name of the variable.
    pub name: String,
    /// What is wrong and what is accepted.
    pub message: String,
}

/// The configuration can't be used; every fault is listed.
#[derive(Debug, thiserror::Error)]
#[error("configuration: {}", list(.faults))]
pub struct ConfigError {
    /// The faults, in the order in which they were found.
    pub faults: Vec<Fault>,
}

fn list(faults: &[Fault]) -> String {
    let lines: Vec<String> = faults
        .iter()
        .map(|fault| format!("\n  {}: {}", fault.name, fault.message))
        .collect();
    lines.concat()
}

/// Process variables joined with `.env`, asked by name.
///
/// A value that doesn't parse is noted as a [`Fault`] and the default is used meanwhile, so that one start lists
/// all faults. An empty value counts as unset, as in a compose file that passes `NAME=${NAME}`.
#[derive(Debug, Default)]
pub struct Env {
    values: BTreeMap<String, String>,
    asked: Vec<String>,
    seen: BTreeSet<String>,
    unreadable: BTreeSet<String>,
    /// Names that stand in `.env` more than once, with different values.
    ambiguous: BTreeSet<String>,
    faults: Vec<Fault>,
}

impl Env {
    /// Reads the process environment and `.env` in the working directory; the process wins.
    pub fn from_process() -> Self {
        let mut env = Self::default();
        match dotenvy::from_path_iter(Path::new(".env")) {
            Ok(pairs) => env.add_dotenv(pairs),
            Err(dotenvy::Error::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => env.fault(".env", error),
        }
        for (name, value) in std::env::vars_os() {
            env.add_process(name, value);
        }
        env
    }

    /// An environment of the given variables alone, for tests and embedding.
    pub fn from_pairs<N, V>(pairs: impl IntoIterator<Item = (N, V)>) -> Self
    where
        N: Into<String>,
        V: Into<String>,
    {
        Self {
            values: pairs
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            ..Self::default()
        }
    }

    /// What `read` makes of these variables, and every fault as `NAME: message`.
    #[cfg(test)]
    pub(crate) fn read_pairs<T>(
        pairs: &[(&str, &str)],
        read: impl FnOnce(&mut Self) -> T,
    ) -> (T, Vec<String>) {
        let mut env = Self::from_pairs(pairs.iter().copied());
        let config = read(&mut env);
        let faults = env.finish().err().map(|error| error.faults);
        let told = faults.unwrap_or_default().into_iter();
        let told = told.map(|fault| format!("{}: {}", fault.name, fault.message));
        (config, told.collect())
    }

    fn add_dotenv(&mut self, pairs: impl Iterator<Item = dotenvy::Result<(String, String)>>) {
        for pair in pairs {
            match pair {
                Ok((name, value)) => {
                    let before = self.values.insert(name.clone(), value.clone());
                    if before.is_some_and(|before| before != value) {
                        self.ambiguous.insert(name);
                    }
                }
                // The reader tells the same error for ever, as with a `.env` that is a folder.
                Err(dotenvy::Error::Io(error)) => {
                    self.fault(".env", error);
                    return;
                }
                // The library's message quotes the line, which may hold a secret.
                Err(_) => self.fault(".env", "a line is not of the form NAME=value"),
            }
        }
    }

    /// A value that is no text is a fault when its name is one of ours; foreign ones don't matter.
    fn add_process(&mut self, name: OsString, value: OsString) {
        let Ok(name) = name.into_string() else {
            return;
        };
        // Whatever `.env` says of it, this counts.
        self.ambiguous.remove(&name);
        match value.into_string() {
            Ok(value) => {
                self.values.insert(name, value);
            }
            Err(_) => {
                self.unreadable.insert(name);
            }
        }
    }

    /// Notes that `name` can't be used. What several readers of one variable say alike is noted once.
    pub fn fault(&mut self, name: &str, message: impl Display) {
        let fault = Fault {
            name: name.to_owned(),
            message: message.to_string(),
        };
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    /// The trimmed value of `name`; `None` when unset or empty.
    pub fn text(&mut self, name: &str) -> Option<String> {
        if self.seen.insert(name.to_owned()) {
            self.asked.push(name.to_owned());
            if self.unreadable.contains(name) {
                self.fault(name, "is not valid UTF-8");
            }
        }
        let value = self.values.get(name)?.trim();
        (!value.is_empty()).then(|| value.to_owned())
    }

    /// The value of `name` as a `T`, or `default` when unset.
    pub fn parse<T>(&mut self, name: &str, default: T) -> T
    where
        T: FromStr,
        T::Err: Display,
    {
        let Some(value) = self.text(name) else {
            return default;
        };
        value.parse().unwrap_or_else(|error| {
            self.fault(name, format_args!("`{value}`: {error}"));
            default
        })
    }

    /// A whole number within `bounds`; `None` when unset.
    pub fn number<T>(&mut self, name: &str, bounds: RangeInclusive<T>) -> Option<T>
    where
        T: FromStr + PartialOrd + Display,
    {
        self.measure(name, bounds, "")
    }

    /// A [`number`](Self::number) of something that the fault names, with a space before it.
    fn measure<T>(&mut self, name: &str, bounds: RangeInclusive<T>, unit: &str) -> Option<T>
    where
        T: FromStr + PartialOrd + Display,
    {
        let value = self.text(name)?;
        let number = value.parse().ok().filter(|number| bounds.contains(number));
        if number.is_none() {
            let (min, max) = (bounds.start(), bounds.end());
            self.fault(
                name,
                format_args!("`{value}`: must be a whole number from {min} to {max}{unit}"),
            );
        }
        number
    }

    /// A count in `min..=max`.
    pub fn count(&mut self, name: &str, default: usize, min: usize, max: usize) -> usize {
        self.number(name, min..=max).unwrap_or(default)
    }

    /// A length of time in whole seconds, in `min..=86400`.
    pub fn seconds(&mut self, name: &str, default: u64, min: u64) -> Duration {
        let seconds = self.measure(name, min..=86_400, " seconds");
        Duration::from_secs(seconds.unwrap_or(default))
    }

    /// A switch: `1/true/yes/on` or `0/false/no/off`.
    pub fn flag(&mut self, name: &str, default: bool) -> bool {
        let Some(value) = self.text(name) else {
            return default;
        };
        match value.to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" | "on" => true,
            "0" | "false" | "no" | "off" => false,
            _ => {
                self.fault(name, format_args!("`{value}`: must be 1 or 0"));
                default
            }
        }
    }

    /// Values separated by commas, trimmed, empty ones dropped.
    pub fn list(&mut self, name: &str) -> Vec<String> {
        let Some(value) = self.text(name) else {
            return Vec::new();
        };
        value
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// A path; `None` when unset.
    pub fn path(&mut self, name: &str) -> Option<PathBuf> {
        self.text(name).map(PathBuf::from)
    }

    /// The folders in which programs are looked for.
    pub fn search_path(&self) -> Vec<PathBuf> {
        let path = self.values.get("PATH").map_or("", String::as_str);
        std::env::split_paths(path).collect()
    }

    /// This very program, to be started again as a child.
    pub fn own_program(&self) -> PathBuf {
        // The link follows the file even when it has been replaced by a newer one since.
        let link = Path::new("/proc/self/exe");
        if link.exists() {
            return link.to_owned();
        }
        std::env::current_exe().unwrap_or_else(|_| PathBuf::from("serverrs"))
    }

    /// A secret from `name`, or from the file that `name_FILE` points at; both at once is a fault.
    pub fn secret(&mut self, name: &str) -> Option<Secret> {
        let twin = format!("{name}_FILE");
        let inline = self.text(name);
        let file = self.path(&twin);
        match (inline, file) {
            (Some(_), Some(_)) => {
                self.fault(&twin, format_args!("is set together with {name}: use one"));
                None
            }
            (Some(value), None) => Some(Secret::new(value)),
            (None, Some(path)) => self.secret_file(&twin, &path),
            (None, None) => None,
        }
    }

    /// Secrets separated by commas, from `name` or from the file that `name_FILE` points at; empty ones dropped.
    pub fn secrets(&mut self, name: &str) -> Vec<Secret> {
        let list = self.secret(name);
        let parts = list.as_ref().map_or("", Secret::reveal).split(',');
        parts
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(|part| Secret::new(part.to_owned()))
            .collect()
    }

    /// Notes a fault when one of `secrets`, which were read from `name` or its file, can't be sent in a header.
    pub fn must_fit_header(&mut self, name: &str, secrets: &[Secret]) {
        let has_control = |secret: &Secret| secret.reveal().chars().any(char::is_control);
        if secrets.iter().any(has_control) {
            self.fault(
                name,
                "holds a control character, such as a line break, which can't be sent in a header (value not shown)",
            );
        }
    }

    fn secret_file(&mut self, name: &str, path: &Path) -> Option<Secret> {
        match std::fs::read_to_string(path) {
            Ok(text) if text.trim().is_empty() => {
                self.fault(name, format_args!("`{}` is empty", path.display()));
                None
            }
            Ok(text) => Some(Secret::new(text.trim().to_owned())),
            Err(error) => {
                self.fault(name, format_args!("`{}`: {error}", path.display()));
                None
            }
        }
    }

    /// Warns of each name that stands in `.env` more than once, with different values. Apart from the reading, because the
    /// log is only set up by what was read.
    pub fn warn_of_ambiguous(&self) {
        for variable in &self.ambiguous {
            tracing::warn!(
                variable,
                "stands in `.env` with different values: the last one counts"
            );
        }
    }

    /// Names asked for so far, in order, once each. `.env.example` is held against this list.
    pub fn asked(&self) -> &[String] {
        &self.asked
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// [`ConfigError`] with every fault noted since the start.
    pub fn finish(self) -> Result<(), ConfigError> {
        if self.faults.is_empty() {
            return Ok(());
        }
        Err(ConfigError {
            faults: self.faults,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_that_is_none_or_out_of_bounds_is_told_with_the_bounds() {
        let read = |value: &str| {
            let pairs = [("COUNT", value), ("TIME", value)];
            Env::read_pairs(&pairs, |env| {
                (env.count("COUNT", 7, 1, 9), env.seconds("TIME", 7, 1))
            })
        };
        for wrong in ["abc", "-1", "0", "1.5", "99999999999999999999"] {
            let (values, faults) = read(wrong);
            assert_eq!(values, (7, Duration::from_secs(7)), "{wrong}");
            let expected = [
                format!("COUNT: `{wrong}`: must be a whole number from 1 to 9"),
                format!("TIME: `{wrong}`: must be a whole number from 1 to 86400 seconds"),
            ];
            assert_eq!(faults, expected);
        }
        assert_eq!(read(" 9 "), ((9, Duration::from_secs(9)), Vec::new()));
        assert_eq!(read(""), ((7, Duration::from_secs(7)), Vec::new()));
    }

    #[test]
    fn names_with_different_values_in_dotenv_are_noted_unless_the_process_decides() {
        let pairs = [
            ("A", "1"),
            ("B", "1"),
            ("C", "1"),
            ("A", "2"),
            ("B", "1"),
            ("C", "2"),
        ];
        let pairs = pairs.map(|(name, value)| Ok((name.to_owned(), value.to_owned())));
        let mut env = Env::default();
        env.add_dotenv(pairs.into_iter());
        env.add_process("C".into(), "3".into());
        assert_eq!(env.ambiguous, BTreeSet::from(["A".to_owned()]));
        assert_eq!(env.text("A").as_deref(), Some("2"));
    }

    #[test]
    fn secrets_with_control_characters_are_faults_without_the_value() {
        for (value, count) in [("hunter2\nhunter2", 1), ("a\u{7}", 1), ("a, b é", 0)] {
            let ((), faults) = Env::read_pairs(&[("KEY", value)], |env| {
                let secrets = env.secrets("KEY");
                env.must_fit_header("KEY", &secrets);
            });
            assert_eq!(faults.len(), count, "{faults:?}");
            assert!(!faults.concat().contains("hunter2"), "{faults:?}");
        }
    }
}
