//! What is remembered, what is fetched again, and who waits for whom.

use futures_util::FutureExt;

use super::*;

#[tokio::test]
async fn known_answers_need_no_script() {
    let (solver, source, player) = (new_solver(), Script::new(SMALL), key("00000001"));
    let (n, signatures) = (strings(&["abcdef"]), strings(&["0123456789"]));
    let first = solver
        .solve(&player, &source, &n, &signatures)
        .await
        .expect("solved");
    let none = Script::new("");
    let again = solver
        .solve(&player, &none, &n, &strings(&["9876543210"]))
        .await
        .expect("known");
    assert_eq!(again.n, first.n);
    assert_eq!(again.signatures, [expected_signature("9876543210")]);
    assert_eq!((source.fetches(), none.fetches()), (1, 0));
}

#[tokio::test]
async fn permutations_outlast_a_restart() {
    let (source, player) = (Script::new(SMALL), key("00000001"));
    let before = new_solver();
    before
        .solve(&player, &source, &[], &strings(&["0123456789"]))
        .await
        .expect("solved");
    let kept = serde_json::to_vec(&before.knowledge()).expect("serialises");
    let kept = serde_json::from_slice(&kept).expect("parses");
    let after = solver(Limits::default(), kept).expect("the feature is on");
    let none = Script::new("");
    let solved = after
        .solve(&player, &none, &[], &strings(&["abcdefghij"]))
        .await
        .expect("known");
    assert_eq!(solved.signatures, [expected_signature("abcdefghij")]);
    assert_eq!(
        after
            .signature_timestamp(&player, &none)
            .await
            .expect("known"),
        20_123
    );
    assert_eq!(none.fetches(), 0);
}

#[tokio::test]
async fn many_at_once_fetch_the_script_once() {
    let (solver, source, player) = (new_solver(), Script::new(SMALL), key("00000001"));
    let n: Vec<Vec<String>> = (0..20).map(|at| vec![format!("abc{at}")]).collect();
    let all = n.iter().map(|n| solver.solve(&player, &source, n, &[]));
    for (solved, n) in futures_util::future::join_all(all)
        .await
        .into_iter()
        .zip(&n)
    {
        assert_eq!(solved.expect("solved").n, [expected_n(&n[0])]);
    }
    assert_eq!(source.fetches(), 1);
}

#[tokio::test]
async fn one_who_leaves_does_not_hold_up_the_others() {
    let (solver, source, player) = (new_solver(), Script::new(SMALL), key("00000001"));
    let n = strings(&["abcdef"]);
    // Asked once and dropped; mostly before it was answered, unless the solver's thread is quick.
    drop(solver.solve(&player, &source, &n, &[]).now_or_never());
    let solved = solver
        .solve(&player, &source, &n, &[])
        .await
        .expect("solved");
    assert_eq!(solved.n, [expected_n("abcdef")]);
}

#[tokio::test]
async fn player_beyond_the_live_ones_is_loaded_again() {
    let (solver, source) = (new_solver(), Script::new(SMALL));
    for (id, fetches) in [
        ("00000001", 1),
        ("00000002", 2),
        ("00000001", 2),
        ("00000003", 3),
        ("00000002", 4),
    ] {
        let n = vec![format!("x{id}{fetches}")];
        solver
            .solve(&key(id), &source, &n, &[])
            .await
            .expect("solved");
        assert_eq!(source.fetches(), fetches, "{id}");
    }
}

#[tokio::test]
async fn failed_player_is_tried_again_only_after_a_while() {
    let (source, player, n) = (
        Script::new("not a player"),
        key("00000001"),
        strings(&["abc"]),
    );
    let solver = new_solver();
    for _ in 0..3 {
        let failed = solver.solve(&player, &source, &n, &[]).await;
        assert!(
            matches!(failed, Err(SolveError::Player { .. })),
            "{failed:?}"
        );
        let failed = solver.signature_timestamp(&player, &source).await;
        assert!(
            matches!(failed, Err(SolveError::Player { .. })),
            "{failed:?}"
        );
    }
    assert_eq!(source.fetches(), 1);
    let limits = Limits {
        failed: Duration::ZERO,
        ..Limits::default()
    };
    let forgetful = super::solver(limits, Knowledge::default()).expect("the feature is on");
    for fetches in 2..4 {
        assert!(forgetful.solve(&player, &source, &n, &[]).await.is_err());
        assert_eq!(source.fetches(), fetches);
    }
}

/// A source that can't be reached.
struct Unreachable;

impl ScriptSource for Unreachable {
    fn fetch<'a>(&'a self, _: &'a PlayerKey) -> BoxFuture<'a, Result<Bytes, ExtractError>> {
        let error = ExtractError::Shape {
            site: "test",
            step: "script",
            source: None,
        };
        Box::pin(async { Err(error) })
    }
}

#[tokio::test]
async fn script_that_is_not_had_says_nothing_against_the_player() {
    let (solver, player, n) = (new_solver(), key("00000001"), strings(&["abcdef"]));
    let failed = solver.solve(&player, &Unreachable, &n, &[]).await;
    assert!(matches!(failed, Err(SolveError::Script(_))), "{failed:?}");
    let solved = solver
        .solve(&player, &Script::new(SMALL), &n, &[])
        .await
        .expect("solved");
    assert_eq!(solved.n, [expected_n("abcdef")]);
}
