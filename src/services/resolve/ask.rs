//! Asking the site, once for all who want to know at the same time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::{debug, warn};

use super::keep::{kept_key, post_key};
use super::{Outcome, ResolveError, Resolved, Resolver};
use crate::extract::{ExtractError, Extractor, OK, Source, Unavailable};
use crate::net::{Client, Egress};
use crate::observe::Verdict;
use crate::services::Shared;
use crate::services::egress::{Way, by_egress};
use crate::services::shared::Duty;

/// A post, the name of the way out that is wanted, whether no other may be taken, and whether the site is to be asked
/// whatever others know.
pub(super) type FlightKey = (&'static str, String, Option<String>, bool, bool);

/// A post to be asked for.
#[derive(Clone)]
pub(super) struct Question {
    pub(super) extractor: Arc<dyn Extractor>,
    pub(super) post: Source,
    /// Name of the way out that is wanted.
    pub(super) egress: Option<String>,
    /// Whether no other way out may be taken.
    pub(super) is_only: bool,
    /// Whether the site is to be asked, whatever others know.
    pub(super) is_fresh: bool,
}

impl Resolver {
    pub(super) async fn fetch(&self, question: Question) -> Outcome {
        let key = post_key(&question.post);
        if let Some(error) = self.inner.not_found.get(&key).await {
            return Err(error);
        }
        let Question {
            is_only, is_fresh, ..
        } = question;
        let key = (key.0, key.1, question.egress.clone(), is_only, is_fresh);
        let resolver = self.clone();
        self.inner
            .extracting
            .join(key, || async move { resolver.answer(question).await })
            .await
            .unwrap_or_else(|| Err(Arc::new(ResolveError::Internal)))
    }

    /// Counts an extraction. One that failed for a reason of the post says nothing against the site.
    pub(super) fn count<T>(
        &self,
        site: &'static str,
        outcome: &Result<T, Arc<ResolveError>>,
        took: Duration,
    ) {
        let (result, verdict) = match outcome {
            Ok(_) => (OK, Verdict::Good),
            Err(error) => match error.as_ref() {
                ResolveError::Extract(reason) if reason.is_of_post() => {
                    (reason.as_str(), Verdict::Neither)
                }
                reason => (reason.as_str(), Verdict::Failed),
            },
        };
        self.extractions().done(site, result, verdict, took);
    }

    /// What other instances know, else what the site says.
    async fn answer(self, question: Question) -> Outcome {
        let Some((shared, egress)) = self.sharing(&question) else {
            let _place = self.inner.admission.admit().await.map_err(failed)?;
            return Ok(self.extract(&question).await?.0);
        };
        let extractor = question.extractor.as_ref();
        let place = shared.place(extractor, &question.post, &egress).await;
        if !question.is_fresh
            && let Some(resolved) = self.told(&shared, &question, &egress).await
        {
            return Ok(resolved);
        }
        let _place = self.inner.admission.admit().await.map_err(failed)?;
        let duty = if question.is_fresh {
            Duty::Alone
        } else {
            let deadline = self.inner.deadline;
            shared.duty(&place, &question.post, deadline).await
        };
        if let Duty::Done(found) = duty {
            return Ok(self.keep_found(&question, *found, &egress).await);
        }
        let question = Question {
            // The place is that of this way out.
            egress: egress.name().map(str::to_owned),
            ..question
        };
        let outcome = self.extract(&question).await;
        if let Ok((resolved, by)) = &outcome {
            let place = if by.number() == egress.number() {
                place
            } else {
                shared
                    .place(question.extractor.as_ref(), &question.post, by)
                    .await
            };
            shared.put(&place, &resolved.extraction).await;
        }
        shared.release(duty).await;
        Ok(outcome?.0)
    }

    /// What another instance was told by `egress`, or by another way out that may be taken as well.
    async fn told(
        &self,
        shared: &Shared,
        question: &Question,
        egress: &Arc<Egress>,
    ) -> Option<Resolved> {
        let Question {
            extractor, post, ..
        } = question;
        let egresses = &self.inner.egresses;
        let others = egresses.all().iter().filter(|other| {
            let is_other = other.number() != egress.number();
            is_other && !question.is_only && egresses.is_usable(other, post.site)
        });
        for egress in std::iter::once(egress).chain(others) {
            let place = shared.place(extractor.as_ref(), post, egress).await;
            if let Some(found) = shared.get(&place, post).await {
                return Some(self.keep_found(question, found, egress).await);
            }
        }
        None
    }

    /// What is shared, and the way out that the site would be asked by; where none may be taken, others may still know.
    fn sharing(&self, question: &Question) -> Option<(Shared, Arc<Egress>)> {
        let shared = self.inner.shared.clone()?;
        let wanted = question.egress.as_deref();
        let (egresses, site) = (&self.inner.egresses, question.post.site);
        let named = egresses.named(wanted).filter(|_| question.is_only);
        let best = named.or_else(|| egresses.best(site, wanted));
        let egress = best.unwrap_or_else(|| egresses.for_media(wanted, site));
        Some((shared, Arc::clone(egress)))
    }

    /// Asks the site; the caller holds a place.
    async fn extract(
        &self,
        question: &Question,
    ) -> Result<(Resolved, Arc<Egress>), Arc<ResolveError>> {
        let Question {
            extractor,
            post,
            egress,
            ..
        } = question;
        let key = post_key(post);
        let started = Instant::now();
        let egresses = &self.inner.egresses;
        let way = match egress.as_deref() {
            Some(name) if question.is_only => Way::Only(name),
            name => Way::rather(name),
        };
        let extracted = by_egress(egresses, key.0, way, |client: Client| {
            let (extractor, post) = (Arc::clone(extractor), post.clone());
            async move { extractor.extract(&client, &post).await }
        });
        let outcome = within(self.inner.deadline, extracted).await;
        let took = started.elapsed();
        self.count(key.0, &outcome, took);
        let elapsed_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let (site, source_id) = (key.0, key.1.as_str());
        match outcome {
            Ok(done) => {
                let egress = done.egress.name();
                debug!(site, source_id, egress, elapsed_ms, "extracted");
                let by = Arc::clone(&done.egress);
                Ok((self.keep(post, done).await, by))
            }
            Err(error) => {
                warn!(site, source_id, elapsed_ms, err = %error, "extraction failed");
                if is_not_found(&error) {
                    for egress in egresses.all() {
                        self.inner.posts.invalidate(&kept_key(post, egress)).await;
                    }
                    self.inner.not_found.insert(key, Arc::clone(&error)).await;
                }
                Err(error)
            }
        }
    }
}

pub(in crate::services) async fn within<T>(
    deadline: Duration,
    work: impl Future<Output = Result<T, ResolveError>>,
) -> Result<T, Arc<ResolveError>> {
    match tokio::time::timeout(deadline, work).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(failed(error)),
        Err(_) => Err(failed(ResolveError::Timeout(deadline))),
    }
}

pub(in crate::services) fn failed(error: impl Into<ResolveError>) -> Arc<ResolveError> {
    Arc::new(error.into())
}

fn is_not_found(error: &ResolveError) -> bool {
    matches!(
        error,
        ResolveError::Extract(ExtractError::Unavailable {
            reason: Unavailable::NotFound,
            ..
        })
    )
}
