//! `get`: whole files under their names.

use super::{Bench, DEFAULT_FILE, ID, SAVED};
use crate::harness::upstream::tiktok::Item;
use crate::harness::upstream::{Fault, Rule};

#[tokio::test]
async fn video_is_saved_under_a_safe_name_that_is_printed() {
    let (bench, item, url) = Bench::with_video().await;
    let done = bench
        .run(&["get", &format!("Look at this! {url} 🎉")])
        .await;
    done.assert_code(0);
    assert_eq!(done.text(), format!("{SAVED}\n"));
    let saved = std::fs::read(bench.path(SAVED)).expect("the file");
    assert!(saved == bench.file(&item, DEFAULT_FILE).payload.whole());
    assert_eq!(bench.names(), [SAVED]);
    assert!(done.stderr.contains("585.95 KiB"), "{}", done.stderr);
    assert!(!done.stderr.contains('\u{1b}'), "no terminal, no bar");
    bench.world().assert_no_unknown();
}

#[tokio::test]
async fn folder_gets_the_file_and_quiet_says_nothing_of_it() {
    let (bench, _, url) = Bench::with_video().await;
    std::fs::create_dir(bench.path("videos")).expect("a folder");
    let done = bench.run(&["get", &url, "--quiet", "-o", "videos"]).await;
    done.assert_code(0);
    assert_eq!(done.text(), format!("videos/{SAVED}\n"));
    assert_eq!(done.stderr, "");
    assert!(bench.path("videos").join(SAVED).is_file());
}

#[tokio::test]
async fn file_that_is_there_is_kept_unless_force_is_used() {
    let (bench, item, url) = Bench::with_video().await;
    std::fs::write(bench.path("own.mp4"), "mine").expect("a file");
    std::os::unix::fs::symlink("nowhere", bench.path("link.mp4")).expect("a link");
    let asked = bench.world().records().len();
    let done = bench.run(&["get", &url, "-o", "own.mp4"]).await;
    done.assert_code(73);
    assert!(done.stderr.contains("--force"), "{}", done.stderr);
    assert_eq!(bench.world().records().len(), asked);
    bench
        .run(&["get", &url, "-o", "link.mp4"])
        .await
        .assert_code(73);
    let own = || std::fs::read(bench.path("own.mp4")).expect("the file");
    assert_eq!(own(), b"mine");
    let done = bench.run(&["get", &url, "-o", "own.mp4", "--force"]).await;
    done.assert_code(0);
    assert!(own() == bench.file(&item, DEFAULT_FILE).payload.whole());
}

#[tokio::test]
async fn file_that_can_not_be_made_is_said_so() {
    let (bench, _, url) = Bench::with_video().await;
    let done = bench.run(&["get", &url, "-o", "no/such/folder.mp4"]).await;
    done.assert_code(73);
    assert!(
        done.stderr
            .contains("no/such/folder.mp4.part: No such file"),
        "{}",
        done.stderr
    );
    assert_eq!(bench.names(), [""; 0]);
}

#[tokio::test]
async fn part_that_is_a_link_to_another_file_is_not_followed() {
    let (bench, _, url) = Bench::with_video().await;
    std::fs::write(bench.path("victim"), "mine").expect("a file");
    let part = bench.path("a.mp4.part");
    std::os::unix::fs::symlink(bench.path("victim"), part).expect("a link");
    bench
        .run(&["get", &url, "-o", "a.mp4"])
        .await
        .assert_code(73);
    let victim = std::fs::read(bench.path("victim")).expect("the file");
    assert_eq!(victim, b"mine");
}

