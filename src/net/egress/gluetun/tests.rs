//! Reconnections by a VPN of the imagination, in time that is turned on by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio_util::task::AbortOnDropHandle;

use super::*;

/// How the VPN behaves.
#[derive(Debug, Default)]
struct Nature {
    refuses_to_stop: bool,
    refuses_to_start: bool,
    /// How long it takes to get another address.
    slowness: Duration,
}

#[derive(Debug)]
struct Fake {
    began: Instant,
    nature: Mutex<Nature>,
    is_running: Mutex<bool>,
    started_at: Mutex<Option<Instant>>,
    address: Mutex<u8>,
    /// Seconds since the begin at which it was told to stop.
    stops: Mutex<Vec<u64>>,
}

impl Fake {
    fn new(nature: Nature) -> Self {
        Self {
            began: Instant::now(),
            nature: Mutex::new(nature),
            is_running: Mutex::new(true),
            started_at: Mutex::default(),
            address: Mutex::new(1),
            stops: Mutex::default(),
        }
    }
}

fn refused() -> VpnError {
    VpnError::Status(StatusCode::INTERNAL_SERVER_ERROR)
}

impl Control for Fake {
    async fn state(&self) -> Result<VpnState, VpnError> {
        let is_running = *self.is_running.lock().unwrap();
        Ok(if is_running {
            VpnState::Running
        } else {
            VpnState::Stopped
        })
    }

    async fn public_ip(&self) -> Result<Option<IpAddr>, VpnError> {
        let mut started_at = self.started_at.lock().unwrap();
        let slowness = self.nature.lock().unwrap().slowness;
        let mut address = self.address.lock().unwrap();
        if started_at.is_some_and(|at| at.elapsed() >= slowness) {
            *started_at = None;
            *address += 1;
        }
        let is_running = *self.is_running.lock().unwrap();
        Ok(is_running.then(|| IpAddr::from([203, 0, 113, *address])))
    }

    async fn run(&self, is_running: bool) -> Result<(), VpnError> {
        let nature = self.nature.lock().unwrap();
        if !is_running {
            let seconds = self.began.elapsed().as_secs();
            self.stops.lock().unwrap().push(seconds);
        }
        if (is_running && nature.refuses_to_start) || (!is_running && nature.refuses_to_stop) {
            return Err(refused());
        }
        *self.is_running.lock().unwrap() = is_running;
        *self.started_at.lock().unwrap() = is_running.then(Instant::now);
        Ok(())
    }
}

/// A VPN that is watched.
struct Scene {
    vpn: Arc<Gluetun<Fake>>,
    renewals: Arc<AtomicUsize>,
    _watch: AbortOnDropHandle<()>,
}

impl Scene {
    /// One that has been looked at.
    async fn of(nature: Nature) -> Self {
        let vpn: Arc<Gluetun<Fake>> = Arc::new(Gluetun::new(Fake::new(nature)));
        let renewals = Arc::<AtomicUsize>::default();
        let (watched, counted) = (Arc::clone(&vpn), Arc::clone(&renewals));
        let watch = crate::task::spawn(async move {
            let renew = || {
                counted.fetch_add(1, Ordering::SeqCst);
                Ok(())
            };
            watched.watch(renew).await;
        });
        let scene = Self {
            vpn,
            renewals,
            _watch: AbortOnDropHandle::new(watch),
        };
        scene.goes_on_to(0).await;
        assert_eq!(scene.vpn.status().state, VpnState::Running);
        scene
    }

    /// Asks for another address, and at each of these moments how many attempts have failed by then. Each time somebody
    /// asks again.
    async fn assert_attempts(&self, moments: &[(u64, usize)], is_up: bool) {
        self.vpn.ask_for_another_address();
        for (second, failed) in moments {
            self.goes_on_to(*second).await;
            assert_eq!(self.failed(), *failed, "after {second} s");
            assert_eq!(self.vpn.is_up(), is_up, "at {second} s");
            self.vpn.ask_for_another_address();
        }
    }

    /// Lets time pass until half a second after this one since the begin.
    async fn goes_on_to(&self, seconds: u64) {
        sleep_until(self.vpn.control.began + Duration::from_millis(seconds * 1000 + 500)).await;
    }

    fn stops(&self) -> Vec<u64> {
        self.vpn.control.stops.lock().unwrap().clone()
    }

    fn nature(&self) -> MutexGuard<'_, Nature> {
        self.vpn.control.nature.lock().unwrap()
    }

    fn failed(&self) -> usize {
        self.vpn.status().reconnect_attempts
    }

    fn renewals(&self) -> usize {
        self.renewals.load(Ordering::SeqCst)
    }
}

