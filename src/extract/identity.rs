//! What a site sees of us, as data: user agents, header sets, hosts, limits of a conversation.
//!
//! Sites drift, so these values stand in a TOML file per site, embedded, and replaceable by a file named in the
//! environment. This room reads such files and checks them; each site defines the struct of its own file.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use rand::{Rng, RngExt};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::config::Env;
use crate::net::{GuardError, HostList, NetError};

/// Reads the file named by `variable`, else the embedded one. A file that can't be used is a fault of `env`, and the
/// embedded one is used meanwhile.
pub(in crate::extract) fn load<T: DeserializeOwned>(
    env: &mut Env,
    variable: &str,
    embedded: &'static str,
) -> T {
    if let Some(path) = env.path(variable) {
        let text = std::fs::read_to_string(&path).map_err(|error| error.to_string());
        match text.and_then(|text| toml::from_str(&text).map_err(|error| error.to_string())) {
            Ok(identity) => return identity,
            Err(message) => env.fault(variable, format_args!("`{}`: {message}", path.display())),
        }
    }
    parse_embedded(embedded)
}

#[expect(
    clippy::expect_used,
    reason = "each embedded file is parsed by a test of its site"
)]
fn parse_embedded<T: DeserializeOwned>(embedded: &'static str) -> T {
    toml::from_str(embedded).expect("the embedded identity file is valid")
}

/// Default of a switch that is on unless the file says otherwise.
pub(in crate::extract) fn yes() -> bool {
    true
}

/// `USER_AGENT`, if it is set and can be sent.
pub(in crate::extract) fn user_agent_override(env: &mut Env) -> Option<HeaderText> {
    let value = env.text("USER_AGENT")?;
    HeaderText::try_from(value)
        .map_err(|message| env.fault("USER_AGENT", message))
        .ok()
}

/// Text that may stand in a header.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
pub(in crate::extract) struct HeaderText(String, HeaderValue);

impl HeaderText {
    /// The text.
    pub(in crate::extract) fn as_str(&self) -> &str {
        &self.0
    }

    /// The same as a header value.
    pub(in crate::extract) fn value(&self) -> HeaderValue {
        self.1.clone()
    }
}

impl TryFrom<String> for HeaderText {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let value = HeaderValue::from_str(&text)
            .map_err(|_| "holds a character that can't stand in a header".to_owned())?;
        Ok(Self(text, value))
    }
}

/// Headers in the order in which they are sent: `[["accept", "*/*"], …]`, lower-case names.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(try_from = "Vec<(String, HeaderText)>")]
pub(in crate::extract) struct HeaderSet(Vec<(HeaderName, HeaderText)>);

impl TryFrom<Vec<(String, HeaderText)>> for HeaderSet {
    type Error = String;

    fn try_from(pairs: Vec<(String, HeaderText)>) -> Result<Self, String> {
        pairs
            .into_iter()
            .map(
                |(name, value)| match HeaderName::from_bytes(name.as_bytes()) {
                    Ok(name) => Ok((name, value)),
                    Err(_) => Err(format!("`{name}` is no header name")),
                },
            )
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl HeaderSet {
    /// The set as it goes into a page request, after a `user-agent`.
    pub(in crate::extract) fn with_user_agent(&self, user_agent: &HeaderText) -> HeaderMap {
        let mut map = HeaderMap::with_capacity(self.0.len() + 1);
        map.insert(http::header::USER_AGENT, user_agent.value());
        for (name, value) in &self.0 {
            map.insert(name.clone(), value.value());
        }
        map
    }

    /// The set as it goes into a media session, after a `user-agent`.
    pub(in crate::extract) fn session_headers(
        &self,
        user_agent: &HeaderText,
    ) -> Vec<(String, String)> {
        let own = self
            .0
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), value.as_str().to_owned()));
        std::iter::once(("user-agent".to_owned(), user_agent.as_str().to_owned()))
            .chain(own)
            .collect()
    }
}

/// A browser to look like.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::extract) struct Browser {
    /// `user-agent`, for pages and for the media found there.
    pub(in crate::extract) user_agent: HeaderText,
    /// Further headers of a page request.
    pub(in crate::extract) headers: HeaderSet,
}

/// At least one browser, in the order of attempts.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Vec<Browser>")]
pub(in crate::extract) struct Browsers {
    first: Browser,
    rest: Vec<Browser>,
}

impl TryFrom<Vec<Browser>> for Browsers {
    type Error = &'static str;

    fn try_from(browsers: Vec<Browser>) -> Result<Self, Self::Error> {
        let mut browsers = browsers.into_iter();
        let first = browsers.next().ok_or("at least one browser is needed")?;
        Ok(Self {
            first,
            rest: browsers.collect(),
        })
    }
}

impl Browsers {
    /// The browser for an attempt, counted from 0; they take turns.
    pub(in crate::extract) fn of_attempt(&self, attempt: usize) -> &Browser {
        match attempt % (self.rest.len() + 1) {
            0 => &self.first,
            turn => self.rest.get(turn - 1).unwrap_or(&self.first),
        }
    }

    /// Makes all of them say the same.
    pub(in crate::extract) fn set_user_agent(&mut self, user_agent: &HeaderText) {
        for browser in std::iter::once(&mut self.first).chain(&mut self.rest) {
            browser.user_agent = user_agent.clone();
        }
    }
}

/// Hosts of a site's pages, by exact name: stricter than a [`HostList`], which takes subdomains too.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "Vec<String>")]
pub(in crate::extract) struct PageHosts {
    names: Vec<String>,
    list: HostList,
}

