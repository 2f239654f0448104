//! `info`: what a post is.

use serde_json::Value;

use super::{Bench, ID, ended};
use crate::harness::upstream::tiktok::Item;
use crate::harness::{Api, Builder};

/// A body without what differs between two answers: sealed links and the second they die.
fn without_links(mut body: Value) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Some((before, _)) = text.split_once("data=") {
                    *text = before.to_owned();
                }
            }
            Value::Array(values) => values.iter_mut().for_each(strip),
            Value::Object(fields) => {
                fields.remove("streamData");
                fields.remove("expires_at");
                fields.values_mut().for_each(strip);
            }
            _ => {}
        }
    }
    strip(&mut body);
    body
}

#[tokio::test]
async fn json_is_the_answer_of_the_route_and_its_links_work_there() {
    let (bench, item, url) = Bench::with_video().await;
    let server = Builder::new(&bench.upstream).start().await;
    let mut command = bench.command(&["info", &url, "--json"]);
    command.env("BASE_URL", server.base());
    let done = ended(command).await;
    done.assert_code(0);
    let told: Value = serde_json::from_str(done.text()).expect("JSON");
    let answered = Builder::new(&bench.upstream).env("BASE_URL", server.base());
    let answered = answered.start().await.api().resolve(&url).await;
    assert_eq!(without_links(told.clone()), without_links(answered));
    let link = told["download_link"]["no_watermark_hd"]
        .as_str()
        .expect("a link");
    let fetched = Api::new(server.base()).get(link).await;
    assert_eq!(fetched.status, 200);
    assert_eq!(
        fetched.sha256(),
        bench.file(&item, super::DEFAULT_FILE).payload.sha256()
    );
}

#[tokio::test]
async fn table_is_aligned_and_names_what_can_be_had() {
    let (bench, _, url) = Bench::with_video().await;
    let done = bench.run(&["info", &url]).await;
    done.assert_code(0);
    let text = done.text();
    for part in [
        "title   Morning light over the bay",
        "author  Harbour Keeper @harbour.keeper",
        "length  0:31",
        "made of it: mp3",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let head = text
        .lines()
        .find(|line| line.starts_with("ID "))
        .expect("a head");
    let column = head.find("WHAT").expect("a column");
    let rows: Vec<&str> = text
        .lines()
        .skip_while(|line| *line != head)
        .skip(1)
        .take_while(|line| !line.is_empty())
        .collect();
    assert!(rows.len() >= 5, "{text}");
    for row in rows {
        assert!(row[column..].starts_with(['v', 'a', 'm']), "{row}");
        assert!(row[..column].ends_with("  "), "{row}");
    }
    assert_eq!(done.stderr, "");
}

#[tokio::test]
async fn hostile_texts_can_only_be_seen() {
    let bench = Bench::open().await;
    let hostile = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m\u{202e}a\r\nb\u{7f}";
    let item = Item::video(ID)
        .with("/desc", hostile.into())
        .with("/author/nickname", hostile.into());
    let url = bench.serve(&item);
    for arguments in [&["info", &url][..], &["info", &url, "--json"]] {
        let done = bench.run(arguments).await;
        done.assert_code(0);
        let active = |char: char| (char.is_control() && char != '\n') || char == '\u{202e}';
        assert!(!done.text().contains(active), "{:?}", done.text());
    }
    let json = bench.run(&["info", &url, "--json"]).await;
    let told: Value = serde_json::from_str(json.text()).expect("JSON");
    assert_eq!(told["description"], hostile);
}
