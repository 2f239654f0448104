//! Pages and API endpoints: which requests they answer, and with what.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::answer::Answer;
use super::wire::Request;

/// Makes an answer out of a request and how many came before it.
type Respond = dyn Fn(&Request, usize) -> Answer + Send + Sync;

/// A page: host, path, perhaps parts of the query, and its answers in order.
#[derive(Clone)]
pub(crate) struct Page {
    host: String,
    path: String,
    query: Vec<(String, String)>,
    method: Option<String>,
    respond: Arc<Respond>,
    served: usize,
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Page({}{}, {} served)",
            self.host, self.path, self.served
        )
    }
}

impl Page {
    /// One answer after the other; the last one stays. `*` in `path` stands for anything but `/`.
    pub(crate) fn new(host: &str, path: &str, answers: Vec<Answer>) -> Self {
        assert!(!answers.is_empty(), "a page needs an answer");
        Self::dynamic(host, path, move |_, nth| {
            answers[nth.min(answers.len() - 1)].clone()
        })
    }

    /// Answers made on demand.
    pub(crate) fn dynamic(
        host: &str,
        path: &str,
        respond: impl Fn(&Request, usize) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self {
            host: host.to_owned(),
            path: path.to_owned(),
            query: Vec::new(),
            method: None,
            respond: Arc::new(respond),
            served: 0,
        }
    }

    /// Answers only requests with this query parameter.
    pub(crate) fn with_query(mut self, name: &str, value: &str) -> Self {
        self.query.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Answers only this method; otherwise GET and HEAD.
    pub(crate) fn with_method(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// Gives `otherwise` to requests whose header `name` doesn't contain `part`.
    pub(crate) fn requiring(
        mut self,
        name: &'static str,
        part: &'static str,
        otherwise: Answer,
    ) -> Self {
        let respond = Arc::clone(&self.respond);
        self.respond = Arc::new(move |request, nth| {
            let value = request.header(name);
            if value.is_some_and(|value| value.contains(part)) {
                respond(request, nth)
            } else {
                otherwise.clone()
            }
        });
        self
    }

    pub(super) fn matches(&self, request: &Request) -> bool {
        let is_method = match &self.method {
            Some(method) => *method == request.method,
            None => matches!(request.method.as_str(), "GET" | "HEAD"),
        };
        is_method
            && self.host == request.host
            && path_matches(&self.path, request.path())
            && self
                .query
                .iter()
                .all(|(name, value)| request.query(name) == Some(value))
    }

    /// The function to be called outside any lock, and the number of requests before this one.
    pub(super) fn next(&mut self) -> (Arc<Respond>, usize) {
        self.served += 1;
        (Arc::clone(&self.respond), self.served - 1)
    }
}

/// The pages of a world. They are found by the ends of their paths, because there may be tens of thousands.
#[derive(Debug, Default)]
pub(super) struct Pages {
    /// In the order in which they came.
    all: Vec<Page>,
    /// Places of those whose last segment is fixed, by host and that segment.
    by_end: HashMap<(String, String), Vec<usize>>,
    /// Places of the others.
    open: Vec<usize>,
}

impl Pages {
    pub(super) fn push(&mut self, page: Page) {
        let place = self.all.len();
        match last_segment(&page.path) {
            end if end.contains('*') => self.open.push(place),
            end => {
                let key = (page.host.clone(), end.to_owned());
                self.by_end.entry(key).or_default().push(place);
            }
        }
        self.all.push(page);
    }

    /// The newest page that answers a request.
    pub(super) fn find(&mut self, request: &Request) -> Option<&mut Page> {
        let key = (
            request.host.clone(),
            last_segment(request.path()).to_owned(),
        );
        let fixed = self.by_end.get(&key).map_or(&[][..], Vec::as_slice);
        let newest = |places: &[usize]| {
            let mut places = places.iter().rev().copied();
            places.find(|place| self.all[*place].matches(request))
        };
        // No place is less than any.
        let place = newest(fixed).max(newest(&self.open))?;
        self.all.get_mut(place)
    }
}

/// What follows the last slash.
fn last_segment(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

fn path_matches(pattern: &str, path: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else {
        return pattern == path;
    };
    let Some(rest) = path.strip_prefix(before) else {
        return false;
    };
    let end = rest.find('/').unwrap_or(rest.len());
    (0..=end).any(|taken| {
        rest.get(taken..)
            .is_some_and(|rest| path_matches(after, rest))
    })
}