impl From<Vec<String>> for PageHosts {
    fn from(names: Vec<String>) -> Self {
        let list = HostList::new(names.iter().cloned());
        Self { names, list }
    }
}

impl PageHosts {
    /// The same for the client.
    pub(in crate::extract) fn list(&self) -> &HostList {
        &self.list
    }

    /// Checks an address that a page leads to.
    ///
    /// # Errors
    /// [`NetError::Guard`] with the first rule that it breaks.
    pub(in crate::extract) fn check(&self, url: &Url) -> Result<(), NetError> {
        self.list.check(url)?;
        let is_known = url
            .host_str()
            .is_some_and(|host| self.names.iter().any(|name| name == host));
        is_known
            .then_some(())
            .ok_or(NetError::Guard(GuardError::Host))
    }
}

/// Headers without meaning that are added to a request so that two requests don't look alike
/// (seen 2026-08: header sets are fingerprinted; yt-dlp sends such headers since 2026-08-18).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::extract) struct Padding {
    /// Whether the first attempt carries them too.
    pub(in crate::extract) on_first_attempt: bool,
    headers: (usize, usize),
    name_letters: (usize, usize),
    value_letters: (usize, usize),
}

impl Padding {
    /// Adds them.
    pub(in crate::extract) fn add(&self, headers: &mut HeaderMap, rng: &mut impl Rng) {
        for _ in 0..between(rng, self.headers) {
            let name = HeaderName::from_bytes(letters(rng, self.name_letters).as_bytes());
            let value = HeaderValue::from_str(&letters(rng, self.value_letters));
            if let (Ok(name), Ok(value)) = (name, value) {
                headers.insert(name, value);
            }
        }
    }
}

/// Largest number that a range of [`Padding`] may give, so that a data file can't ask for megabytes of headers.
const PADDING_LIMIT: usize = 64;

fn between(rng: &mut impl Rng, (low, high): (usize, usize)) -> usize {
    let high = high.min(PADDING_LIMIT);
    rng.random_range(low.min(high)..=high)
}

fn letters(rng: &mut impl Rng, range: (usize, usize)) -> String {
    const CONSONANTS: &[u8] = b"bcdfghjklmnpqrstvwxz";
    (0..between(rng, range))
        .map(|_| char::from(CONSONANTS[rng.random_range(0..CONSONANTS.len())]))
        .collect()
}

/// Milliseconds in a data file.
pub(in crate::extract) fn milliseconds<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Duration, D::Error> {
    u64::deserialize(deserializer).map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Sample {
        browsers: Browsers,
    }

    const SAMPLE: &str = r#"
        [[browsers]]
        user_agent = "one"
        headers = [["accept", "*/*"], ["referer", "https://a.test/"]]
        [[browsers]]
        user_agent = "two"
        headers = []
    "#;

    fn sample() -> Sample {
        toml::from_str(SAMPLE).unwrap()
    }

    #[test]
    fn browsers_take_turns() {
        let browsers = sample().browsers;
        let seen: Vec<_> = (0..4)
            .map(|attempt| browsers.of_attempt(attempt).user_agent.as_str())
            .collect();
        assert_eq!(seen, ["one", "two", "one", "two"]);
    }

    #[test]
    fn headers_keep_their_order_after_the_user_agent() {
        let browsers = sample().browsers;
        let browser = browsers.of_attempt(0);
        let map = browser.headers.with_user_agent(&browser.user_agent);
        let names: Vec<_> = map.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["user-agent", "accept", "referer"]);
    }

    #[test]
    fn bad_headers_and_empty_lists_are_refused() {
        for text in [
            "browsers = []",
            "browsers = [{ user_agent = \"a\\nb\", headers = [] }]",
            "browsers = [{ user_agent = \"a\", headers = [[\"a b\", \"c\"]] }]",
        ] {
            assert!(toml::from_str::<Sample>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn page_hosts_are_exact() {
        let hosts = PageHosts::from(vec!["tiktok.test".to_owned()]);
        for (url, accepted) in [
            ("https://tiktok.test/a", true),
            ("https://sub.tiktok.test/a", false),
            ("https://tiktok.test.evil.test/", false),
            ("https://tiktok.test:8443/", false),
            ("https://user@tiktok.test/", false),
            ("ftp://tiktok.test/", false),
            ("https://127.0.0.1/", false),
        ] {
            assert_eq!(
                hosts.check(&Url::parse(url).unwrap()).is_ok(),
                accepted,
                "{url}"
            );
        }
    }

    #[test]
    fn padding_stays_within_its_ranges() {
        let padding = Padding {
            on_first_attempt: false,
            headers: (2, 8),
            name_letters: (8, 24),
            value_letters: (16, 32),
        };
        let mut headers = HeaderMap::new();
        padding.add(&mut headers, &mut rand::rng());
        assert!((2..=8).contains(&headers.len()));
        for (name, value) in &headers {
            assert!((8..=24).contains(&name.as_str().len()));
            assert!((16..=32).contains(&value.len()));
        }
    }

    #[test]
    fn missing_and_broken_files_are_faults() {
        for (content, part) in [(None, "No such file"), (Some("browsers = 1"), "browsers")] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("identity.toml");
            if let Some(content) = content {
                std::fs::write(&path, content).unwrap();
            }
            let mut env = Env::from_pairs([("SITE_FILE", path.to_str().unwrap())]);
            let sample: Sample = load(&mut env, "SITE_FILE", SAMPLE);
            assert_eq!(sample.browsers.of_attempt(0).user_agent.as_str(), "one");
            let error = env.finish().unwrap_err().to_string();
            assert!(
                error.contains("SITE_FILE") && error.contains(part),
                "{error}"
            );
        }
    }
}
