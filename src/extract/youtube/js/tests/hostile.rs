//! Scripts that mean harm, and scripts that are none.

use proptest::prelude::*;

use super::*;
use crate::extract::youtube::js::plan;

/// Limits of size that are reached soon, and of time that a loaded machine doesn't reach.
fn limits() -> Limits {
    Limits {
        script: 1 << 20,
        heap: 16 << 20,
        ..Limits::default()
    }
}

fn new_solver(limits: Limits) -> Arc<dyn Solver> {
    solver(limits, Knowledge::default()).expect("the feature is on")
}

/// What a script is found to be.
async fn fault(script: impl Into<Bytes>) -> Fault {
    fault_within(limits(), script).await
}

async fn fault_within(limits: Limits, script: impl Into<Bytes>) -> Fault {
    let source = Script::new(script);
    let (n, signatures) = (strings(&["abcdef"]), strings(&["0123456789"]));
    let solved = new_solver(limits)
        .solve(&key("00000001"), &source, &n, &signatures)
        .await;
    match solved {
        Err(SolveError::Player { fault, .. }) => fault,
        other => panic!("no fault: {other:?}"),
    }
}

/// The small player with one of its lines replaced.
fn changed(line: &str, by: &str) -> String {
    assert!(SMALL.contains(line));
    SMALL.replace(line, by)
}

/// The small player that runs `code` while it is loaded.
fn loading(code: &str) -> String {
    changed(
        "  root.Address = function (text)",
        &format!("{code}\n  root.Address = function (text)"),
    )
}

/// The small player whose challenges are answered by `code`.
fn answering(code: &str) -> String {
    changed(
        "this.set(\"n\", shift(n));",
        &format!("this.set(\"n\", (function () {{ {code} }})());"),
    )
}

#[tokio::test]
async fn endless_loop_ends_at_the_deadline() {
    let limits = Limits {
        load: Duration::from_millis(200),
        call: Duration::from_millis(100),
        ..limits()
    };
    for script in [
        loading("for (;;) {}"),
        loading("for (;;) try { for (;;) {} } catch (e) {}"),
        loading("var x = /(a*)*b/.test('a'.repeat(64));"),
        answering("for (;;) {}"),
        answering("return 'abc'.replace(/./g, function () { for (;;) {} });"),
    ] {
        assert_eq!(fault_within(limits, script).await, Fault::Deadline);
    }
}

#[tokio::test]
async fn memory_is_bounded() {
    let bomb = "var hoard = []; for (;;) hoard.push(new Array(1000).fill(hoard.length));";
    assert_eq!(fault(loading(bomb)).await, Fault::Memory);
    assert_eq!(
        fault(loading("var hoard = 'x'; for (;;) hoard += hoard;"))
            .await
            .bounded(),
        Ok(())
    );
    assert_eq!(
        fault(loading("var hoard = new ArrayBuffer(1e9);")).await,
        Fault::Memory
    );
    assert_eq!(
        fault(answering("return 'x'.repeat(5e8);")).await.bounded(),
        Ok(())
    );
}

impl Fault {
    /// Whether the script was stopped by a limit, of whichever kind was reached first.
    fn bounded(self) -> Result<(), Self> {
        match self {
            Self::Memory | Self::Deadline | Self::Threw(_) => Ok(()),
            other => Err(other),
        }
    }
}

#[tokio::test]
async fn deep_recursion_is_an_error_of_the_script() {
    let script = loading("var deep = function (x) { return deep(x) + 1; }; var y = deep(1);");
    assert!(matches!(fault(script).await, Fault::Threw(_)));
    for nested in [
        "[",
        "(",
        "{a:",
        "!",
        "-",
        "a=>",
        "a?",
        "new ",
        "`${",
        "function(){return ",
    ] {
        let script = loading(&format!("var deep = {}", nested.repeat(50_000)));
        let fault = fault(script).await;
        assert!(
            matches!(fault, Fault::Threw(_) | Fault::Form(_)),
            "{nested}: {fault:?}"
        );
    }
    for (open, close) in [("[", "]"), ("(", ")"), ("{a:", "}")] {
        let script = loading(&format!(
            "var deep = {}1{};",
            open.repeat(1_900),
            close.repeat(1_900)
        ));
        let solver = new_solver(limits());
        // Either is right: what matters is that the stack holds.
        let _ = solver
            .solve(
                &key("00000001"),
                &Script::new(script),
                &strings(&["abc"]),
                &[],
            )
            .await;
    }
}

