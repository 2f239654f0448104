//! Statements, braces and regular expressions are told apart as a parser would.

use proptest::prelude::*;

use crate::extract::youtube::js::plan;
use crate::extract::youtube::js::scan::Scanner;
use crate::extract::youtube::js::token::{Kind, Start, Token};

fn tokens(script: &str) -> Vec<(Token, &str)> {
    let mut scanner = Scanner::new(script.as_bytes());
    let mut tokens = Vec::new();
    while let Some(token) = scanner.next().expect("a script") {
        let text = &script[token.span.clone()];
        tokens.push((token, text));
    }
    tokens
}

fn regexes(script: &str) -> Vec<&str> {
    let tokens = tokens(script).into_iter();
    tokens
        .filter(|(token, _)| token.kind == Kind::Regex)
        .map(|(_, text)| text)
        .collect()
}

/// The first words of the statements outside all brackets.
fn starts(script: &str) -> Vec<&str> {
    let tokens = tokens(script).into_iter();
    let begins = |token: &Token| token.depth == 0 && token.start == Start::Fresh;
    tokens
        .filter(|(token, _)| begins(token))
        .map(|(_, text)| text)
        .collect()
}

#[test]
fn slash_begins_a_regular_expression_where_a_value_may() {
    for (script, expected) in [
        ("a=/x/g", &["/x/g"][..]),
        ("a(/x[/]y/,/z/)", &["/x[/]y/", "/z/"]),
        ("return/x/.test(a)", &["/x/"]),
        ("typeof/x/", &["/x/"]),
        ("if(a)/x/.test(b)", &["/x/"]),
        ("while(a)/x/.test(b)", &["/x/"]),
        ("{}/x/.test(a)", &["/x/"]),
        ("function f(){}/x/.test(a)", &["/x/"]),
        ("a?/x/:/y/", &["/x/", "/y/"]),
        ("for(;;/x/.test(a));", &["/x/"]),
        ("`${/x/}`", &["/x/"]),
        ("a=>/x/", &["/x/"]),
        ("a++;/x/", &["/x/"]),
        ("case 1:/x/.test(a)", &["/x/"]),
        (r"a=/\/[^\]/]\//", &[r"/\/[^\]/]\//"]),
        ("x={a:/x/,b(){return/y/}}", &["/x/", "/y/"]),
    ] {
        assert_eq!(regexes(script), expected, "{script}");
    }
}

#[test]
fn slash_divides_behind_a_value() {
    for script in [
        "a/b/c",
        "a[0]/b/c",
        "f(a)/b/c",
        "1/b/c",
        "'a'/b/c",
        "`a`/b/c",
        "`${a}`/b/c",
        "(a)/b/c",
        "x={}/b/c",
        "x=function(){}/b/c",
        "a++/b/c",
        "a.if/b/c",
        "a.return/b/c",
        "a?.b/c/d",
        "this/b/c",
        "of/b/c",
        "a.if(b)/c/d",
        "x=class{}/b/c",
        "(function(){})()/b/c",
        "/* / */a/b//c",
        "a/=b/c",
        "f(function(){}/b/c)",
    ] {
        assert_eq!(regexes(script), [""; 0], "{script}");
    }
}

