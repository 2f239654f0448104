//! Faults below HTTP, and silence: proxy, tunnel, TLS, and an upstream that never answers.

use std::time::{Duration, Instant};

use super::lab::Lab;
use super::seed::Seed;
use super::target::Target;
use super::trial::Verdict;
use crate::harness::upstream::{Fault, Gate, TunnelFault};

/// How long an upstream has for the head of an answer (reliability, section 4).
const HEAD_TIMEOUT: Duration = Duration::from_secs(20);
/// Time that a busy machine may add.
const SLACK: Duration = Duration::from_secs(15);

fn tunnel_faults() -> Vec<TunnelFault> {
    vec![
        TunnelFault::Refused(403),
        TunnelFault::Refused(502),
        TunnelFault::Closed,
        TunnelFault::Silent(Gate::new()),
        TunnelFault::WrongName,
        TunnelFault::Expired,
        TunnelFault::UnknownCa,
    ]
}

/// A lab that gives a connection one second, and a target for each fault: mirrors on hosts of its own.
async fn lab_and_targets(are_both_down: bool) -> (Lab, Vec<Target>) {
    let lab = Lab::with(|server| server.env("CONNECT_TIMEOUT", "1")).await;
    let world = &lab.upstream.world;
    let mut targets = Vec::new();
    for (number, fault) in (0..).zip(tunnel_faults()) {
        let hosts = ["a", "b"].map(|name| format!("v{number}-{name}.tiktok.com"));
        world.tunnel_fault(&hosts[0], fault.clone());
        if are_both_down {
            world.tunnel_fault(&hosts[1], fault);
        }
        let hosts = [hosts[0].as_str(), hosts[1].as_str()];
        let seed = &mut Seed::new(number);
        targets.push(Target::on_hosts(world, number, seed, hosts));
    }
    (lab, targets)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mirror_without_a_way_to_it_is_passed_over() {
    let (lab, targets) = lab_and_targets(false).await;
    for target in targets {
        assert_eq!(lab.verdict(&target).await, Verdict::Whole, "{target:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_way_to_any_mirror_is_an_error() {
    let (lab, targets) = lab_and_targets(true).await;
    for target in targets {
        let refused = Verdict::Refused(502, "upstream_error".to_owned());
        assert_eq!(lab.verdict(&target).await, refused, "{target:?}");
    }
    let asked = lab.upstream.world.look(|traffic| {
        let mut hosts = traffic.records.iter().map(|record| &record.host);
        hosts.any(|host| host.contains("-a.") || host.contains("-b."))
    });
    assert!(
        !asked,
        "a request went to a host without a sound connection"
    );
}

/// The longest silence that a transfer can meet: half of the time a client waits for a head.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mirror_that_never_answers_is_passed_over_after_its_time() {
    let lab = Lab::new().await;
    let target = Target::new(&lab.upstream.world, 1, &mut Seed::new(1));
    let silence = Fault::StallBeforeHead(Gate::new());
    lab.upstream.world.fault(target.first_always(silence));
    let started = Instant::now();
    assert_eq!(lab.verdict(&target).await, Verdict::Whole);
    let elapsed = started.elapsed();
    assert!(
        (HEAD_TIMEOUT..HEAD_TIMEOUT + SLACK).contains(&elapsed),
        "{elapsed:?}"
    );
}
