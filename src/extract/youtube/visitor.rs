//! Visitor ids: the name that YouTube gives an unknown visitor, without which it answers worse. One per client and way out, kept
//! for hours, asked for once even when many extractions want it at the same time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A visitor id and until when it is used.
#[derive(Debug)]
struct Entry {
    value: String,
    until: Instant,
}

/// Holds the id of one client; locked while it is asked for.
type Slot = Arc<tokio::sync::Mutex<Option<Entry>>>;

/// The visitor ids by client and way out. As many as there are of both.
#[derive(Debug, Default)]
pub(super) struct Visitors {
    slots: Mutex<HashMap<String, Slot>>,
}

impl Visitors {
    /// The id of a client, from `fetch` when there is none that is fresh.
    pub(super) async fn get<E>(
        &self,
        client: &str,
        life: Duration,
        fetch: impl Future<Output = Result<String, E>>,
    ) -> Result<String, E> {
        let slot = self.slot(client);
        let mut entry = slot.lock().await;
        let now = Instant::now();
        if let Some(fresh) = entry.as_ref().filter(|entry| now < entry.until) {
            return Ok(fresh.value.clone());
        }
        let value = fetch.await?;
        *entry = Some(Entry {
            value: value.clone(),
            until: now + life,
        });
        Ok(value)
    }

    /// Drops the id of a client if it still is `value`: another extraction may have fetched a new one already.
    pub(super) async fn forget(&self, client: &str, value: &str) {
        let slot = self.slot(client);
        let mut entry = slot.lock().await;
        if entry.as_ref().is_some_and(|entry| entry.value == value) {
            *entry = None;
        }
    }

    fn slot(&self, client: &str) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(client.to_owned()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const LIFE: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn many_ask_once() {
        let visitors = Visitors::default();
        let asked = AtomicUsize::new(0);
        let get = || {
            visitors.get("a", LIFE, async {
                tokio::task::yield_now().await;
                Ok::<_, ()>(format!("id{}", asked.fetch_add(1, Ordering::Relaxed)))
            })
        };
        let (first, second, third) = tokio::join!(get(), get(), get());
        assert_eq!(
            (first.as_deref(), second.as_deref()),
            (Ok("id0"), Ok("id0"))
        );
        assert_eq!(third.as_deref(), Ok("id0"));
        visitors.forget("a", "another").await;
        assert_eq!(get().await.as_deref(), Ok("id0"));
        visitors.forget("a", "id0").await;
        assert_eq!(get().await.as_deref(), Ok("id1"));
    }

    #[tokio::test]
    async fn failures_and_old_ids_are_not_kept() {
        let visitors = Visitors::default();
        let failed: Result<String, &str> = visitors.get("a", LIFE, async { Err("no") }).await;
        assert_eq!(failed, Err("no"));
        let old: Result<_, ()> = visitors
            .get("a", Duration::ZERO, async { Ok("1".to_owned()) })
            .await;
        assert_eq!(old.as_deref(), Ok("1"));
        let new: Result<_, ()> = visitors.get("a", LIFE, async { Ok("2".to_owned()) }).await;
        assert_eq!(new.as_deref(), Ok("2"));
    }
}
