//! `completions`, `man`, `key`: what is made of the command line itself.

use super::{Bench, ended};
use crate::harness::{has_tool, skip};

const COMMANDS: [&str; 7] = [
    "serve",
    "get",
    "info",
    "health",
    "key",
    "completions",
    "man",
];

#[tokio::test]
async fn completions_name_every_command_and_no_hidden_one() {
    let bench = Bench::open().await;
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let done = bench.run(&["completions", shell]).await;
        done.assert_code(0);
        for command in COMMANDS {
            assert!(done.text().contains(command), "{shell}: {command}");
        }
        assert!(!done.text().contains("cpu-seconds"), "{shell}");
    }
    let script = "completions bash > c && . ./c && complete -p serverrs";
    let script = script.replace(
        "completions bash",
        &format!("'{}' completions bash", env!("CARGO_BIN_EXE_serverrs")),
    );
    let done = ended(bench.under("bash", &["-c", &script])).await;
    done.assert_code(0);
    assert!(done.text().contains("serverrs"), "{}", done.text());
}

#[tokio::test]
async fn manual_has_a_page_per_command_that_is_well_formed() {
    let bench = Bench::open().await;
    bench.run(&["man", "pages/man1"]).await.assert_code(0);
    let pages = bench.path("pages/man1");
    for command in COMMANDS {
        let page = pages.join(format!("serverrs-{command}.1"));
        assert!(page.is_file(), "{command}");
    }
    let main = bench.run(&["man"]).await;
    main.assert_code(0);
    assert!(main.text().contains("Exit codes"), "{}", main.text());
    assert_eq!(
        main.stdout,
        std::fs::read(pages.join("serverrs.1")).expect("the page")
    );
    if !has_tool("groff").await {
        return skip("groff", "it is not installed");
    }
    for page in std::fs::read_dir(pages).expect("pages") {
        let page = page.expect("a page").path();
        let page = page.to_str().expect("text");
        let done = ended(bench.under("groff", &["-man", "-ww", "-Tutf8", "-z", page])).await;
        done.assert_code(0);
        assert_eq!(done.stderr, "", "{page}");
    }
}

#[tokio::test]
async fn keys_are_strong_and_each_is_new() {
    let bench = Bench::open().await;
    let one = bench.run(&["key"]).await;
    let two = bench.run(&["key"]).await;
    assert_ne!(one.stdout, two.stdout);
    assert_eq!(one.text().trim().len(), 43);
}