#[test]
fn statements_begin_where_a_parser_says() {
    for (script, expected) in [
        ("a();b();", &["a", "b"][..]),
        ("a()\nb()\nc\n.d()", &["a", "b", "c"]),
        ("a\n(b)\n[c]\n+d", &["a"]),
        ("if(a)b();else c();d()", &["if", "else", "d"]),
        ("for(a of b)c();d()", &["for", "d"]),
        ("for await(a of b){c()}d()", &["for", "d"]),
        ("function f(){a();}b()", &["function", "b"]),
        ("async function f(){}b()", &["async", "b"]),
        ("x=function(){}\ny=1", &["x", "y"]),
        ("class A extends B{c(){}d(){}}e()", &["class", "e"]),
        (
            "try{a()}catch{b()}finally{c()}d()",
            &["try", "catch", "finally", "d"],
        ),
        ("a:for(;;){break a}b()", &["a", "b"]),
        ("var a={b:1,c(){}},d=`}${`{${{}}`}{`;e()", &["var", "e"]),
        ("switch(a){case b:c();default:d()}e()", &["switch", "e"]),
        ("a=b?{c:1}:{d:2};e()", &["a", "e"]),
        ("do{a()}while(b);c()", &["do", "while", "c"]),
        ("x={catch(e){f(e)},if:1};y()", &["x", "y"]),
        ("a\u{2028}b", &["a\u{2028}b"]),
    ] {
        assert_eq!(starts(script), expected, "{script}");
    }
}

/// A player with `code` before its builder, prepared; the part that `code` has become.
fn prepared(code: &str) -> String {
    const HEAD: &str = "var p={};(function(g){var window=this;";
    const TAIL: &str = "B=function(a){a.set(\"alr\",\"yes\")};})(p);";
    let script = plan::prepare(&format!("{HEAD}{code}{TAIL}")).expect("a player");
    let rest = script.strip_prefix(HEAD).expect("the head stays");
    rest.split("B=function").next().expect("a part").to_owned()
}

#[test]
fn calls_are_cut_and_everything_else_stays() {
    for kept in [
        "'use strict';",
        "var a=b(),c;",
        "a=b();",
        "g.a.b[c]=d();",
        "g.p.yield=g.p.return;",
        "a+=b;",
        "a=1,b=2;",
        "function f(){g()}",
        "async function f(){}",
        "class A{b(){c()}}",
        "if(a)b();else c();",
        "for(;;)a();",
        "try{a()}catch(b){c()}",
        "a:{b()}",
        "{a()}",
        ";",
        "do a();while(b());",
        "[a,b]=c;",
        "switch(a){case 1:b()}",
        "a=b?c():d();",
        "throw a;",
    ] {
        assert_eq!(prepared(kept), kept);
    }
    for cut in [
        "a();",
        "a.b();",
        "a(function(){b=1});",
        "(function(){})();",
        "!function(){}();",
        "a&&(b=1);",
        "a?b=1:c=2;",
        "a=1,b();",
        "new A;",
        "a;",
        "a++;",
        "\"a\".b();",
        "void 0;",
        "`a`;",
        "/a/.test(b);",
        "(a=1);",
        "delete a.b;",
    ] {
        assert_eq!(prepared(cut), ";", "{cut}");
    }
    assert_eq!(prepared("a()\nb=1\nc()\n"), ";\nb=1\n;\n");
}

/// The builders that are found in the statements `code` of a player.
fn builders(code: &str) -> Option<String> {
    let script = plan::prepare(&format!("(function(g){{{code}}}).call(this)")).ok()?;
    let (_, rest) = script.split_once("=[")?;
    Some(rest.split_once(",];")?.0.to_owned())
}

