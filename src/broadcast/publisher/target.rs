//! Where a broadcast goes: an address without its key, and the key.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use std::fmt;

use url::{Host, Url};

use super::SrtOptions;
use crate::config::Secret;

/// Longest address and longest key, in bytes.
const MAX_LENGTH: usize = 1024;

/// How a target is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// RTMP over TCP.
    Rtmp,
    /// RTMP over TLS.
    Rtmps,
    /// SRT.
    Srt,
}

impl Scheme {
    fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "rtmp" => Some(Self::Rtmp),
            "rtmps" => Some(Self::Rtmps),
            "srt" => Some(Self::Srt),
            _ => None,
        }
    }

    /// Its name in an address.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rtmp => "rtmp",
            Self::Rtmps => "rtmps",
            Self::Srt => "srt",
        }
    }

    fn default_port(self) -> Option<u16> {
        match self {
            Self::Rtmp => Some(1935),
            Self::Rtmps => Some(443),
            Self::Srt => None,
        }
    }
}

/// Why an address is no target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// Not `rtmp`, `rtmps` or `srt`.
    #[error("target must begin with `rtmp://`, `rtmps://` or `srt://`")]
    Scheme,
    /// No address at all, or longer than 1024 bytes.
    #[error("target is not an address of at most 1024 characters")]
    Malformed,
    /// A user name or password in it.
    #[error("target must not hold a user name or password")]
    Userinfo,
    /// A `#` part.
    #[error("target must not have a `#` part")]
    Fragment,
    /// SRT without a port, or port 0.
    #[error("target needs a port between 1 and 65535")]
    Port,
    /// RTMP without an application.
    #[error("target needs a path: the application, such as `/live2`")]
    Path,
    /// An SRT key with other options than those that may be set.
    #[error(
        "of an SRT address `streamid`, `passphrase` (10 to 79 characters), `pbkeylen` (16, 24, 32) and `latency` \
         (microseconds) can be set"
    )]
    SrtOptions,
    /// A key with control characters, or longer than 1024 bytes.
    #[error("stream key must be at most 1024 characters, none of them a control character")]
    Key,
}

/// Where a broadcast goes, without its key: what may be shown and stored in the clear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    scheme: Scheme,
    host: Host,
    port: u16,
    app: String,
}

impl Target {
    /// Reads an address, and separates the key from it.
    ///
    /// With `key` the whole path is the application, and what follows `?` is put behind the key. Without, the last
    /// part of a path of several is the key, with what follows `?`. Of an SRT address all that follows `?` is.
    ///
    /// # Errors
    /// [`TargetError`]; none repeats any of the text.
    pub fn parse(text: &str, key: Option<&str>) -> Result<(Self, Option<Secret>), TargetError> {
        let is_bad = |c: char| c.is_control() || c.is_whitespace() || c == '\\';
        if text.len() > MAX_LENGTH || text.contains(is_bad) {
            return Err(TargetError::Malformed);
        }
        let (scheme, rest) = text.split_once("://").ok_or(TargetError::Scheme)?;
        let scheme = Scheme::parse(scheme).ok_or(TargetError::Scheme)?;
        let (host, port) = authority(scheme, rest)?;
        let path = rest.find(['/', '?']).map_or("", |at| &rest[at..]);
        let (path, query) = match path.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (path, None),
        };
        let (app, own_key) = split_path(scheme, path.trim_matches('/'), key)?;
        let key = join_key(own_key, query);
        if key.as_deref().is_some_and(|key| !is_key(key)) {
            return Err(TargetError::Key);
        }
        if scheme == Scheme::Srt && SrtOptions::parse(key.as_deref().unwrap_or_default()).is_none()
        {
            return Err(TargetError::SrtOptions);
        }
        let target = Self {
            scheme,
            host,
            port,
            app: app.to_owned(),
        };
        // Names beyond ASCII grow; what is kept is read again at every start.
        if target.to_string().len() > MAX_LENGTH {
            return Err(TargetError::Malformed);
        }
        Ok((target, key.map(Secret::new)))
    }

    /// How it is spoken to.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Its host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The application at the ingest, such as `live2`. Empty for SRT.
    pub fn app(&self) -> &str {
        &self.app
    }
}

/// `rtmp://host/app`, the port only where it is not the usual one.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.name(), self.host)?;
        if self.scheme.default_port() != Some(self.port) {
            write!(f, ":{}", self.port)?;
        }
        if self.app.is_empty() {
            return Ok(());
        }
        write!(f, "/{}", self.app)
    }
}

/// Host and port. The parser is asked with schemes that it has rules for, so that names are lower case and every way
/// of writing an IPv4 address is seen as one.
fn authority(scheme: Scheme, rest: &str) -> Result<(Host, u16), TargetError> {
    // The parser would take the next part of the path for the host.
    if rest.starts_with('/') {
        return Err(TargetError::Malformed);
    }
    let parse = |scheme: &str| Url::parse(&format!("{scheme}://{rest}"));
    let url = parse("http").map_err(|_| TargetError::Malformed)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(TargetError::Userinfo);
    }
    if url.fragment().is_some() {
        return Err(TargetError::Fragment);
    }
    // The parser leaves out the port that its scheme has by default: 80 of the one, 443 of the other.
    let port = url.port().or_else(|| parse("https").ok()?.port());
    let port = port.or(scheme.default_port()).filter(|port| *port != 0);
    let host = url.host().ok_or(TargetError::Malformed)?.to_owned();
    Ok((host, port.ok_or(TargetError::Port)?))
}

