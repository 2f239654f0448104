//! Settings of links, and which keys are too weak for them (api.md §6, ruling 9).

use std::time::Duration;

use crate::config::{Env, Secret};

/// Shortest key in characters.
const MIN_KEY_CHARS: usize = 16;
/// Fewest characters of a key that have to be guessed one by one. Of sixteen random digits, which are the least that may
/// be a key, twelve are usual.
const MIN_SUBSTANCE: usize = 6;
/// What keys are often made of; longer ones before their own parts.
const COMMON_WORDS: [&str; 11] = [
    "passphrase",
    "password",
    "passwort",
    "qwertyuiop",
    "qwerty",
    "asdfghjkl",
    "asdf",
    "secret",
    "letmein",
    "welcome",
    "admin",
];
/// Longest life of a link: a year in minutes.
const MAX_TTL_MINUTES: usize = 366 * 24 * 60;

/// Settings of links.
#[derive(Debug, Clone)]
pub struct LinksConfig {
    /// `ENCRYPTION_KEY`; `None` = a random key for this process, of which the caller warns.
    pub key: Option<Secret>,
    /// `ENCRYPTION_KEY_PREVIOUS`, separated by commas: keys that still open, never seal.
    pub previous: Vec<Secret>,
    /// `LINK_TTL_MINUTES`, 360 by default.
    pub ttl: Duration,
}

impl LinksConfig {
    /// Reads `ENCRYPTION_KEY`, `ENCRYPTION_KEY_PREVIOUS`, `LINK_TTL_MINUTES`. A weak key is a fault unless
    /// `ALLOW_INSECURE_KEY`; so is an unset one together with a Redis or an `INSTANCE_ID`: with several processes
    /// a link must open on each.
    pub fn from_env(env: &mut Env) -> Self {
        let key = env.secret("ENCRYPTION_KEY");
        // One that is set and can't be read is a fault already.
        let names = ["ENCRYPTION_KEY", "ENCRYPTION_KEY_FILE"];
        let is_unset = names.into_iter().all(|name| env.text(name).is_none());
        let previous = env.secrets("ENCRYPTION_KEY_PREVIOUS");
        let minutes = env.count("LINK_TTL_MINUTES", 360, 1, MAX_TTL_MINUTES);
        if !env.flag("ALLOW_INSECURE_KEY", false) {
            refuse_weak(env, "ENCRYPTION_KEY", key.as_slice());
            refuse_weak(env, "ENCRYPTION_KEY_PREVIOUS", &previous);
        }
        let others = ["REDIS_URL", "REDIS_URL_FILE", "REDIS_HOST", "INSTANCE_ID"]
            .map(|name| env.text(name).map(|_| name));
        if let (true, Some(name)) = (is_unset, others.into_iter().flatten().next()) {
            env.fault(
                "ENCRYPTION_KEY",
                format_args!(
                    "must be set, because `{name}` is: every process has to open the same links"
                ),
            );
        }
        Self {
            key,
            previous,
            ttl: Duration::from_secs((minutes as u64).saturating_mul(60)),
        }
    }

    /// Whether a key in use is weak, which `ALLOW_INSECURE_KEY` alone permits; the caller warns.
    pub fn is_weak(&self) -> bool {
        let mut keys = self.key.iter().chain(&self.previous);
        keys.any(|key| weakness(key.reveal()).is_some())
    }
}

fn refuse_weak(env: &mut Env, name: &str, keys: &[Secret]) {
    for weakness in keys.iter().filter_map(|key| weakness(key.reveal())) {
        env.fault(
            name,
            format_args!(
                "{weakness}: links are public, so it can be guessed; `serverrs key` prints a strong one"
            ),
        );
    }
}

fn weakness(key: &str) -> Option<&'static str> {
    if key.chars().count() < MIN_KEY_CHARS {
        Some("shorter than 16 characters")
    } else if is_placeholder(key) {
        Some("a sample value")
    } else if substance(key) < MIN_SUBSTANCE {
        Some("a common word, a sequence or a repetition")
    } else {
        None
    }
}

/// Sample values of this project's and the older servers' files, in any spelling: `overflow`, `change-me…`,
/// `your_secret_key…`.
fn is_placeholder(key: &str) -> bool {
    let letters = key.chars().filter(char::is_ascii_alphanumeric);
    let plain: String = letters.map(|c| c.to_ascii_lowercase()).collect();
    let is_yours = plain.starts_with("your") && (plain.contains("key") || plain.contains("secret"));
    let starts = ["changeme", "replaceme", "overflow"];
    is_yours || starts.iter().any(|start| plain.starts_with(start))
}

