//! When a page is asked again: how often for which kind of failure. Pure.

use super::identity::RetryPolicy;
use crate::extract::{Block, ExtractError};

/// Attempts that are left.
#[derive(Debug)]
pub(super) struct Attempts {
    no_data: usize,
    trouble: usize,
}

impl Attempts {
    /// All that the policy allows.
    pub(super) fn new(policy: &RetryPolicy) -> Self {
        Self {
            no_data: policy.no_data,
            trouble: policy.trouble,
        }
    }

    /// Whether one more may follow this failure; takes it from what is left.
    pub(super) fn take(&mut self, error: &ExtractError) -> bool {
        let left = match error {
            // Another browser and a fresh jar may be given the page.
            ExtractError::Shape { .. }
            | ExtractError::Blocked {
                block: Block::Captcha | Block::Maintenance,
                ..
            } => &mut self.no_data,
            ExtractError::Upstream { .. } => &mut self.trouble,
            ExtractError::Net(error) if error.may_retry() => &mut self.trouble,
            _ => return false,
        };
        let may = *left > 0;
        *left = left.saturating_sub(1);
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Env;
    use crate::extract::Unavailable;
    use crate::extract::tiktok::answer::shape;
    use crate::extract::tiktok::identity::Identity;
    use crate::extract::tiktok::{SITE, status};
    use crate::net::{GuardError, NetError, Phase};

    fn attempts() -> Attempts {
        Attempts::new(&Identity::from_env(&mut Env::default()).page.retry)
    }

    /// How many times the same failure is survived.
    fn survived(error: &ExtractError) -> usize {
        let mut attempts = attempts();
        (0..10).take_while(|_| attempts.take(error)).count()
    }

    fn blocked(block: Block) -> ExtractError {
        ExtractError::Blocked {
            site: SITE,
            block,
            retry_after: None,
        }
    }

    #[test]
    fn answers_without_data_are_asked_for_twice_more() {
        assert_eq!(survived(&shape("page")), 2);
        assert_eq!(survived(&blocked(Block::Captcha)), 2);
        assert_eq!(survived(&blocked(Block::Maintenance)), 2);
    }

    #[test]
    fn trouble_is_asked_for_once_more() {
        let timeout = NetError::Timeout {
            host: "a.test".to_owned(),
            phase: Phase::Head,
        };
        assert_eq!(survived(&timeout.into()), 1);
        assert_eq!(
            survived(&ExtractError::Upstream {
                site: SITE,
                code: 503
            }),
            1
        );
    }

    #[test]
    fn what_is_certain_is_never_asked_again() {
        assert_eq!(
            survived(&status::unavailable(SITE, Unavailable::NotFound, "")),
            0
        );
        assert_eq!(survived(&blocked(Block::Forbidden)), 0);
        assert_eq!(survived(&blocked(Block::RateLimited)), 0);
        assert_eq!(survived(&NetError::from(GuardError::Host).into()), 0);
        let unsolved = ExtractError::Challenge {
            site: SITE,
            message: "no number within the limit fits",
        };
        assert_eq!(survived(&unsolved), 0);
    }

    #[test]
    fn kinds_are_counted_apart() {
        let mut attempts = attempts();
        assert!(attempts.take(&ExtractError::Upstream {
            site: SITE,
            code: 503
        }));
        assert!(attempts.take(&shape("page")));
        assert!(!attempts.take(&ExtractError::Upstream {
            site: SITE,
            code: 503
        }));
        assert!(attempts.take(&shape("page")));
        assert!(!attempts.take(&shape("page")));
    }
}