#[tokio::test(start_paused = true)]
async fn reconnection_that_fails_has_three_attempts_their_pauses_and_five_minutes_of_rest() {
    let scene = Scene::of(Nature {
        refuses_to_start: true,
        ..Nature::default()
    })
    .await;
    // Stopped for 2 s, then a pause of 5, 10 and 20 s; the first begins at half a second. Nobody is sent that way.
    let moments = [(1, 0), (3, 1), (6, 1), (8, 1), (10, 2), (18, 2), (22, 3)];
    scene.assert_attempts(&moments, false).await;
    assert_eq!(scene.stops(), [0, 7, 19]);
    scene.goes_on_to(40).await;
    assert_eq!(scene.vpn.status().state, VpnState::Reconnecting);
    scene.goes_on_to(42).await;
    let given_up = scene.vpn.status();
    assert_eq!(given_up.state, VpnState::Stopped);
    assert_eq!(
        (given_up.reconnect_attempts, given_up.max_attempts),
        (3, 3),
        "as long as it rests"
    );
    assert_eq!(given_up.reconnects, Reconnects { ok: 0, failed: 3 });
    scene.goes_on_to(340).await;
    scene.vpn.ask_for_another_address();
    assert_eq!((scene.failed(), scene.stops().len()), (3, 3));
    // It doesn't run, so it is started when it has rested, at the next look.
    scene.nature().refuses_to_start = false;
    scene.goes_on_to(341 + 60 + 5).await;
    let after = scene.vpn.status();
    assert_eq!(after.state, VpnState::Running);
    assert_eq!((after.reconnect_attempts, scene.stops().len()), (0, 4));
    assert_eq!(after.reconnects, Reconnects { ok: 1, failed: 3 });
    assert_eq!(scene.renewals(), 1);
}

#[tokio::test(start_paused = true)]
async fn reconnection_that_succeeds_at_last_counts_anew_and_rests_for_half_a_minute() {
    let scene = Scene::of(Nature {
        refuses_to_start: true,
        ..Nature::default()
    })
    .await;
    scene.vpn.ask_for_another_address();
    scene.goes_on_to(5).await;
    scene.nature().refuses_to_start = false;
    scene.goes_on_to(10).await;
    let status = scene.vpn.status();
    assert_eq!(status.state, VpnState::Running);
    assert_eq!((status.reconnect_attempts, scene.renewals()), (0, 1));
    assert_eq!(status.public_ip, Some(IpAddr::from([203, 0, 113, 2])));
    assert!(status.last_reconnect.is_some());
    scene.goes_on_to(38).await;
    scene.vpn.ask_for_another_address();
    assert!(scene.vpn.is_up(), "too soon");
    scene.goes_on_to(40).await;
    scene.vpn.ask_for_another_address();
    assert!(!scene.vpn.is_up());
    scene.goes_on_to(45).await;
    assert_eq!(scene.stops(), [0, 7, 40]);
}

#[tokio::test(start_paused = true)]
async fn vpn_that_is_not_stopped_goes_on_between_the_attempts() {
    let scene = Scene::of(Nature {
        refuses_to_stop: true,
        ..Nature::default()
    })
    .await;
    // It is up as before.
    let moments = [(1, 1), (4, 1), (6, 2), (14, 2), (16, 3), (34, 3), (36, 3)];
    scene.assert_attempts(&moments, true).await;
    assert_eq!(scene.stops(), [0, 5, 15]);
    scene.goes_on_to(336).await;
    scene.vpn.ask_for_another_address();
    scene.goes_on_to(337).await;
    assert_eq!((scene.failed(), scene.stops().len()), (1, 4), "a new one");
}

#[tokio::test(start_paused = true)]
async fn vpn_that_was_stopped_once_is_left_alone_until_the_end() {
    let scene = Scene::of(Nature {
        refuses_to_start: true,
        ..Nature::default()
    })
    .await;
    scene.vpn.ask_for_another_address();
    scene.goes_on_to(5).await;
    scene.nature().refuses_to_stop = true;
    for second in [8, 12, 18, 24, 34] {
        scene.goes_on_to(second).await;
        assert!(!scene.vpn.is_up(), "it doesn't run, at {second} s");
    }
    assert_eq!((scene.failed(), scene.stops()), (3, vec![0, 7, 17]));
}

#[tokio::test(start_paused = true)]
async fn address_that_comes_late_is_taken_without_another_attempt() {
    let scene = Scene::of(Nature {
        slowness: Duration::from_secs(33),
        ..Nature::default()
    })
    .await;
    scene.vpn.ask_for_another_address();
    scene.goes_on_to(34).await;
    assert_eq!((scene.failed(), scene.vpn.is_up()), (1, false));
    scene.goes_on_to(60).await;
    let status = scene.vpn.status();
    assert_eq!(status.state, VpnState::Running);
    assert_eq!((status.reconnect_attempts, scene.renewals()), (0, 1));
    assert_eq!(scene.stops(), [0]);
}

#[tokio::test(start_paused = true)]
async fn same_address_again_is_a_failure() {
    let scene = Scene::of(Nature {
        slowness: Duration::MAX,
        ..Nature::default()
    })
    .await;
    scene.vpn.ask_for_another_address();
    // 2 s of stop and 30 s of waiting each.
    scene.goes_on_to(32 + 5 + 32 + 10 + 32 + 20 + 1).await;
    let status = scene.vpn.status();
    assert_eq!(scene.stops(), [0, 37, 79]);
    assert_eq!(
        (status.reconnect_attempts, status.state),
        (3, VpnState::Running)
    );
    assert_eq!(scene.renewals(), 0);
}
