//! Accounts: the sites as somebody with cookies of their own sees them.
//!
//! Each account is a file of cookies in the operator's directory, and has sessions, caches and flights of its own, so
//! that what one is told never reaches another, nor those who ask without one. They are made when they are first wanted.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Lister, Playout, Resolver, ServicesConfig};
use crate::lifecycle::Lifecycle;
use crate::net::{CookieFile, OperatorCookies};

/// Accounts that are remembered; the one that was wanted least lately makes room, and costs its cache.
const MOST: usize = 16;

/// Why an account can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AccountError {
    /// The server has no directory of accounts.
    #[error("can't be used: `BROADCAST_COOKIES_DIR` is not set on this server")]
    NoDirectory,
    /// There is no such file in it.
    #[error("names no file in `BROADCAST_COOKIES_DIR`")]
    Missing,
    /// The file is no cookie file.
    #[error("names a file without cookies in Netscape format")]
    Unreadable,
}

/// The sites by one account.
#[derive(Clone)]
pub struct Account {
    /// Lists what lists hold.
    pub lister: Lister,
    /// Finds and opens posts.
    pub playout: Playout,
}

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct Accounts {
    inner: Arc<Inner>,
}

struct Inner {
    dir: Option<PathBuf>,
    config: ServicesConfig,
    resolver: Resolver,
    playout: Playout,
    lifecycle: Lifecycle,
    /// Those that are remembered, the one that was wanted last at the end.
    open: Mutex<Vec<Open>>,
}

struct Open {
    name: String,
    file: Arc<CookieFile>,
    /// What `account` was made for: other cookies may be those of somebody else.
    cookies: Arc<OperatorCookies>,
    account: Account,
}

impl Accounts {
    /// The accounts of the files in `dir`, over the sites of `resolver`; what they ask for ends with `lifecycle`.
    pub fn new(
        dir: Option<PathBuf>,
        config: &ServicesConfig,
        (resolver, playout): (Resolver, Playout),
        lifecycle: &Lifecycle,
    ) -> Self {
        let inner = Inner {
            dir,
            config: config.clone(),
            resolver,
            playout,
            lifecycle: lifecycle.clone(),
            open: Mutex::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// The sites by the account of this name. Its file is looked at each time; while one that was open is away, what
    /// its [`CookieFile`] still has in force counts.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn open(&self, name: &str) -> Result<Account, AccountError> {
        let inner = &self.inner;
        let dir = inner.dir.as_deref().ok_or(AccountError::NoDirectory)?;
        let path = dir.join(name);
        let found = is_file_in(dir, &path).await;
        let mut open = inner.open.lock().unwrap_or_else(PoisonError::into_inner);
        let known = open.iter().position(|known| known.name == name);
        let known = known.map(|place| open.remove(place));
        // One that can't be found may be away for the moment in which another one takes its place.
        if !found
            .as_ref()
            .map_or(known.is_some(), |is_inside| *is_inside)
        {
            return Err(AccountError::Missing);
        }
        let file = known.as_ref().map_or_else(
            || Arc::new(CookieFile::new(vec![path])),
            |known| Arc::clone(&known.file),
        );
        let gone = match found {
            Ok(_) => AccountError::Unreadable,
            Err(_) => AccountError::Missing,
        };
        let cookies = file.load().ok_or(gone)?;
        let is_same = |known: &Open| Arc::ptr_eq(&known.cookies, &cookies);
        let account = match known.filter(is_same) {
            Some(known) => known.account,
            None => inner.make(&file),
        };
        if open.len() >= MOST {
            open.remove(0);
        }
        open.push(Open {
            name: name.to_owned(),
            file,
            cookies,
            account: account.clone(),
        });
        Ok(account)
    }
}

impl Inner {
    fn make(&self, file: &Arc<CookieFile>) -> Account {
        let sites = self.resolver.extractors().iter();
        let sites = sites.filter_map(|site| site.by_account(Arc::clone(file)));
        let (config, lifecycle) = (&self.config, &self.lifecycle);
        let resolver = self.resolver.by_account(config, sites.collect(), lifecycle);
        Account {
            playout: self.playout.over(&resolver),
            lister: Lister::new(config, resolver, lifecycle),
        }
    }
}

/// Whether a path is a regular file below `dir`, wherever links lead.
async fn is_file_in(dir: &Path, path: &Path) -> io::Result<bool> {
    let dir = tokio::fs::canonicalize(dir).await?;
    let path = tokio::fs::canonicalize(path).await?;
    Ok(path.starts_with(dir) && tokio::fs::metadata(&path).await?.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn links_lead_nowhere_outside() {
        let outside = tempfile::tempdir().unwrap();
        let dir = outside.path().join("cookies");
        std::fs::create_dir_all(dir.join("sub")).unwrap();
        std::fs::write(outside.path().join("secret"), "s").unwrap();
        std::fs::write(dir.join("plain"), "c").unwrap();
        for (link, to) in [("out", "../secret"), ("in", "plain"), ("nowhere", "x")] {
            std::os::unix::fs::symlink(to, dir.join(link)).unwrap();
        }
        for (name, is_usable) in [
            ("plain", true),
            ("in", true),
            ("out", false),
            ("nowhere", false),
            ("sub", false),
            ("../secret", false),
        ] {
            let found = is_file_in(&dir, &dir.join(name)).await;
            assert_eq!(found.unwrap_or(false), is_usable, "{name}");
        }
    }
}
