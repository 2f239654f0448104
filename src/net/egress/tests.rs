//! The choice among several ways out.

use super::*;
use crate::config::Env;

const SITE: &str = "site";

fn egresses(list: &str) -> Egresses {
    let mut env = Env::from_pairs([("EGRESS", list)]);
    let config = EgressConfig::from_env(&mut env);
    env.finish().unwrap();
    Egresses::new(config).unwrap()
}

fn taken(turn: &Turn) -> String {
    turn.egress().name().unwrap_or_default().to_owned()
}

fn take(egresses: &Egresses) -> Result<Turn, NoEgress> {
    egresses.take(SITE, None, &[])
}

/// Takes one and tells how it went.
fn go(egresses: &Egresses, end: TurnEnd) -> String {
    let turn = take(egresses).unwrap();
    let name = taken(&turn);
    turn.end(end);
    name
}

#[tokio::test(start_paused = true)]
async fn work_is_spread_over_all() {
    let egresses = egresses("a=direct,b=direct,c=direct");
    let one_by_one: Vec<String> = (0..6).map(|_| go(&egresses, TurnEnd::Well)).collect();
    assert_eq!(one_by_one, ["a", "b", "c", "a", "b", "c"]);
    let held: Vec<Turn> = (0..7).map(|_| take(&egresses).unwrap()).collect();
    let count = |name: &str| held.iter().filter(|turn| taken(turn) == name).count();
    assert_eq!([count("a"), count("b"), count("c")], [3, 2, 2]);
    drop(held);
    assert!(egresses.status().iter().all(|status| status.active == 0));
}

#[tokio::test(start_paused = true)]
async fn one_that_is_blocked_rests_for_that_site_and_comes_last_after() {
    let egresses = egresses("a=direct,b=direct");
    assert_eq!(go(&egresses, TurnEnd::Blocked(None)), "a");
    for _ in 0..3 {
        assert_eq!(go(&egresses, TurnEnd::Well), "b");
    }
    let elsewhere = egresses.take("other", None, &[]).unwrap();
    assert_eq!(
        taken(&elsewhere),
        "a",
        "the other site has nothing against it"
    );
    drop(elsewhere);
    let status = &egresses.status()[0];
    assert_eq!(status.benched, [(SITE, Duration::from_secs(30))]);
    tokio::time::advance(Duration::from_secs(30)).await;
    assert_eq!(go(&egresses, TurnEnd::Well), "b", "it was never blocked");
    let busy = take(&egresses).unwrap();
    assert_eq!(
        (taken(&busy).as_str(), go(&egresses, TurnEnd::Well)),
        ("b", "a".to_owned())
    );
}

#[tokio::test(start_paused = true)]
async fn all_blocked_is_told_with_the_shortest_rest() {
    let egresses = egresses("a=direct,b=direct");
    go(&egresses, TurnEnd::Blocked(Some(Duration::from_secs(100))));
    go(&egresses, TurnEnd::Blocked(None));
    let refused = take(&egresses).unwrap_err();
    assert_eq!(refused.retry_after, Duration::from_secs(30));
    tokio::time::advance(Duration::from_secs(30)).await;
    assert_eq!(go(&egresses, TurnEnd::Well), "b");
}

#[tokio::test(start_paused = true)]
async fn wanted_one_is_taken_unless_it_rests_or_was_tried() {
    let egresses = egresses("a=direct,b=direct");
    let wanted = |tried: &[Arc<Egress>]| egresses.take(SITE, Some("b"), tried).unwrap();
    for _ in 0..3 {
        assert_eq!(taken(&wanted(&[])), "b");
    }
    let b = Arc::clone(egresses.named(Some("b")).unwrap());
    assert_eq!(taken(&wanted(&[b])), "a");
    wanted(&[]).end(TurnEnd::Blocked(None));
    assert_eq!(taken(&wanted(&[])), "a");
    let unknown = egresses.take(SITE, Some("nobody"), &[]).unwrap();
    assert_eq!(taken(&unknown), "a");
}

#[tokio::test(start_paused = true)]
async fn one_that_reaches_nothing_comes_after_the_others_for_a_while() {
    let egresses = egresses("a=direct,b=direct");
    assert_eq!(go(&egresses, TurnEnd::Unreachable), "a");
    let busy: Vec<Turn> = (0..3).map(|_| take(&egresses).unwrap()).collect();
    assert!(busy.iter().all(|turn| taken(turn) == "b"));
    tokio::time::advance(Duration::from_secs(30)).await;
    assert_eq!(go(&egresses, TurnEnd::Well), "a");
}

#[tokio::test(start_paused = true)]
async fn only_one_without_a_name_never_rests() {
    let egresses = Egresses::new(EgressConfig::from_env(&mut Env::default())).unwrap();
    for _ in 0..3 {
        take(&egresses).unwrap().end(TurnEnd::Blocked(None));
    }
    assert!(take(&egresses).is_ok() && egresses.status()[0].benched.is_empty());
    assert_eq!(egresses.for_media(Some("elsewhere"), SITE).name(), None);
}

#[tokio::test(start_paused = true)]
async fn another_address_is_another_start() {
    let egresses = egresses("a=direct");
    let late = take(&egresses).unwrap();
    go(&egresses, TurnEnd::Blocked(None));
    let egress = &egresses.all()[0];
    egress.renew().unwrap();
    assert_eq!(egress.generation(), 1);
    late.end(TurnEnd::Blocked(None));
    assert!(
        take(&egresses).is_ok(),
        "the block was of the former address"
    );
}
