//! Playlists that lead elsewhere, or nowhere, or have no end: nothing but the hosts of the site's media is asked, and the
//! broadcast goes on.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::{Show, Studio, assert_smooth, fared, list, marks, reel};
use crate::harness::ingest::Manner;
use crate::harness::upstream::youtube::Reel;

/// Beginning of a list of segments.
const HEAD: &str = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:0\n";

/// A segment that is nowhere.
const NOWHERE: &str = "https://rr1---sn-x.googlevideo.com/videoplayback/id/none.1/a.ts";

/// A port of this machine that counts who comes.
struct Trap {
    port: u16,
    visitors: Arc<AtomicUsize>,
}

impl Trap {
    fn set() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let visitors = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&visitors);
        // Ends with the process of the test.
        std::thread::spawn(move || {
            for visitor in listener.incoming() {
                count.fetch_add(1, Ordering::SeqCst);
                drop(visitor);
            }
        });
        Self { port, visitors }
    }

    /// Counts a visitor of its own, so that it is known to work, and forgets it.
    fn try_out(&self) {
        std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        while self.visitors.swap(0, Ordering::SeqCst) == 0 {
            std::thread::yield_now();
        }
    }
}

fn segment(address: &str) -> Show {
    Show::listing(format!("{HEAD}#EXTINF:2,\n{address}\n"))
}

fn variant(address: &str) -> Show {
    Show::offering(format!(
        "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{address}\n"
    ))
}

/// Shows, and why each is skipped.
fn cases(trap: &Trap, media: &Reel) -> Vec<(Show, &'static str)> {
    [elsewhere(trap, media), unfit(trap)].concat()
}

/// Addresses that are not asked.
fn elsewhere(trap: &Trap, media: &Reel) -> Vec<(Show, &'static str)> {
    let here = format!("127.0.0.1:{}", trap.port);
    vec![
        (segment(&format!("http://{here}/a.ts")), "forbidden_address"),
        (
            segment(&format!("https://{here}/a.ts")),
            "forbidden_address",
        ),
        (
            segment("http://169.254.169.254/latest/meta-data"),
            "forbidden_address",
        ),
        (segment("https://[::1]/a.ts"), "forbidden_address"),
        (segment("file:///etc/passwd"), "forbidden_address"),
        (segment("data:video/mp2t;base64,Rw=="), "forbidden_address"),
        (segment("https://evil.example/a.ts"), "forbidden_address"),
        (
            segment("https://googlevideo.com.evil.example/a.ts"),
            "forbidden_address",
        ),
        (
            segment("https://www.youtube.com/api/timedtext?v=a"),
            "forbidden_address",
        ),
        (
            segment(&format!(
                "https://rr1---sn-x.googlevideo.com:{}/a.ts",
                trap.port
            )),
            "forbidden_address",
        ),
        (
            segment(&format!(
                "https://a@rr1---sn-x.googlevideo.com:{}/",
                trap.port
            )),
            "forbidden_address",
        ),
        (
            variant(&format!("http://{here}/a.m3u8")),
            "forbidden_address",
        ),
        (
            Show::new(media.clone()).moved_to(&format!("http://{here}/a.ts")),
            "forbidden_address",
        ),
        (
            Show::new(media.clone()).moved_to("https://evil.example/a.ts"),
            "forbidden_address",
        ),
        (
            Show::listing(format!(
                "{HEAD}#EXT-X-MAP:URI=\"http://{here}/i\"\n#EXTINF:2,\n{NOWHERE}\n"
            )),
            "forbidden_address",
        ),
        (
            Show::listing(format!(
                "{HEAD}#EXT-X-KEY:METHOD=AES-128,URI=\"http://{here}/k\"\n#EXTINF:2,\n{NOWHERE}\n"
            )),
            "forbidden_address",
        ),
    ]
}

/// What is no playlist, or no media.
fn unfit(trap: &Trap) -> Vec<(Show, &'static str)> {
    let here = format!("127.0.0.1:{}", trap.port);
    let of = |bytes: &str| Reel {
        init: None,
        segments: vec![bytes.to_owned().into(); 3],
    };
    vec![
        (
            Show::listing(format!(
                "{HEAD}#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"https://{here}/k\"\n#EXTINF:2,\n{NOWHERE}\n"
            )),
            "encrypted",
        ),
        // A list of variants in place of segments, and playlists in place of media.
        (
            Show::listing(format!(
                "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nhttp://{here}/a.m3u8\n"
            )),
            "unsupported_format",
        ),
        (
            Show::new(of(&format!("{HEAD}#EXTINF:2,\nhttp://{here}/a.ts\n"))),
            "unsupported_format",
        ),
        (Show::new(of("<html>no media</html>")), "unsupported_format"),
        (
            Show::listing(format!("{HEAD}{}", "#EXTINF:2,\na\n".repeat(30_000))),
            "unsupported_format",
        ),
        (
            Show::listing(format!("{HEAD}#{}\n", "x".repeat(3_000_000))),
            "unsupported_format",
        ),
        // Longer than any playlist.
        (
            Show::offering("#EXTM3U\n#".repeat(600_000)),
            "unsupported_format",
        ),
        (Show::offering("no playlist"), "unsupported_format"),
    ]
}

#[tokio::test]
async fn playlists_of_others_addresses_lead_nowhere() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    let trap = Trap::set();
    trap.try_out();
    let media = reel(&studio, 6, "").await;
    let cases = cases(&trap, &media);
    let (shows, reasons): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
    list(&studio, shows).await;
    let record = studio.start(json!({ "allow_live": true })).await;
    studio
        .until(&record, "the end", |status| status["status"] == "stopped")
        .await;
    let got = studio.only();
    assert_smooth(&got);
    assert_eq!(marks(&studio, &got).await.flashes.len(), 3);
    let mut items = fared(&studio, &record).await;
    assert_eq!(items.pop(), Some(("ok".to_owned(), String::new())));
    let wanted = reasons
        .iter()
        .map(|reason| ("skipped".to_owned(), (*reason).to_owned()));
    assert_eq!(items, wanted.collect::<Vec<_>>());
    assert_eq!(
        trap.visitors.load(Ordering::SeqCst),
        0,
        "connections to this machine"
    );
    let strangers = studio.stage.world().look(|traffic| {
        let asked = traffic
            .tunnels
            .iter()
            .chain(traffic.records.iter().map(|record| &record.host));
        let is_known = |host: &&String| {
            let host = host.trim_end_matches(":443");
            host.ends_with(".googlevideo.com")
                || host.ends_with("youtube.com")
                || host.ends_with(".googleapis.com")
        };
        asked
            .filter(|host| !is_known(host))
            .cloned()
            .collect::<Vec<_>>()
    });
    assert_eq!(strangers, Vec::<String>::new());
    studio.stage.assert_well().await;
}
