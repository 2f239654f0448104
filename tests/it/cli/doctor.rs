//! `doctor`: what is wrong, and no secret in it.

use super::{Bench, Done, ID, ended};
use crate::config::names_asked_for;
use crate::harness::upstream::tiktok::{Challenge, Item, Post};
use crate::harness::upstream::youtube::{Video, YouTube};
use crate::harness::upstream::{Fault, Rule, TunnelFault};

/// Stands in every secret.
const CANARY: &str = "c4n4ry";

/// The line about something.
fn line<'a>(done: &'a Done, what: &str) -> &'a str {
    let found = done.text().lines().find(|line| {
        let mut words = line.splitn(2, ' ').map(str::trim_start);
        words.next();
        words.next().is_some_and(|rest| rest.starts_with(what))
    });
    found.unwrap_or_else(|| panic!("no line about {what}: {}", done.text()))
}

/// The variables that hold secrets: those that may come from a file too.
fn secrets() -> Vec<String> {
    let asked = names_asked_for();
    // `EGRESS` stands in place of `PROXY`, and has a test of its own.
    let has_twin = |name: &&String| *name != "EGRESS" && asked.contains(&format!("{name}_FILE"));
    let secrets: Vec<_> = asked.iter().filter(has_twin).cloned().collect();
    assert!(secrets.len() >= 5, "{secrets:?}");
    secrets
}

/// A value that the server takes, with the canary in it.
fn secret(name: &str, bench: &Bench) -> String {
    let proxy = bench.upstream.proxy_url();
    match name {
        "PROXY" => proxy.replace("://", &format!("://user:{CANARY}@")),
        "YOUTUBE_PO_TOKENS" => format!("visionos.player={CANARY}"),
        name if name.ends_with("_URL") => format!("redis://:{CANARY}@127.0.0.1:9"),
        name => format!("{CANARY}-{name}-Wn5yTqR7bKc2"),
    }
}

/// Runs it with a canary in every secret, and fails if one shows.
async fn doctor(bench: &Bench, more: &[(&str, &str)], arguments: &[&str]) -> Done {
    let folder = bench.path("cookies");
    std::fs::create_dir_all(&folder).expect("a folder");
    for site in ["tiktok", "youtube"] {
        let cookies = format!("www.{site}.com\tFALSE\t/\tTRUE\t0\tsession\t{CANARY}\n");
        let expired = format!("www.{site}.com\tFALSE\t/\tTRUE\t1\tsession\t{CANARY}\n");
        let file = folder.join(format!("{site}.com_cookies.txt"));
        std::fs::write(file, cookies + &expired).expect("a file");
    }
    let mut all = vec!["doctor"];
    all.extend(arguments);
    let mut command = bench.command(&all);
    for name in secrets() {
        command.env(&name, secret(&name, bench));
    }
    command.envs(more.iter().copied());
    let done = ended(command).await;
    assert!(!done.text().contains(CANARY), "{}", done.text());
    assert!(!done.stderr.contains(CANARY), "{}", done.stderr);
    done
}

#[tokio::test]
async fn healthy_site_is_ok_from_cookies_to_the_last_byte() {
    let (bench, _, url) = Bench::with_video().await;
    let done = doctor(&bench, &[], &[&url]).await;
    done.assert_code(0);
    for (what, text) in [
        ("settings", "ok"),
        ("key", "is set"),
        ("cookies", "1 alive, 1 over"),
        ("way out", "http://***@127.0.0.1"),
        ("tls", "www.tiktok.com in"),
        ("challenge", "none was posed"),
        ("post", ID),
        ("media", "the last byte of 600011 came"),
        ("seen as", "doesn't tell"),
    ] {
        assert!(line(&done, what).contains(text), "{what}: {}", done.text());
    }
    assert!(
        done.text().contains("cookie file is open to other users"),
        "{}",
        done.text()
    );
    assert!(!done.text().contains("YouTube"), "{}", done.text());
    bench.world().assert_no_unknown();
}

#[tokio::test]
async fn every_way_out_is_tried_and_none_shows_its_password() {
    let (bench, _, url) = Bench::with_video().await;
    let proxy = bench.upstream.proxy_url();
    let proxy = proxy.replace("://", &format!("://user:{CANARY}@"));
    let ways = format!("one={proxy},two={proxy}");
    let done = doctor(&bench, &[("EGRESS", &ways), ("PROXY", "")], &[&url]).await;
    done.assert_code(0);
    for name in ["one", "two"] {
        let way = format!("{name}: by http://***@127.0.0.1");
        assert!(done.text().contains(&way), "{}", done.text());
    }
}

