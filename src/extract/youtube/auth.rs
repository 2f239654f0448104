//! Proof of a login: the `Authorization` header that YouTube's pages make of the account's cookies. Pure.

use std::fmt::{self, Write as _};

use sha1::{Digest, Sha1};

/// The cookies of an account that matter here.
#[derive(Default, Clone, PartialEq, Eq)]
pub(super) struct AccountCookies {
    sapisid: Option<String>,
    first_party: Option<String>,
    third_party: Option<String>,
    has_login_info: bool,
}

// Cookies are not shown.
impl fmt::Debug for AccountCookies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountCookies")
            .field("is_logged_in", &self.is_logged_in())
            .finish_non_exhaustive()
    }
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

    /// The header for a request to `origin` at a Unix second; `None` without a login. `user` is the account as the
    /// site's pages name it, when they do.
    pub(super) fn authorization(
        &self,
        origin: &str,
        user: Option<&str>,
        now: u64,
    ) -> Option<String> {
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
            .filter_map(|(scheme, id)| Some(format!("{scheme} {}", proof(id?, origin, user, now))))
            .collect();
        Some(parts.join(" "))
    }
}

/// The time, and the hash of time, cookie and origin; with an account, of that too, and a mark that says so
/// (yt-dlp `_make_sid_authorization`).
fn proof(id: &str, origin: &str, user: Option<&str>, now: u64) -> String {
    let hash = match user {
        Some(user) => Sha1::digest(format!("{user} {now} {id} {origin}")),
        None => Sha1::digest(format!("{now} {id} {origin}")),
    };
    let mut text = format!("{now}_");
    for byte in hash {
        // Writing to a `String` can't fail.
        let _ = write!(text, "{byte:02x}");
    }
    if user.is_some() {
        text.push_str("_u");
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
            cookies.authorization(ORIGIN, None, 1_700_000_000).unwrap(),
            "SAPISIDHASH 1700000000_747622f274182ecf105054645d6a0093199ab03d SAPISID1PHASH 1700000000_01ca8712a198105a3f0999f890c24137388b7fff SAPISID3PHASH 1700000000_7f5cf0ef7325a890a89cc0dc432ce24c7bae42dc"
        );
    }

    #[test]
    fn account_is_part_of_the_proof() {
        let cookies = AccountCookies::parse("LOGIN_INFO=x; SAPISID=abc/def");
        // Reference: printf '12345678 1700000000 abc/def https://www.youtube.com' | sha1sum
        assert_eq!(
            cookies
                .authorization(ORIGIN, Some("12345678"), 1_700_000_000)
                .unwrap(),
            "SAPISIDHASH 1700000000_2a6724b72b08cff4cf7afcee3707bc997f1a5ba8_u"
        );
    }

    #[test]
    fn third_party_cookie_stands_in() {
        let cookies = AccountCookies::parse("LOGIN_INFO=x; __Secure-3PAPISID=three");
        assert_eq!(
            cookies.authorization(ORIGIN, None, 1_700_000_000).unwrap(),
            "SAPISIDHASH 1700000000_7f5cf0ef7325a890a89cc0dc432ce24c7bae42dc SAPISID3PHASH 1700000000_7f5cf0ef7325a890a89cc0dc432ce24c7bae42dc"
        );
    }

    #[test]
    fn cookies_without_login_prove_nothing() {
        for header in ["", "SAPISID=abc", "LOGIN_INFO=x", "LOGIN_INFO; SAPISID"] {
            let cookies = AccountCookies::parse(header);
            assert_eq!(cookies.authorization(ORIGIN, None, 0), None, "{header}");
        }
    }
}
