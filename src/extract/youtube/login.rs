//! Who the operator's cookies belong to, as the site's pages name it. Asked once an hour, and only with a login.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::auth::AccountCookies;
use super::page::Login;

/// How long an answer is good.
const LIFE: Duration = Duration::from_secs(3600);
/// How long the site is not asked again that didn't say.
const PAUSE: Duration = Duration::from_secs(60);

/// What is known of the account. Locked while the site is asked, so that it is asked once.
#[derive(Debug, Default)]
pub(super) struct Logins(Mutex<Option<Known>>);

#[derive(Debug)]
struct Known {
    account: AccountCookies,
    login: Login,
    until: Instant,
}

impl Logins {
    /// Whose the account is, from `fetch` when it isn't known; nobody's without a login.
    pub(super) async fn get(
        &self,
        account: &AccountCookies,
        fetch: impl Future<Output = Option<Login>>,
    ) -> Login {
        if !account.is_logged_in() {
            return Login::default();
        }
        let mut known = self.0.lock().await;
        let now = Instant::now();
        let is_fresh = |known: &&Known| known.account == *account && now < known.until;
        if let Some(fresh) = known.as_ref().filter(is_fresh) {
            return fresh.login.clone();
        }
        let found = Box::pin(fetch).await;
        let life = if found.is_some() { LIFE } else { PAUSE };
        let login = found.unwrap_or_default();
        *known = Some(Known {
            account: account.clone(),
            login: login.clone(),
            until: now + life,
        });
        login
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(user: &str) -> Login {
        Login {
            user: Some(user.to_owned()),
            ..Login::default()
        }
    }

    #[tokio::test]
    async fn account_is_asked_for_once_and_again_when_it_changes() {
        let logins = Logins::default();
        let first = AccountCookies::parse("LOGIN_INFO=x; SAPISID=a");
        let other = AccountCookies::parse("LOGIN_INFO=x; SAPISID=b");
        let get = async |account, user| logins.get(account, async { Some(login(user)) }).await;
        assert_eq!(get(&first, "1").await, login("1"));
        assert_eq!(get(&first, "2").await, login("1"));
        assert_eq!(get(&other, "3").await, login("3"));
        let nobody = AccountCookies::default();
        assert_eq!(get(&nobody, "4").await, Login::default());
    }

    #[tokio::test]
    async fn silence_of_the_site_is_kept_for_a_while() {
        let logins = Logins::default();
        let account = AccountCookies::parse("LOGIN_INFO=x; SAPISID=a");
        assert_eq!(logins.get(&account, async { None }).await, Login::default());
        let later = logins.get(&account, async { Some(login("1")) }).await;
        assert_eq!(later, Login::default());
    }
}