#[tokio::test]
async fn address_that_the_site_tells_is_shown_without_its_last_part() {
    let bench = Bench::open().await;
    let youtube = YouTube::open(bench.world());
    let video = Video::new("harbour0001");
    let url = video.url();
    youtube.video(video);
    // The simulated site believes in its own visitors only.
    let guest = [("YOUTUBE_PO_TOKENS", ""), ("YOUTUBE_VISITOR_DATA", "")];
    let masked = doctor(&bench, &guest, &[&url]).await;
    masked.assert_code(0);
    let whole = doctor(&bench, &guest, &[&url, "--show-address"]).await;
    let address = line(&whole, "seen as").rsplit(' ').next().expect("a word");
    address.parse::<std::net::IpAddr>().expect("an address");
    let shown = line(&masked, "seen as");
    assert!(shown.ends_with('x'), "{shown}");
    assert!(!masked.text().contains(address), "{}", masked.text());
}

#[tokio::test]
async fn challenge_that_was_solved_is_told() {
    let bench = Bench::open().await;
    let post = Post::new(&Item::video(ID)).behind(Challenge::solvable(4242));
    let url = post.url();
    post.serve(bench.world());
    let done = doctor(&bench, &[], &[&url]).await;
    done.assert_code(0);
    assert!(
        line(&done, "challenge").contains("posed and solved"),
        "{}",
        done.text()
    );
}

#[tokio::test]
async fn each_fault_is_named_with_what_to_do() {
    let (bench, _, url) = Bench::with_video().await;
    bench.refuse_files();
    let done = doctor(&bench, &[], &[&url]).await;
    done.assert_code(1);
    assert!(
        line(&done, "media").starts_with("fail  media       upstream_forbidden"),
        "{}",
        done.text()
    );
    bench.world().clear_faults();
    let gone = "https://www.tiktok.com/@a/video/7524919459643919799";
    bench
        .world()
        .fault(Rule::path_prefix("/@a/", Fault::Status(403)));
    let done = doctor(&bench, &[], &[gone]).await;
    done.assert_code(1);
    assert!(
        line(&done, "post").contains("fail  post        ip_blocked"),
        "{}",
        done.text()
    );
    assert!(
        done.text().contains("another way out (`PROXY`)"),
        "{}",
        done.text()
    );
    bench
        .world()
        .tunnel_fault("www.tiktok.com", TunnelFault::UnknownCa);
    let done = doctor(&bench, &[], &[&url]).await;
    done.assert_code(1);
    assert!(line(&done, "tls").starts_with("fail"), "{}", done.text());
    assert!(done.text().contains("EXTRA_CA_FILE"), "{}", done.text());
}

#[tokio::test]
async fn machine_without_tools_gets_warnings_and_advice() {
    let (bench, _, url) = Bench::with_video().await;
    let more = [
        ("FFMPEG_PATH", "/nowhere/ffmpeg"),
        ("TEMP_DIR", "/proc/temp"),
        ("ENCRYPTION_KEY", ""),
        ("REDIS_URL", ""),
    ];
    let done = doctor(&bench, &more, &[&url]).await;
    done.assert_code(0);
    for what in ["ffmpeg", "temp", "key"] {
        assert!(
            line(&done, what).starts_with("warn"),
            "{what}: {}",
            done.text()
        );
    }
    assert!(done.text().contains("serverrs key"), "{}", done.text());
}

#[tokio::test]
async fn settings_that_can_not_be_used_are_told_and_nothing_is_asked() {
    let bench = Bench::open().await;
    let done = doctor(
        &bench,
        &[("PROXY", "gopher://user:c4n4ry@host"), ("PORT", "x")],
        &[],
    )
    .await;
    done.assert_code(78);
    for name in ["PROXY", "PORT"] {
        assert!(done.stderr.contains(name), "{}", done.stderr);
    }
    assert!(bench.world().records().is_empty());
}

#[tokio::test]
async fn way_out_that_is_dead_fails_every_site_and_ends() {
    let bench = Bench::open().await;
    let dead = format!("http://user:{CANARY}@127.0.0.1:9");
    let done = doctor(&bench, &[("PROXY", &dead)], &[]).await;
    done.assert_code(1);
    let failed = done
        .text()
        .lines()
        .filter(|line| line.starts_with("fail  tls"));
    assert_eq!(failed.count(), 2, "{}", done.text());
    assert!(done.text().ends_with("4 failed\n"), "{}", done.text());
}
