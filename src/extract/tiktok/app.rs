//! The mobile app's API: a second way to a post, for operators who bring a device.
//!
//! Asked only when `TIKTOK_DEVICE_ID` or `TIKTOK_APP_INFO` is set, after the page failed. A refusal is HTTP 200 with
//! an empty body; then the next app is tried (read in yt-dlp, `_call_api`).

use bytes::Bytes;
use http::{HeaderValue, Method};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rand::RngExt;
use url::Url;

use super::answer::shape;
use super::identity::{AppIdentity, Identity};
use super::response::app::{Aweme, DetailAnswer};
use super::{SITE, status};
use crate::clock::Clock;
use crate::config::Env;
use crate::extract::ExtractError;
use crate::net::{Client, GuestCookie, Jar, MediaSession, PageRequest};

/// The operator's devices.
#[derive(Debug, Clone)]
pub(super) struct AppAccess {
    device_id: Option<String>,
    apps: Vec<AppInfo>,
    clock: Clock,
}

/// One installed app; empty fields take the defaults of the identity file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct AppInfo {
    iid: String,
    name: String,
    version: String,
    manifest: String,
    aid: String,
}

impl AppInfo {
    /// Reads `IID/NAME/VERSION/MANIFEST/AID`, each part optional.
    fn parse(text: &str, defaults: &AppIdentity) -> Option<Self> {
        let parts: Vec<&str> = text.split('/').collect();
        let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let is_version = |part: &str| part.split('.').all(is_number);
        let is_name = |part: &str| {
            let mut bytes = part.bytes();
            bytes.all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        };
        let is_right = |(place, part): (usize, &&str)| match place {
            0 | 4 => is_number(part),
            1 => is_name(part),
            2 | 3 => is_version(part),
            _ => false,
        };
        if !parts.iter().enumerate().all(is_right) {
            return None;
        }
        let part = |index: usize, default: &str| match parts.get(index) {
            Some(part) if !part.is_empty() => (*part).to_owned(),
            _ => default.to_owned(),
        };
        Some(Self {
            iid: part(0, ""),
            name: part(1, &defaults.app_name),
            version: part(2, &defaults.app_version),
            manifest: part(3, &defaults.manifest),
            aid: part(4, &defaults.aid),
        })
    }

    /// `35.1.3` as `350103`.
    fn version_code(&self) -> String {
        let parts: Vec<String> = self
            .version
            .split('.')
            .map(|part| format!("{part:0>2}"))
            .collect();
        parts.concat()
    }
}

impl AppAccess {
    /// Reads `TIKTOK_DEVICE_ID` and `TIKTOK_APP_INFO` (several by comma); `None` when neither is set.
    pub(super) fn from_env(env: &mut Env, identity: &AppIdentity, clock: Clock) -> Option<Self> {
        let device_id = env.text("TIKTOK_DEVICE_ID");
        let infos = env.list("TIKTOK_APP_INFO");
        if let Some(id) = &device_id
            && !id.bytes().all(|byte| byte.is_ascii_digit())
        {
            env.fault("TIKTOK_DEVICE_ID", "must be digits");
        }
        let mut apps = Vec::new();
        for info in &infos {
            match AppInfo::parse(info, identity) {
                Some(app) => apps.push(app),
                None => env.fault(
                    "TIKTOK_APP_INFO",
                    "must be IID/NAME/VERSION/MANIFEST/AID, several by comma: IID and AID digits, NAME a word, the others \
                     versions; all but IID may be left out",
                ),
            }
        }
        if apps.is_empty() && device_id.is_some() {
            apps.extend(AppInfo::parse("", identity));
        }
        (!apps.is_empty()).then_some(Self {
            device_id,
            apps,
            clock,
        })
    }