/// How many characters of a key have to be guessed one by one: not those of common words, not those that only repeat
/// or follow the one before (`aaa`, `123`), and of a repeated part only the first time.
fn substance(key: &str) -> usize {
    let mut plain = key.to_lowercase();
    for word in COMMON_WORDS {
        plain = plain.replace(word, "");
    }
    let characters: Vec<char> = plain.chars().collect();
    let part = characters.get(..period(&characters)).unwrap_or_default();
    let is_jump =
        |pair: &[char]| matches!(pair, [a, b] if u32::from(*a).abs_diff(u32::from(*b)) > 1);
    let jumps = part.windows(2).filter(|pair| is_jump(pair)).count();
    jumps.saturating_add(usize::from(!part.is_empty()))
}

/// Length of the part that, repeated and cut at the end, makes up the whole.
fn period(characters: &[char]) -> usize {
    let whole = characters.len();
    let repeats = |length: &usize| {
        characters
            .iter()
            .zip(characters.iter().skip(*length))
            .all(|(a, b)| a == b)
    };
    (1..whole).find(repeats).unwrap_or(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "k3y of the house, long";

    fn read(pairs: &[(&str, &str)]) -> (LinksConfig, Vec<String>) {
        let mut env = Env::from_pairs(pairs.iter().copied());
        let config = LinksConfig::from_env(&mut env);
        let faults = env.finish().err().map(|error| error.faults);
        let names = faults.unwrap_or_default().into_iter();
        (config, names.map(|fault| fault.name).collect())
    }

    #[test]
    fn links_config_defaults_are_a_random_key_and_six_hours() {
        let (config, faults) = read(&[]);
        assert!(config.key.is_none() && config.previous.is_empty() && faults.is_empty());
        assert_eq!(config.ttl, Duration::from_secs(360 * 60));
    }

    #[test]
    fn links_config_good_keys_are_taken() {
        let (config, faults) = read(&[
            ("ENCRYPTION_KEY", GOOD),
            (
                "ENCRYPTION_KEY_PREVIOUS",
                "the key of last year, 9f1c03e7ab52d684,",
            ),
            ("LINK_TTL_MINUTES", "5"),
        ]);
        assert_eq!(faults, Vec::<String>::new());
        let keys: Vec<&str> = config.previous.iter().map(Secret::reveal).collect();
        assert_eq!(keys, ["the key of last year", "9f1c03e7ab52d684"]);
        assert_eq!(config.key.unwrap().reveal(), GOOD);
        assert_eq!(config.ttl, Duration::from_secs(300));
    }

    #[test]
    fn links_config_weak_key_is_refused_unless_allowed() {
        for weak in [
            "overflow",
            "overflow-overflow-overflow",
            "fifteen letters",
            "your_secret_key_here",
            "your_secret_key",
            "your-secret-key-here",
            "Your 32 character secret",
            "change-me",
            "change-me-to-a-long-random-value",
            "CHANGE_ME_CHANGE_ME",
            "aaaaaaaaaaaaaaaa",
            "99999999999999999999999",
            "passwordpassword",
            "Password12345678",
            "admin:password:secret",
            "0123456789abcdef",
            "1234567890123456",
            "abcxabcxabcxabcxab",
            "qwertyuiopasdfgh",
        ] {
            let (_, faults) = read(&[("ENCRYPTION_KEY", weak)]);
            assert_eq!(faults, ["ENCRYPTION_KEY"], "{weak}");
            let (config, faults) = read(&[("ENCRYPTION_KEY", weak), ("ALLOW_INSECURE_KEY", "1")]);
            assert!(faults.is_empty() && config.is_weak(), "{weak}");
            let (_, faults) = read(&[("ENCRYPTION_KEY", GOOD), ("ENCRYPTION_KEY_PREVIOUS", weak)]);
            assert_eq!(faults, ["ENCRYPTION_KEY_PREVIOUS"], "{weak}");
        }
        assert!(!read(&[("ENCRYPTION_KEY", GOOD)]).0.is_weak());
    }

    #[test]
    fn links_config_weak_key_is_told_how_to_make_a_strong_one() {
        let (_, faults) = Env::read_pairs(&[("ENCRYPTION_KEY", "aaaaaaaaaaaaaaaa")], |env| {
            LinksConfig::from_env(env)
        });
        assert!(faults[0].contains("`serverrs key`"), "{faults:?}");
    }

    #[test]
    fn links_config_several_processes_need_a_key() {
        for name in ["REDIS_URL", "REDIS_URL_FILE", "REDIS_HOST", "INSTANCE_ID"] {
            assert_eq!(read(&[(name, "x")]).1, ["ENCRYPTION_KEY"]);
            assert!(read(&[(name, "x"), ("ENCRYPTION_KEY", GOOD)]).1.is_empty());
        }
        assert_eq!(read(&[("LINK_TTL_MINUTES", "0")]).1, ["LINK_TTL_MINUTES"]);
    }

    #[test]
    fn links_config_unreadable_key_file_is_one_fault() {
        let (_, faults) = read(&[
            ("ENCRYPTION_KEY_FILE", "/nonexistent"),
            ("INSTANCE_ID", "a"),
        ]);
        assert_eq!(faults, ["ENCRYPTION_KEY_FILE"]);
    }
}