#[test]
fn builders_are_functions_of_the_top_level_with_the_marker_as_a_statement() {
    for (code, expected) in [
        ("function f(a){a.set(\"alr\",\"yes\")}", "f"),
        ("f=function(a){a.b();a.set('alr','yes');return a}", "f"),
        ("g.a.f=function x(a){a.set(\"alr\",\"yes\");}", "g.a.f"),
        ("var a=1,f=function(a){a.set(\"alr\",\"yes\");},b", "f"),
        ("const f=(a,b)=>{a.set(\"alr\",\"yes\")}", "f"),
        ("let f=a=>{a.set(\"alr\",\"yes\")\nreturn a}", "f"),
        (
            "a=1,f=function(a){a.set(\"alr\",\"yes\");};h=function(a){a.set(\"alr\",\"yes\")}",
            "f,h",
        ),
    ] {
        assert_eq!(builders(code).as_deref(), Some(expected), "{code}");
    }
    for code in [
        "a.set(\"alr\",\"yes\");",
        "f=function(a){a.set(\"alr\",\"no\");}",
        "f=function(a){a.get(\"alr\")||a.set(\"alr\",\"yes\");}",
        "f=function(a){a.b.set(\"alr\",\"yes\");}",
        "f=function(a){if(a){a.set(\"alr\",\"yes\");}}",
        "f=function(a){return function(){a.set(\"alr\",\"yes\");}}",
        "f=function(a){a.set(\"alr\",\"yes\").b();}",
        "f=async function(a){a.set(\"alr\",\"yes\");}",
        "async function f(a){a.set(\"alr\",\"yes\");}",
        "function*f(a){a.set(\"alr\",\"yes\");}",
        "f(function(a){a.set(\"alr\",\"yes\");})",
        "f={g:function(a){a.set(\"alr\",\"yes\");}}",
        "f=1+function(a){a.set(\"alr\",\"yes\");}",
    ] {
        assert_eq!(builders(code), None, "{code}");
    }
}

/// Walks through anything, as far as it can be a script. Each token takes at least a byte, and none that was taken before;
/// so the walk goes on and ends.
fn walk(script: &[u8]) -> usize {
    let mut scanner = Scanner::new(script);
    let (mut end, mut count) = (0, 0);
    while let Ok(Some(Token { span, .. })) = scanner.next() {
        assert!(
            span.start >= end && span.start < span.end,
            "{span:?} behind {end}"
        );
        assert!(span.end <= script.len(), "{span:?}");
        end = span.end;
        count += 1;
    }
    count
}

/// What scripts are made of, and what leads walks astray.
const PIECES: &[&str] = &[
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "`",
    "${",
    "`${",
    "/",
    "//",
    "/*",
    "*/",
    "'",
    "\"",
    "\\",
    "=>",
    "a.",
    "a?",
    ":",
    ";",
    ",",
    "\n",
    "\u{2028}",
    "\u{feff}",
    "async ",
    "function ",
    "class ",
    "if(",
    "do ",
    "return",
    "0x",
    "1e",
    "/[",
    "<!--",
    "++",
    "\u{10400}",
    "a",
];

proptest! {
    #[test]
    fn walk_through_any_bytes_goes_forward(bytes: Vec<u8>) {
        walk(&bytes);
    }

    #[test]
    fn walk_through_any_pieces_goes_forward(at in prop::collection::vec(0..PIECES.len(), 0..200)) {
        let script: String = at.into_iter().map(|at| PIECES[at]).collect();
        walk(script.as_bytes());
        let _ = plan::prepare(&format!("var p={{}};(function(g){{var window=this;{script}}})(p);"));
    }

    #[test]
    fn walk_through_a_changed_script_goes_forward(cut in any::<prop::sample::Index>(), piece in 0..PIECES.len()) {
        const SMALL: &str = include_str!("../../../../../tests/fixtures/youtube/player_small.js");
        let at = cut.index(SMALL.len());
        if SMALL.is_char_boundary(at) {
            let script = format!("{}{}{}", &SMALL[..at], PIECES[piece], &SMALL[at..]);
            walk(script.as_bytes());
            let _ = plan::prepare(&script);
        }
    }
}

/// A walk that went back for every token would take minutes for each of them.
#[test]
fn long_hostile_scripts_are_walked_through_once() {
    const LENGTH: usize = 1 << 17;
    let pairs = PIECES
        .iter()
        .flat_map(|piece| [(*piece, ""), ("()", *piece)]);
    for (first, second) in pairs {
        let piece = format!("{first}{second}");
        let script = piece.repeat(LENGTH / piece.len());
        let count = walk(script.as_bytes());
        assert!(count <= script.len(), "{piece}");
        let _ = plan::prepare(&format!(
            "var p={{}};(function(g){{var window=this;{script}}})(p);"
        ));
    }
}
