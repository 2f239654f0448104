//! The shipped binary in the confinement of the image: another user, no capability, nothing to be gained, and a file
//! system that can't be written to but for `TEMP_DIR`.

use crate::harness::upstream::Upstream;
use crate::harness::upstream::tiktok::{Item, Post};
use crate::harness::{Builder, has_tool, skip};

const SETPRIV: &str =
    "setpriv --reuid 65532 --regid 65532 --clear-groups --no-new-privs --bounding-set -all";

/// Makes every file system read-only for what is started here alone, gives it a directory to write to, and becomes it.
fn script() -> String {
    format!(
        "set -e; chmod 755 . \"$(dirname \"$EXTRA_CA_FILE\")\"; mkdir temp; \
         mount -t tmpfs -o uid=65532,gid=65532,mode=0700 none temp; \
         for place in / /tmp /dev/shm; do \
           if mountpoint -q $place; then mount -o remount,bind,ro $place; fi; \
         done; exec {SETPRIV} \"$@\""
    )
}

async fn is_possible() -> bool {
    let tools = has_tool("unshare").await && has_tool("setpriv").await;
    let is_root = rustix::process::geteuid().is_root();
    if !(tools && is_root) {
        skip("unshare", "it takes root, unshare and setpriv");
    }
    tools && is_root
}

#[tokio::test]
async fn server_runs_without_root_on_a_read_only_file_system() {
    if !is_possible().await {
        return;
    }
    let upstream = Upstream::start().await;
    let item = Item::video("7524919459643919751");
    let post = Post::new(&item);
    let url = post.url();
    post.serve(&upstream.world);
    let script = script();
    let server = Builder::new(&upstream)
        .env("TEMP_DIR", "temp")
        .under(&["unshare", "--mount", "sh", "-c", &script, "sh"])
        .start()
        .await;
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid()));
    let status = status.expect("its status");
    for line in [
        "Uid:\t65532\t65532\t65532\t65532",
        "CapEff:\t0000000000000000",
        "CapBnd:\t0000000000000000",
        "NoNewPrivs:\t1",
    ] {
        assert!(status.contains(line), "{line}: {status}");
    }
    let mounts = std::fs::read_to_string(format!("/proc/{}/mounts", server.pid()));
    let mounts = mounts.expect("its mounts");
    let mut root = mounts
        .lines()
        .filter(|line| line.split(' ').nth(1) == Some("/"));
    assert!(
        root.next_back().is_some_and(|line| line.contains(" ro,")),
        "{mounts}"
    );
    let body = server.api().resolve(&url).await;
    let link = body["download_link"]["no_watermark_hd"]
        .as_str()
        .expect("a link");
    let media = server.api().get(link).await;
    assert!(media.is_whole && media.status == 200);
    let health = server.api().get("/health").await.json();
    let degraded = health["degraded"].as_array().expect("a list");
    assert!(!degraded.contains(&"temp".into()), "{health:#}");
    let (status, logs) = server.stop().await;
    assert!(status.success(), "{status}: {logs}");
}