#[tokio::test]
async fn script_that_throws_is_named_in_few_words() {
    let thrown = fault(loading("throw new Error('no\\nway ' + 'x'.repeat(1e5));")).await;
    let Fault::Threw(message) = thrown else {
        panic!("{thrown:?}")
    };
    assert!(
        message.starts_with("no way xxx") && message.len() <= 120,
        "{message}"
    );
    assert_eq!(
        fault(loading("throw 1;")).await,
        Fault::Threw("a value".into())
    );
    assert!(matches!(
        fault(answering("throw null;")).await,
        Fault::Threw(_)
    ));
}

#[tokio::test]
async fn text_that_is_no_player_is_not_run() {
    let oversized = vec![b' '; (1 << 20) + 1];
    assert_eq!(fault(oversized).await, Fault::TooLarge((1 << 20) + 1));
    for script in [
        "",
        "<!DOCTYPE html><html><body>Sorry</body></html>",
        "{\"error\": 403}",
        "for (;;) {}",
        "(function(){})(",
        "(function(g){g.x=function(a){a.set('alr','no');}})({})",
        "\u{feff}'",
        "`${`",
    ] {
        assert!(matches!(fault(script).await, Fault::Form(_)), "{script}");
    }
    assert_eq!(
        fault(vec![0xff, 0xfe, b'(']).await,
        Fault::Form("not UTF-8")
    );
    assert!(matches!(
        fault(SMALL[..SMALL.len() - 20].to_owned()).await,
        Fault::Form(_)
    ));
}

#[tokio::test]
async fn impossible_answers_are_refused() {
    for code in [
        "return n;",
        "return 7;",
        "return null;",
        "return {toString: function () { return 'abcxyz'; }};",
        "return new String('abcxyz');",
        "return '';",
        "return 'x y';",
        "return 'x&sig=y';",
        "return '\\ud800';",
        "return 'x'.repeat(5000);",
        "return 'enhanced_except_' + n;",
    ] {
        let script = answering(&code.replace("n;", "'abcdef';"));
        assert_eq!(fault(script).await, Fault::Answer, "{code}");
    }
    for code in [
        "'longer' + text + text",
        "''",
        "'0'.repeat(9)",
        "'\\u00ff' + text",
    ] {
        let script = changed("return list.join(\"\");", &format!("return {code};"));
        assert_eq!(fault(script).await, Fault::Answer, "{code}");
    }
    assert!(matches!(
        fault(changed("return address;\n  };\n  root", "};\n  root")).await,
        Fault::Threw(_)
    ));
}

#[tokio::test]
async fn builders_that_disagree_are_refused() {
    let other = "function make2(a, b, c) { var u = new root.Address(a); \
        u.set('alr', 'yes'); u.set(b, 'other'); return u; }";
    assert_eq!(
        fault(loading(other)).await,
        Fault::Threw("builders disagree".into())
    );
    let failing = "function make2(a, b, c) { a.set('alr', 'yes'); }";
    let solver = new_solver(limits());
    let solved = solver
        .solve(
            &key("00000001"),
            &Script::new(loading(failing)),
            &strings(&["abcdef"]),
            &[],
        )
        .await
        .expect("the other one answers");
    assert_eq!(solved.n, [expected_n("abcdef")]);
}

#[tokio::test]
async fn failed_player_leaves_the_thread_to_others() {
    let solver = new_solver(Limits {
        load: Duration::from_secs(2),
        ..limits()
    });
    let n = strings(&["abcdef"]);
    let bad = Script::new(loading("for (;;) {}"));
    assert!(solver.solve(&key("00000001"), &bad, &n, &[]).await.is_err());
    let solved = solver
        .solve(&key("00000002"), &Script::new(SMALL), &n, &[])
        .await
        .expect("solved");
    assert_eq!(solved.n, [expected_n("abcdef")]);
}

/// Code that is one step of about two seconds for the interpreter, which asks for the time only between steps.
const LONG_STEP: &str = "var found = 'a'.repeat(70000).indexOf('a'.repeat(35000) + 'b');";