#[tokio::test]
async fn part_that_is_another_name_of_a_file_is_not_written_to() {
    let (bench, item, url) = Bench::with_video().await;
    std::fs::write(bench.path("own"), "mine").expect("a file");
    std::fs::hard_link(bench.path("own"), bench.path("a.mp4.part")).expect("a link");
    bench
        .run(&["get", &url, "-o", "a.mp4"])
        .await
        .assert_code(0);
    let read = |name| std::fs::read(bench.path(name)).expect("the file");
    assert_eq!(read("own"), b"mine");
    assert!(read("a.mp4") == bench.file(&item, DEFAULT_FILE).payload.whole());
}

#[tokio::test]
async fn full_disk_leaves_a_part_and_nothing_that_looks_finished() {
    let (bench, _, url) = Bench::with_video().await;
    std::fs::create_dir(bench.path("small")).expect("a folder");
    // A file system of its own, seen by this command alone.
    let script = format!(
        "mount -t tmpfs -o size=256k none small || exit 200; '{}' get '{url}' -o small/a.mp4; code=$?; ls small; exit $code",
        env!("CARGO_BIN_EXE_serverrs")
    );
    let unshare = bench.under(
        "unshare",
        &["--map-root-user", "--mount", "sh", "-c", &script],
    );
    let done = super::ended(unshare).await;
    if done.code == Some(200) || done.stderr.contains("unshare") {
        return crate::harness::skip("unshare", &done.stderr);
    }
    done.assert_code(74);
    assert!(done.stderr.contains("No space left"), "{}", done.stderr);
    assert_eq!(done.text(), "a.mp4.part\na.mp4.part.json\n");
}

#[tokio::test]
async fn broken_upstream_never_leaves_a_file_that_looks_finished() {
    let (bench, item, url) = Bench::with_video().await;
    let path = format!("/video/tos/test/tos-test-ve-0068c001/{ID}-normal_720_0/");
    let reset = Fault::Reset { at: 200_000 };
    bench
        .world()
        .fault(Rule::path_prefix(&path, reset).besides_tail().first(1));
    let down = Rule::path_prefix(&path, Fault::Status(503))
        .besides_tail()
        .since(2);
    bench.world().fault(down);
    bench
        .world()
        .fault(Rule::path_prefix("/aweme/v1/play/", Fault::Status(503)));
    let done = bench.run(&["get", &url]).await;
    done.assert_code(75);
    assert!(done.stderr.contains("goes on with it"), "{}", done.stderr);
    assert_eq!(done.text(), "");
    let part = format!("{SAVED}.part");
    assert_eq!(bench.names(), [part.clone(), format!("{part}.json")]);
    bench.world().clear_faults();
    bench.run(&["get", &url]).await.assert_code(0);
    let saved = std::fs::read(bench.path(SAVED)).expect("the file");
    assert!(saved == bench.file(&item, DEFAULT_FILE).payload.whole());
    assert_eq!(bench.names(), [SAVED]);
}

#[tokio::test]
async fn upstream_that_gives_nothing_leaves_nothing() {
    let (bench, _, url) = Bench::with_video().await;
    bench.refuse_files();
    let done = bench.run(&["get", &url]).await;
    done.assert_code(69);
    assert!(
        done.stderr.contains("upstream_forbidden"),
        "{}",
        done.stderr
    );
    assert_eq!(bench.names(), [""; 0]);
}

#[tokio::test]
async fn hostile_names_stay_inside_the_folder() {
    let bench = Bench::open().await;
    let author = "../../\u{1b}[31m\u{202e}etc/passwd";
    let item = Item::video(ID).with("/author/uniqueId", author.into());
    bench.serve(&item);
    let url = format!("https://www.tiktok.com/@a/video/{ID}");
    let done = bench.run(&["get", &url]).await;
    done.assert_code(0);
    let names = bench.names();
    assert_eq!(done.text(), format!("{}\n", names[0]));
    assert_eq!(names.len(), 1, "{names:?}");
    assert!(
        !names[0].contains(char::is_control) && !names[0].contains('\u{202e}'),
        "{names:?}"
    );
    assert!(!done.stderr.contains('\u{1b}'), "{:?}", done.stderr);
}
