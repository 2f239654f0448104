//! Proof of a login: the `Authorization` header that YouTube's pages make of the account's cookies. Pure.

use std::fmt::Write as _;

use sha1::{Digest, Sha1};

/// The cookies of an account that matter here.
#[derive(Default)]
pub(super) struct AccountCookies {
    sapisid: Option<String>,
    first_party: Option<String>,
    third_party: Option<String>,
    has_login_info: bool,
}

impl AccountCookies {
    /// Reads a `Cookie` header.
    pub(super) fn parse(header: &str) -> Self {
        let mut cookies = Self::default();
        for (name, value) in header
            .split(';')
            .filter_map(|pair| pair.trim().split_once('='))
        {
            let slot = match name {
                "SAPISID" => &mut cookies.sapisid,
                "__Secure-1PAPISID" => &mut cookies.first_party,
                "__Secure-3PAPISID" => &mut cookies.third_party,
                "LOGIN_INFO" => {
                    cookies.has_login_info = true;
                    continue;
                }
                _ => continue,
            };
            *slot = Some(value.to_owned());
        }
        cookies
    }

    /// Whether they belong to a login that still holds. The site takes `LOGIN_INFO` away when it ends one
    /// (yt-dlp `_has_auth_cookies`).
    pub(super) fn is_logged_in(&self) -> bool {
        let has_id =
            self.sapisid.is_some() || self.first_party.is_some() || self.third_party.is_some();
        self.has_login_info && has_id
    }

    /// The header for a request to `origin` at a Unix second; `None` without a login.
    pub(super) fn authorization(&self, origin: &str, now: u64) -> Option<String> {
        if !self.is_logged_in() {
            return None;
        }
        let schemes = [
            (
                "SAPISIDHASH",
                self.sapisid.as_ref().or(self.third_party.as_ref()),
            ),
            ("SAPISID1PHASH", self.first_party.as_ref()),
            ("SAPISID3PHASH", self.third_party.as_ref()),
        ];
        let parts: Vec<String> = schemes
            .into_iter()
            .filter_map(|(scheme, id)| Some(format!("{scheme} {}", proof(id?, origin, now))))
            .collect();
        Some(parts.join(" "))
    }
}

/// The time, and the hash of time, cookie and origin.
fn proof(id: &str, origin: &str, now: u64) -> String {
    let hash = Sha1::digest(format!("{now} {id} {origin}"));
    let mut text = format!("{now}_");
    for byte in hash {
        // Writing to a `String` can't fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: &str = "https://www.youtube.com";

    #[test]
    fn header_holds_a_proof_per_cookie() {
        let cookies = AccountCookies::parse(
            "LOGIN_INFO=x; SAPISID=abc/def; __Secure-1PAPISID=one; __Secure-3PAPISID=three; HSID=y",
        );
        // Reference: printf '1700000000 abc/def https://www.youtube.com' | sha1sum, and so on.
        assert_eq!(
            cookies.authorization(ORIGIN, 1_700_000_000).unwrap(),
            "SAPISIDHASH 1700000000_747622f274182ecf105054645d6a0093199ab03d SAPISID1PHASH 1700000000_01ca8712a198105a3f0999f890c24137388b7fff SAPISID3PHASH 1700000000_7f5cf0ef7325a890a89cc0dc432ce24c7bae42dc"
        );
    }

    #[test]
    fn third_party_cookie_stands_in() {
        let cookies = AccountCookies::parse("LOGIN_INFO=x; __Secure-3PAPISID=three");
        assert_eq!(
            cookies.authorization(ORIGIN, 1_700_000_000).unwrap(),
            "SAPISIDHASH 1700000000_7f5cf0ef7325a890a89cc0dc432ce24c7bae42dc SAPISID3PHASH 1700000000_7f5cf0ef7325a890a89cc0dc432ce24c7bae42dc"
        );
    }

    #[test]
    fn cookies_without_login_prove_nothing() {
        for header in ["", "SAPISID=abc", "LOGIN_INFO=x", "LOGIN_INFO; SAPISID"] {
            let cookies = AccountCookies::parse(header);
            assert_eq!(cookies.authorization(ORIGIN, 0), None, "{header}");
        }
    }
}