fn split_path<'a>(
    scheme: Scheme,
    path: &'a str,
    key: Option<&'a str>,
) -> Result<(&'a str, Option<&'a str>), TargetError> {
    if scheme == Scheme::Srt {
        return Ok(("", key));
    }
    if path.is_empty() {
        return Err(TargetError::Path);
    }
    Ok(match (key, path.rsplit_once('/')) {
        (None, Some((app, key))) => (app.trim_end_matches('/'), Some(key)),
        (key, _) => (path, key),
    })
}

fn join_key(key: Option<&str>, query: Option<&str>) -> Option<String> {
    let key = key.filter(|key| !key.is_empty());
    let Some(query) = query.filter(|query| !query.is_empty()) else {
        return key.map(str::to_owned);
    };
    let key = key.unwrap_or_default();
    let mark = if key.contains('?') { '&' } else { '?' };
    Some(format!("{key}{mark}{query}"))
}

fn is_key(key: &str) -> bool {
    key.len() <= MAX_LENGTH && !key.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str, key: Option<&str>) -> Result<(String, String), TargetError> {
        let (target, key) = Target::parse(text, key)?;
        let key = key.map(|key| key.reveal().to_owned());
        Ok((target.to_string(), key.unwrap_or_default()))
    }

    #[test]
    fn target_key_is_separated_from_the_address() {
        for (text, key, target, expected) in [
            (
                "rtmp://a.example/live2",
                Some("k-1"),
                "rtmp://a.example/live2",
                "k-1",
            ),
            (
                "rtmp://a.example/live2/k-1",
                None,
                "rtmp://a.example/live2",
                "k-1",
            ),
            (
                "rtmp://a.example/live2/",
                None,
                "rtmp://a.example/live2",
                "",
            ),
            (
                "RTMPS://A.Example:443/rtmp/",
                Some("k?s=1&t"),
                "rtmps://a.example/rtmp",
                "k?s=1&t",
            ),
            (
                "rtmps://a.example:444/x/y/k?s=1",
                None,
                "rtmps://a.example:444/x/y",
                "k?s=1",
            ),
            (
                "rtmp://a.example/x/y",
                Some("k"),
                "rtmp://a.example/x/y",
                "k",
            ),
            (
                "rtmp://a.example/x?token=t",
                Some("k"),
                "rtmp://a.example/x",
                "k?token=t",
            ),
            (
                "rtmp://a.example/x?token=t",
                Some("k?a=b"),
                "rtmp://a.example/x",
                "k?a=b&token=t",
            ),
            ("rtmp://a.example:80/x", None, "rtmp://a.example:80/x", ""),
            ("rtmp://a.example:443/x", None, "rtmp://a.example:443/x", ""),
            ("rtmp://a.example:1935/x", None, "rtmp://a.example/x", ""),
            (
                "rtmps://[2001:db8::1]:1936/x",
                None,
                "rtmps://[2001:db8::1]:1936/x",
                "",
            ),
            ("rtmp://0x7f.1/x", None, "rtmp://127.0.0.1/x", ""),
            (
                "srt://a.example:9000?streamid=k",
                None,
                "srt://a.example:9000",
                "?streamid=k",
            ),
            (
                "rtmp://a.example/x",
                Some("k \u{e9}%/&=#"),
                "rtmp://a.example/x",
                "k \u{e9}%/&=#",
            ),
        ] {
            let parsed = parse(text, key);
            assert_eq!(
                parsed,
                Ok((target.to_owned(), expected.to_owned())),
                "{text}"
            );
        }
    }

    #[test]
    fn target_faults_are_named() {
        let long = format!("rtmp://a.example/{}", "x".repeat(1024));
        let growing = format!("rtmp://{}example/{}", "\u{fc}.".repeat(60), "x".repeat(800));
        for (text, error) in [
            ("http://a.example/x", TargetError::Scheme),
            ("file:///etc/passwd", TargetError::Scheme),
            ("a.example/x", TargetError::Scheme),
            ("rtmp://", TargetError::Malformed),
            ("rtmp://a b/x", TargetError::Malformed),
            ("rtmp://a.example/x\r\n", TargetError::Malformed),
            ("rtmp://a.example\\@b/x", TargetError::Malformed),
            (&long, TargetError::Malformed),
            (&growing, TargetError::Malformed),
            ("rtmp:///a.example/x", TargetError::Malformed),
            ("rtmp://u:p@a.example/x", TargetError::Userinfo),
            ("rtmp://a.example/x#f", TargetError::Fragment),
            ("rtmp://a.example:0/x", TargetError::Port),
            ("rtmp://a.example:70000/x", TargetError::Malformed),
            ("srt://a.example", TargetError::Port),
            (
                "srt://a.example:9000?mode=listener",
                TargetError::SrtOptions,
            ),
            ("rtmp://a.example", TargetError::Path),
            ("rtmp://a.example//", TargetError::Path),
        ] {
            assert_eq!(parse(text, None), Err(error), "{text}");
        }
        for key in ["a\nb", "a\0", &"k".repeat(1025)] {
            assert_eq!(
                parse("rtmp://a.example/x", Some(key)),
                Err(TargetError::Key)
            );
        }
    }

    proptest! {
        #[test]
        fn target_of_any_text_never_panics_and_is_read_as_it_is_shown(text in "(rtmps?|srt)://\\PC{0,40}") {
            if let Ok((target, _)) = Target::parse(&text, None) {
                let shown = target.to_string();
                let again = Target::parse(&shown, Some("k")).map(|(target, _)| target);
                prop_assert_eq!(again, Ok(target), "{}", shown);
            }
        }
    }
}