/// Limits of time that [`LONG_STEP`] exceeds by far.
fn short_limits() -> Limits {
    Limits {
        load: Duration::from_millis(200),
        margin: Duration::from_millis(100),
        ..limits()
    }
}

#[tokio::test]
async fn thread_that_is_held_by_native_code_is_given_up() {
    let solver = new_solver(short_limits());
    let n = strings(&["abcdef"]);
    let (long, good) = (Script::new(loading(LONG_STEP)), Script::new(SMALL));
    let stuck = solver.solve(&key("00000001"), &long, &n, &[]).await;
    assert!(
        matches!(
            &stuck,
            Err(SolveError::Player {
                fault: Fault::Deadline,
                ..
            })
        ),
        "{stuck:?}"
    );
    // A second player may hold a thread too, and then there is none until one of them is let go.
    let stuck = solver.solve(&key("00000002"), &long, &n, &[]).await;
    assert!(matches!(stuck, Err(SolveError::Player { .. })), "{stuck:?}");
    let refused = solver.solve(&key("00000003"), &good, &n, &[]).await;
    assert!(matches!(refused, Err(SolveError::Busy)), "{refused:?}");
    let solved = loop {
        match solver.solve(&key("00000003"), &good, &n, &[]).await {
            Err(SolveError::Busy) => tokio::time::sleep(Duration::from_millis(20)).await,
            solved => break solved.expect("solved"),
        }
    };
    assert_eq!(solved.n, [expected_n("abcdef")]);
    let again = solver.solve(&key("00000001"), &long, &n, &[]).await;
    assert!(matches!(again, Err(SolveError::Player { .. })), "{again:?}");
    assert_eq!(long.fetches(), 2, "each player once");
}

#[tokio::test]
async fn failure_that_no_one_waits_for_is_remembered() {
    for code in [LONG_STEP, "for (;;) {}", "throw 1;"] {
        let (solver, player) = (new_solver(short_limits()), key("00000001"));
        let source = Script::new(loading(code));
        // Begins to load the script and goes away.
        let day = solver.signature_timestamp(&player, &source).await;
        assert!(day.is_ok(), "{day:?}");
        let n = strings(&["abcdef"]);
        let solved = solver.solve(&player, &source, &n, &[]).await;
        assert!(
            matches!(solved, Err(SolveError::Player { .. })),
            "{solved:?}"
        );
        assert_eq!(source.fetches(), 1, "{code}");
    }
}

#[tokio::test]
async fn player_behind_a_held_thread_is_solved_by_another_one() {
    let (solver, n) = (new_solver(short_limits()), strings(&["abcdef"]));
    let (first, second) = (key("00000001"), key("00000002"));
    let (long, good) = (Script::new(loading(LONG_STEP)), Script::new(SMALL));
    let (stuck, solved) = tokio::join!(
        solver.solve(&first, &long, &n, &[]),
        solver.solve(&second, &good, &n, &[]),
    );
    assert!(matches!(stuck, Err(SolveError::Player { .. })), "{stuck:?}");
    assert_eq!(solved.expect("solved").n, [expected_n("abcdef")]);
}

#[tokio::test]
async fn script_finds_no_way_out() {
    for name in [
        "require",
        "process",
        "std",
        "os",
        "print",
        "console",
        "fetch",
        "Worker",
        "scriptArgs",
    ] {
        let script = loading(&format!(
            "if (typeof {name} !== 'undefined') throw '{name}';"
        ));
        let solver = new_solver(limits());
        let source = Script::new(script);
        let solved = solver
            .solve(&key("00000001"), &source, &strings(&["abcdef"]), &[])
            .await;
        assert!(solved.is_ok(), "{name}: {solved:?}");
    }
}

proptest! {
    #[test]
    fn preparing_never_panics(at in 0..SMALL.len(), length in 0..40_usize, by in "[\\PC\n]{0,8}") {
        let end = (at + length).min(SMALL.len());
        if SMALL.is_char_boundary(at) && SMALL.is_char_boundary(end) {
            let script = format!("{}{by}{}", &SMALL[..at], &SMALL[end..]);
            let _ = plan::prepare(&script);
        }
    }

    #[test]
    fn preparing_any_text_never_panics(text in "([(){}\\[\\];,`$/'\"\\\\.=>?:a+\n*]|function|\\(function\\(g\\)\\{){0,60}") {
        let _ = plan::prepare(&text);
    }
}
