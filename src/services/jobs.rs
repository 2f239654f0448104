//! Places for jobs of FFmpeg, which share `MAX_WORKERS` with the extractions (ruling 6).
//!
//! A job may itself need an extraction, when an address has expired, and a transcoding lasts as long as its client takes.
//! So jobs never take the last place for work: whoever waits for an extraction waits for extractions alone.

use crate::transfer::{Admission, Busy, Permit};

/// The places. Cheap to clone.
#[derive(Clone)]
pub(super) struct Jobs {
    places: Admission,
    /// `None` where there is one place only: it belongs to extractions, and one job runs beside it.
    workers: Option<Admission>,
}

/// The places that a job holds.
#[derive(Debug)]
pub(super) struct JobPlace {
    _place: Permit,
    _worker: Option<Permit>,
}

impl Jobs {
    /// Places among those of `workers`; `queue` makes so many with a queue in front.
    pub(super) fn among(workers: &Admission, queue: impl FnOnce(usize) -> Admission) -> Self {
        let most = workers.max().saturating_sub(1);
        Self {
            places: queue(most.max(1)),
            workers: (most > 0).then(|| workers.clone()),
        }
    }

    /// Jobs that run at once.
    fn max(&self) -> usize {
        self.places.max()
    }

    /// How many run that the places for work don't count: at most one, where there is one place only.
    pub(super) fn beside(&self) -> usize {
        match self.workers {
            Some(_) => 0,
            None => self.places.active(),
        }
    }

    /// How many wait for one of these places. Who has it and waits for one among the workers is counted there.
    pub(super) fn waiting(&self) -> usize {
        self.places.waiting()
    }

    /// Takes a place.
    ///
    /// # Errors
    /// [`Busy`].
    pub(super) async fn admit(&self) -> Result<JobPlace, Busy> {
        let place = self.places.admit().await?;
        let worker = match &self.workers {
            Some(workers) => Some(workers.admit().await?),
            None => None,
        };
        Ok(JobPlace {
            _place: place,
            _worker: worker,
        })
    }
}

/// Places for jobs that last as long as their clients take; fewer than all where there are several, so that slow clients
/// never have all. Clones share them.
#[derive(Clone)]
pub(super) struct SlowJobs {
    places: Admission,
    jobs: Jobs,
}

/// The places that a slow job holds.
#[derive(Debug)]
pub(super) struct SlowPlace {
    _place: Permit,
    _job: JobPlace,
}

impl SlowJobs {
    /// Half of the places of `jobs`, or the only one; `queue` makes so many with a queue in front.
    pub(super) fn among(jobs: &Jobs, queue: impl FnOnce(usize) -> Admission) -> Self {
        Self {
            places: queue(jobs.max().div_ceil(2)),
            jobs: jobs.clone(),
        }
    }

    /// How many wait for a place, of this kind or of all.
    pub(super) fn waiting(&self) -> usize {
        self.places.waiting() + self.jobs.waiting()
    }

    /// Takes a place.
    ///
    /// # Errors
    /// [`Busy`].
    pub(super) async fn admit(&self) -> Result<SlowPlace, Busy> {
        Ok(SlowPlace {
            _place: self.places.admit().await?,
            _job: self.jobs.admit().await?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn jobs(workers: usize) -> (Admission, Jobs) {
        let queue = |places| Admission::new(places, 0, Duration::ZERO);
        let workers = queue(workers);
        let jobs = Jobs::among(&workers, queue);
        (workers, jobs)
    }

    #[tokio::test]
    async fn one_place_is_always_left_to_extractions() {
        for max in [1, 2, 3, 20] {
            let (workers, jobs) = jobs(max);
            let mut places = Vec::new();
            while let Ok(place) = jobs.admit().await {
                places.push(place);
            }
            assert_eq!(places.len(), (max - 1).max(1), "{max}");
            assert!(workers.active() < max, "{max}");
            assert_eq!(workers.active() + jobs.beside(), places.len(), "{max}");
            workers.admit().await.unwrap();
            drop(places);
            assert_eq!(workers.active() + jobs.beside(), 0, "{max}");
        }
    }

    #[tokio::test]
    async fn slow_jobs_leave_a_place_to_others() {
        for max in [1, 2, 3, 4, 20] {
            let (_, jobs) = jobs(max);
            let slow = SlowJobs::among(&jobs, |places| Admission::new(places, 0, Duration::ZERO));
            let mut places = Vec::new();
            while let Ok(place) = slow.admit().await {
                places.push(place);
            }
            assert_eq!(places.len(), jobs.max().div_ceil(2), "{max}");
            assert_eq!(jobs.admit().await.is_ok(), jobs.max() > 1, "{max}");
            drop(places);
            slow.admit().await.unwrap();
        }
    }

    #[tokio::test]
    async fn job_waits_for_extractions_that_have_all_places() {
        let (workers, jobs) = jobs(2);
        let held = [
            workers.admit().await.unwrap(),
            workers.admit().await.unwrap(),
        ];
        jobs.admit().await.unwrap_err();
        drop(held);
        jobs.admit().await.unwrap();
    }
}
