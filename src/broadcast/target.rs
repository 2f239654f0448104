//! Where a broadcast is sent: the address, and the key that must not be in it. Pure.

use std::net::IpAddr;

use url::{Host, Url};

/// Longest address in bytes.
const MAX_ADDRESS: usize = 1024;
/// Longest stream key in bytes.
const MAX_KEY: usize = 1024;
/// Why an address is no target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// It can't be read, or has parts that a target has not.
    #[error("must be an address such as `rtmp://host/app`, of {MAX_ADDRESS} characters at most")]
    Malformed,
    /// Another protocol.
    #[error("must begin with `rtmp://` or `rtmps://`")]
    Scheme,
}

/// A target that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Whether it is reached over TLS.
    pub is_tls: bool,
    /// Host as it is looked up, lower case; an IPv6 address without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Path without the first slash: the name of the application.
    pub app: String,
}

impl Target {
    /// Reads an address without a key.
    ///
    /// # Errors
    /// [`TargetError`].
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        let is_plain = |byte: u8| byte.is_ascii_graphic();
        if text.len() > MAX_ADDRESS || !text.bytes().all(is_plain) {
            return Err(TargetError::Malformed);
        }
        let url = Url::parse(text).map_err(|_| TargetError::Malformed)?;
        let (is_tls, usual) = match url.scheme() {
            "rtmp" => (false, 1935),
            "rtmps" => (true, 443),
            _ => return Err(TargetError::Scheme),
        };
        let is_bare = url.username().is_empty() && url.password().is_none();
        if !is_bare || url.fragment().is_some() || url.port() == Some(0) {
            return Err(TargetError::Malformed);
        }
        let app = url.path().trim_matches('/');
        if app.is_empty() || app.split('/').any(str::is_empty) {
            return Err(TargetError::Malformed);
        }
        // The parser leaves hosts of such schemes as they are: `0x7f.1` must not pass for a name.
        let host = Host::parse(url.host_str().unwrap_or_default());
        let host = match host.map_err(|_| TargetError::Malformed)? {
            Host::Domain(name) => name.trim_end_matches('.').to_ascii_lowercase(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        };
        if host.is_empty() {
            return Err(TargetError::Malformed);
        }
        Ok(Self {
            is_tls,
            host,
            port: url.port().unwrap_or(usual),
            app: app.to_owned(),
        })
    }

    /// Takes the key out of an address: what follows the application in its path, and its query.
    ///
    /// # Errors
    /// [`TargetError`].
    pub fn split(text: &str) -> Result<(String, Option<String>), TargetError> {
        let (address, query) = match text.split_once('?') {
            Some((address, query)) => (address, Some(query)),
            None => (text, None),
        };
        let target = Self::parse(address)?;
        let Some((app, name)) = target.app.rsplit_once('/') else {
            let key = query.map(|query| format!("?{query}"));
            return Ok((target.address(), key));
        };
        let key = match query {
            Some(query) => format!("{name}?{query}"),
            None => name.to_owned(),
        };
        let target = Self {
            app: app.to_owned(),
            ..target
        };
        Ok((target.address(), Some(key)))
    }

    /// The address in its one form.
    pub fn address(&self) -> String {
        let scheme = if self.is_tls { "rtmps" } else { "rtmp" };
        let (usual, app) = (if self.is_tls { 443 } else { 1935 }, &self.app);
        let host = match self.host.parse() {
            Ok(IpAddr::V6(address)) => format!("[{address}]"),
            _ => self.host.clone(),
        };
        if self.port == usual {
            return format!("{scheme}://{host}/{app}");
        }
        format!("{scheme}://{host}:{}/{app}", self.port)
    }
}

/// Whether a text can be a stream key: printable, without blanks.
pub(super) fn is_key(text: &str) -> bool {
    let is_plain = |char: char| !char.is_control() && !char.is_whitespace();
    (1..=MAX_KEY).contains(&text.len()) && text.chars().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_is_brought_into_one_form() {
        for (text, expected) in [
            ("rtmp://A.Example/live2", "rtmp://a.example/live2"),
            ("RTMP://a.example:1935/live2/", "rtmp://a.example/live2"),
            ("rtmps://a.example.:443/x", "rtmps://a.example/x"),
            ("rtmps://a.example:8443/x", "rtmps://a.example:8443/x"),
            ("rtmp://[2001:DB8::1]:1/x", "rtmp://[2001:db8::1]:1/x"),
        ] {
            assert_eq!(Target::parse(text).unwrap().address(), expected);
        }
    }

    #[test]
    fn address_that_is_no_target_is_refused() {
        for (text, error) in [
            ("", TargetError::Malformed),
            ("rtmp://", TargetError::Malformed),
            ("rtmp://a.example", TargetError::Malformed),
            ("rtmp://a.example/", TargetError::Malformed),
            ("rtmp:///app", TargetError::Malformed),
            ("rtmp://u:p@a.example/app", TargetError::Malformed),
            ("rtmp://a.example:0/app", TargetError::Malformed),
            ("rtmp://a.example/a//b", TargetError::Malformed),
            ("rtmp://a.example/app#x", TargetError::Malformed),
            ("rtmp://a.example/app\r\nx", TargetError::Malformed),
            ("http://a.example/app", TargetError::Scheme),
            ("file:///etc/passwd", TargetError::Scheme),
            ("srt://a.example:9000/x", TargetError::Scheme),
        ] {
            assert_eq!(Target::parse(text), Err(error), "{text}");
        }
        let long = format!("rtmp://a.example/{}", "a".repeat(MAX_ADDRESS));
        assert_eq!(Target::parse(&long), Err(TargetError::Malformed));
    }

    #[test]
    fn key_is_taken_out_of_the_address() {
        for (text, target, key) in [
            ("rtmp://a.example/app", "rtmp://a.example/app", None),
            ("rtmp://a.example/app/k", "rtmp://a.example/app", Some("k")),
            (
                "rtmp://a.example/app/i/k?a=b",
                "rtmp://a.example/app/i",
                Some("k?a=b"),
            ),
            (
                "rtmp://a.example/app?k=v",
                "rtmp://a.example/app",
                Some("?k=v"),
            ),
        ] {
            let (found, taken) = Target::split(text).unwrap();
            assert_eq!((found.as_str(), taken.as_deref()), (target, key), "{text}");
        }
    }

    #[test]
    fn key_is_printable() {
        for (text, expected) in [
            ("a-b_c", true),
            ("ключ%2F", true),
            ("", false),
            ("a b", false),
            ("a\n", false),
        ] {
            assert_eq!(is_key(text), expected, "{text:?}");
        }
        assert!(!is_key(&"k".repeat(MAX_KEY + 1)));
    }
}
