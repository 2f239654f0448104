//! Settings of keys and limits.

use super::keys::{self, KeyFile, KeysConfig};
use super::limiter::{Limits, Quota};
use crate::config::Env;

/// Fewer characters than these are few enough to be tried out.
const MIN_KEY: usize = 16;

/// Who may ask, and how often.
#[derive(Debug, Clone, Default)]
pub struct ProtectConfig {
    /// `API_KEY` (or `API_KEY_FILE`; keys by comma) and `API_KEYS_FILE`: with either, routes that resolve need a key.
    pub keys: KeysConfig,
    /// `API_KEY_MEDIA` (0): media links need a key too.
    pub media_needs_key: bool,
    /// `RATE_LIMIT_PER_MINUTE` (0: no limit) and `RATE_LIMIT_MEDIA_PER_MINUTE` (the same): requests of one client in a
    /// minute, for routes that resolve and for media links.
    pub limits: Limits,
}

impl ProtectConfig {
    /// Reads the variables named at the fields.
    pub fn from_env(env: &mut Env) -> Self {
        let keys = keys(env);
        let media_needs_key = env.flag("API_KEY_MEDIA", false);
        if media_needs_key && keys.plain.is_empty() && keys.file.is_none() {
            env.fault("API_KEY_MEDIA", "needs API_KEY or API_KEYS_FILE");
        }
        let mut limit = |name| env.number(name, 0..=u32::MAX);
        let resolve = limit("RATE_LIMIT_PER_MINUTE").unwrap_or(0);
        let media = limit("RATE_LIMIT_MEDIA_PER_MINUTE").unwrap_or(resolve);
        Self {
            keys,
            media_needs_key,
            limits: Limits {
                resolve: Quota::per_minute(resolve),
                media: Quota::per_minute(media),
            },
        }
    }
}

fn keys(env: &mut Env) -> KeysConfig {
    let texts = env.secrets("API_KEY");
    env.must_fit_header("API_KEY", &texts);
    if texts.iter().any(|key| key.reveal().len() < MIN_KEY) {
        tracing::warn!(
            "a key of `API_KEY` is short and can be guessed: `serverrs key` prints a long one"
        );
    }
    let numbered = (1..).zip(&texts);
    let plain: Vec<_> = numbered
        .map(|(place, key)| keys::plain(place, key.reveal()))
        .collect();
    if let Err(fault) = keys::check_unique(plain.iter()) {
        env.fault("API_KEY", fault);
    }
    let file = env.path("API_KEYS_FILE").and_then(|path| {
        let shown = path.display().to_string();
        let opened = KeyFile::open(path).and_then(|file| {
            keys::check_unique(plain.iter().chain(file.keys()))?;
            Ok(file)
        });
        let noted =
            opened.map_err(|fault| env.fault("API_KEYS_FILE", format_args!("`{shown}`: {fault}")));
        noted.ok()
    });
    KeysConfig { plain, file }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> (ProtectConfig, Vec<String>) {
        let mut env = Env::from_pairs(pairs.iter().copied());
        let config = ProtectConfig::from_env(&mut env);
        let faults = env.finish().err().map(|error| error.faults);
        let names = faults.into_iter().flatten().map(|fault| fault.name);
        (config, names.collect())
    }

    #[test]
    fn nothing_is_asked_for_by_default() {
        let (config, faults) = read(&[]);
        assert!(faults.is_empty());
        assert!(config.keys.plain.is_empty() && config.keys.file.is_none());
        assert_eq!(config.limits, Limits::default());
        assert!(!config.media_needs_key);
    }

    #[test]
    fn limit_of_media_is_that_of_resolving_unless_it_has_its_own() {
        let limits = |pairs: &[(&str, &str)]| {
            let limits = read(pairs).0.limits;
            [limits.resolve, limits.media].map(|quota| quota.map_or(0, Quota::requests))
        };
        assert_eq!(limits(&[("RATE_LIMIT_PER_MINUTE", "60")]), [60, 60]);
        let apart = [
            ("RATE_LIMIT_PER_MINUTE", "60"),
            ("RATE_LIMIT_MEDIA_PER_MINUTE", "0"),
        ];
        assert_eq!(limits(&apart), [60, 0]);
    }

    #[test]
    fn values_that_can_not_be_used_are_faults() {
        let bad = [
            ("API_KEY", "same, other,same"),
            ("API_KEYS_FILE", "/nonexistent/keys.json"),
            ("API_KEY_MEDIA", "perhaps"),
            ("RATE_LIMIT_PER_MINUTE", "-1"),
            ("RATE_LIMIT_MEDIA_PER_MINUTE", "many"),
        ];
        assert_eq!(read(&bad).1, bad.map(|(name, _)| name));
        assert_eq!(read(&[("API_KEY_MEDIA", "1")]).1, ["API_KEY_MEDIA"]);
    }
}
