//! Figures of all broadcasts, for `/health` and `/metrics`.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use tokio::time::timeout;

use super::Broadcasts;
use crate::broadcast::Status;
use crate::broadcast::run::{Running, Tally};

/// How long the database may take to count records.
const COUNTING: Duration = Duration::from_secs(1);

/// Figures of all broadcasts since the start of the server.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// How many stand where; only those on air when the database can't tell in time.
    pub by_status: BTreeMap<&'static str, u64>,
    /// Programs that run for them.
    pub children: usize,
    /// What came of items and connections.
    pub tally: Tally,
    /// Whether the database could be asked, and holds all that belongs into it.
    pub is_database_well: bool,
}

impl Broadcasts {
    /// Figures of the moment.
    pub async fn figures(&self) -> Figures {
        let counted = timeout(COUNTING, self.store().count_by_status()).await;
        let mut figures = Figures {
            by_status: Status::ALL.map(|status| (status.as_str(), 0)).into(),
            ..Figures::default()
        };
        let counted = counted.ok().and_then(Result::ok);
        let is_counted = counted.is_some();
        figures.is_database_well = is_counted && !self.store().is_behind();
        figures.by_status.extend(counted.unwrap_or_default());
        self.reap();
        figures.tally = *self.past();
        for running in self.all_running().values() {
            let live = running.live();
            figures.tally += live.tally();
            figures.children += live.programs();
            if !is_counted {
                *figures.by_status.entry(live.status().as_str()).or_default() += 1;
            }
        }
        figures
    }

    /// Forgets runs that are over, but for what is counted of them.
    pub(super) fn reap(&self) {
        let mut all = self.all_running();
        let mut past = self.past();
        all.retain(|_, running| {
            let is_over = running.is_over();
            if is_over {
                *past += running.live().tally();
            }
            !is_over
        });
    }
}

/// Runs by the id of their broadcast.
pub(super) type Runs = HashMap<String, Running>;
