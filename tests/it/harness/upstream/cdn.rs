//! A CDN with rules of its own: what it answers follows from the request, not from the exact address.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::answer::Reply;
use super::media::Media;
use super::wire::Request;

/// Bytes per second of a file that is served at a crawl.
const CRAWL: u64 = 256 * 1024;

/// What a CDN decides about a request.
#[derive(Debug)]
pub(crate) enum Ruling {
    /// Here it is.
    Serve(Served),
    /// It lies at this address.
    Move(String),
    /// 403, for this reason.
    Refuse(String),
    /// No client in order would ask so; it fails the test.
    Wrong(String),
}

/// A file, and how it is served.
#[derive(Debug)]
pub(crate) struct Served {
    /// The file.
    pub(crate) media: Media,
    /// The part that the address itself asks for; it is served as if it were a whole file.
    pub(crate) part: Option<Range<u64>>,
    /// Why it is served at a crawl, if it is.
    pub(crate) crawl: Option<String>,
}

impl Served {
    /// The answer, with the file as faults left it.
    pub(super) fn reply(&self, media: &Media, request: &Request, ignores_range: bool) -> Reply {
        match &self.part {
            Some(part) => {
                let mut reply = Reply::new(200, media.payload.clone());
                reply.range = part.clone();
                reply.set("Content-Type", media.content_type.clone());
                reply
            }
            None => media.reply(request, ignores_range),
        }
    }

    /// Bytes per second; `None`: as fast as the connection takes them.
    pub(super) fn rate(&self) -> Option<u64> {
        self.crawl.is_some().then_some(CRAWL)
    }
}

/// Decides about a request.
type Rule = dyn Fn(&Request) -> Ruling + Send + Sync;

/// A CDN: all hosts below a name.
#[derive(Clone)]
pub(crate) struct Cdn {
    suffix: String,
    rule: Arc<Rule>,
}

impl fmt::Debug for Cdn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cdn(*{})", self.suffix)
    }
}

impl Cdn {
    /// A CDN on every host that ends so; `suffix` begins with a dot.
    pub(crate) fn new(
        suffix: &str,
        rule: impl Fn(&Request) -> Ruling + Send + Sync + 'static,
    ) -> Self {
        Self {
            suffix: suffix.to_owned(),
            rule: Arc::new(rule),
        }
    }

    pub(super) fn has(&self, request: &Request) -> bool {
        request.host.ends_with(&self.suffix)
    }

    pub(super) fn rule(&self, request: &Request) -> Ruling {
        (self.rule)(request)
    }
}