    /// Asks for a post as each of the apps, until one is answered.
    ///
    /// # Errors
    /// Of the last app that was tried.
    pub(super) async fn fetch(
        &self,
        net: &Client,
        identity: &Identity,
        id: &str,
    ) -> Result<(Aweme, MediaSession), ExtractError> {
        let mut last = shape("app answer");
        for app in &self.apps {
            match self.ask(net, identity, app, id).await {
                Ok(found) => return Ok(found),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn ask(
        &self,
        net: &Client,
        identity: &Identity,
        app: &AppInfo,
        id: &str,
    ) -> Result<(Aweme, MediaSession), ExtractError> {
        let own = &identity.app;
        let values = self.values(app, own, id);
        let fill = |text: &str| fill(text, &values);
        let url = address(own, &fill);
        let mut headers = own.headers.with_user_agent(identity.user_agent(0));
        let user_agent = HeaderValue::from_str(&fill(&own.user_agent))
            .map_err(|_| shape("user agent of the app"))?;
        headers.insert(http::header::USER_AGENT, user_agent);
        let request = PageRequest {
            method: Method::POST,
            url: &url,
            headers,
            body: Some(Bytes::from(fill(&own.body))),
            hosts: own.hosts.list(),
            max_bytes: own.max_bytes,
            timeout: own.timeout,
        };
        let mut jar = Jar::new(None);
        let visitor = visitor(&url);
        jar.insert(visitor.clone());
        let page = net.fetch(request, &mut jar).await?;
        jar.remove(&visitor.domain, &visitor.name);
        if page.status.is_server_error() {
            let code = i64::from(page.status.as_u16());
            return Err(ExtractError::Upstream { site: SITE, code });
        }
        let aweme = read(&page.body, id)?;
        Ok((aweme, identity.session(&jar, 0)))
    }

    /// What stands for the braces of the identity file in one request.
    fn values(&self, app: &AppInfo, own: &AppIdentity, id: &str) -> Vec<(&'static str, String)> {
        let mut rng = rand::rng();
        let now = self.clock.unix();
        let (low, high) = own.device_ids;
        let device_id = self
            .device_id
            .clone()
            .unwrap_or_else(|| rng.random_range(low.min(high)..=high).to_string());
        let package = own
            .packages
            .get(&app.name)
            .cloned()
            .unwrap_or_else(|| format!("com.ss.android.ugc.{}", app.name));
        // Installed between one and thirteen days ago.
        let age = rng.random_range(86_400..=1_123_200);
        vec![
            ("id", id.to_owned()),
            ("now", now.as_secs().to_string()),
            ("now_ms", now.as_millis().to_string()),
            (
                "install_time",
                now.as_secs().saturating_sub(age).to_string(),
            ),
            ("uuid", uuid(rng.random())),
            ("openudid", hex(&rng.random::<[u8; 8]>())),
            ("device_id", device_id),
            ("package", package),
            ("iid", app.iid.clone()),
            ("app_name", app.name.clone()),
            ("version", app.version.clone()),
            ("version_code", app.version_code()),
            ("manifest", app.manifest.clone()),
            ("aid", app.aid.clone()),
        ]
    }
}

/// Puts values into `{name}` places.
fn fill(text: &str, values: &[(&'static str, String)]) -> String {
    values.iter().fold(text.to_owned(), |text, (name, value)| {
        text.replace(&format!("{{{name}}}"), value)
    })
}

/// The address with its query; what is empty is left out.
fn address(own: &AppIdentity, fill: &impl Fn(&str) -> String) -> Url {
    let pairs: Vec<String> = own
        .query
        .iter()
        .map(|(name, value)| (name, fill(value)))
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}={}", utf8_percent_encode(&value, NON_ALPHANUMERIC)))
        .collect();
    let mut url = own.url.clone();
    url.set_query(Some(&pairs.join("&")));
    url
}

/// A visitor's cookie that the API wants to see; any value does.
fn visitor(url: &Url) -> GuestCookie {
    GuestCookie {
        name: "odin_tt".to_owned(),
        value: hex(&rand::rng().random::<[u8; 80]>()),
        domain: url.host_str().unwrap_or_default().to_owned(),
        is_host_only: true,
        path: "/".to_owned(),
    }
}

fn hex(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}

/// A random UUID (RFC 9562 §5.4) of these bits.
fn uuid(bits: u128) -> String {
    let bits = (bits & !(0xF << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let digits = format!("{bits:032x}");
    let parts: Vec<&str> = [0..8, 8..12, 12..16, 16..20, 20..32]
        .into_iter()
        .filter_map(|range| digits.get(range))
        .collect();
    parts.join("-")
}

/// The post with this id in an answer.
pub(super) fn read(body: &[u8], id: &str) -> Result<Aweme, ExtractError> {
    if body.is_empty() {
        return Err(shape("empty app answer"));
    }
    let answer: DetailAnswer =
        serde_json::from_slice(body).map_err(|source| ExtractError::Shape {
            site: SITE,
            step: "app answer",
            source: Some(source.into()),
        })?;
    let awemes = answer.aweme_details.into_vec();
    let found = awemes.into_iter().find(|aweme| aweme.aweme_id.text() == id);
    if found.is_none() {
        status::check(answer.status_code.unwrap_or(0), answer.status_msg.text())?;
    }
    found.ok_or_else(|| shape("id of the app's post"))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn identity() -> Identity {
        Identity::from_env(&mut Env::default())
    }

    fn access(pairs: &[(&str, &str)]) -> (Option<AppAccess>, bool) {
        let mut env = Env::from_pairs(pairs.iter().copied());
        let clock = Clock::Fixed(UNIX_EPOCH + Duration::from_secs(1_790_000_000));
        let access = AppAccess::from_env(&mut env, &identity().app, clock);
        (access, env.finish().is_ok())
    }

    #[test]
    fn without_a_device_there_is_no_access() {
        let (access, is_ok) = access(&[]);
        assert!(access.is_none() && is_ok);
    }

    #[test]
    fn app_info_fills_up_with_defaults() {
        let (access, is_ok) = access(&[("TIKTOK_APP_INFO", "123/trill//9, 456")]);
        let apps = access.unwrap().apps;
        assert!(is_ok);
        assert_eq!(apps[0].name, "trill");
        assert_eq!(
            (apps[0].version.as_str(), apps[0].manifest.as_str()),
            ("35.1.3", "9")
        );
        assert_eq!(
            (apps[1].iid.as_str(), apps[1].name.as_str()),
            ("456", "musical_ly")
        );
        assert_eq!(apps[1].version_code(), "350103");
    }

    #[test]
    fn bad_values_are_faults() {
        for pair in [
            ("TIKTOK_DEVICE_ID", "12x"),
            ("TIKTOK_APP_INFO", "1/2/3/4/5/6"),
        ] {
            assert!(!access(&[pair]).1, "{pair:?}");
        }
    }

    #[test]
    fn request_is_filled_from_the_identity() {
        let (access, _) = access(&[("TIKTOK_DEVICE_ID", "7250000000000000001")]);
        let access = access.unwrap();
        let own = identity().app;
        let values = access.values(&access.apps[0], &own, "7");
        let fill = |text: &str| fill(text, &values);
        let url = address(&own, &fill);
        let query: Vec<_> = url.query_pairs().collect();
        let value = |name: &str| {
            let pair = query.iter().find(|(found, _)| found == name);
            pair.map(|(_, value)| value.as_ref())
        };
        assert_eq!(value("device_id"), Some("7250000000000000001"));
        assert_eq!(value("ts"), Some("1790000000"));
        assert_eq!(value("_rticket"), Some("1790000000000"));
        assert_eq!(value("resolution"), Some("1080*2400"));
        assert_eq!(value("iid"), None, "an empty value is left out");
        assert_eq!(fill(&own.body), "aweme_ids=%5B7%5D&request_source=0");
        assert!(fill(&own.user_agent).starts_with("com.zhiliaoapp.musically/2023501030 ("));
        assert!(!url.as_str().contains('{'));
    }

    #[test]
    fn uuid_carries_version_and_variant() {
        assert_eq!(uuid(u128::MAX), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(uuid(0), "00000000-0000-4000-8000-000000000000");
    }

    #[test]
    fn answer_is_searched_for_the_id() {
        let body = br#"{"aweme_details":[{"aweme_id":"8"},{"aweme_id":7}],"status_code":0}"#;
        assert_eq!(read(body, "7").unwrap().aweme_id.text(), "7");
        assert!(matches!(read(body, "9"), Err(ExtractError::Shape { .. })));
        assert!(matches!(read(b"", "7"), Err(ExtractError::Shape { .. })));
        let refused = br#"{"aweme_details":null,"status_code":10216}"#;
        assert!(matches!(
            read(refused, "7"),
            Err(ExtractError::Unavailable { .. })
        ));
    }
}
