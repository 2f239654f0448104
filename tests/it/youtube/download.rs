//! Files through links: byte for byte, in parts, and read from the site as it wants to be read.

use http::Method;

use super::{ID, Site, assert_file, muxed_only, parameter};
use crate::harness::upstream::youtube::{LONGEST_READ, Track, Video, joinable_tracks};
use crate::harness::upstream::{Fault, Rule};
use crate::harness::{assert_refusal, fetch, link, skip, text};

fn sound() -> Track {
    Track::of(140, 213)
}

/// More than the site delivers at once at full speed.
fn long() -> Track {
    Track::of(137, 213)
}

#[tokio::test]
async fn single_tracks_arrive_whole_under_their_types() {
    let site = Site::new().await;
    let body = site.resolve(Video::new(ID)).await;
    for (id, kind, extension) in [
        ("140", "audio/mp4", ".m4a\""),
        ("251", "audio/webm", ".webm\""),
        ("136", "video/mp4", ".mp4\""),
        ("248", "video/webm", ".webm\""),
    ] {
        let answer = site.get(&link(&body, id)).await;
        assert_file(&answer, &Track::of(id.parse().expect("an itag"), 213));
        assert_eq!(answer.header("content-type"), kind, "{id}");
        assert_eq!(
            answer.header("content-length"),
            answer.body.len().to_string(),
            "{id}"
        );
        assert_eq!(answer.header("accept-ranges"), "bytes", "{id}");
        let name = answer.header("content-disposition");
        assert!(
            name.contains("harbour_keeper") && name.contains(extension),
            "{name}"
        );
    }
    site.assert_well().await;
}

#[tokio::test]
async fn muxed_file_arrives_whole_and_in_parts() {
    let site = Site::new().await;
    let body = site.resolve(muxed_only()).await;
    let link = link(&body, "18");
    assert_file(&site.get(&link).await, &Track::of(18, 213));
    let whole = site.get(&link).await.body;
    let part = site
        .stage
        .api()
        .get_range(&link, "bytes=1000000-1000999")
        .await;
    assert_eq!(
        (part.status.as_u16(), &part.body[..]),
        (206, &whole[1_000_000..1_001_000])
    );
    site.assert_well().await;
}

#[tokio::test]
async fn ranges_give_their_bytes() {
    let (site, body) = Site::of(vec![sound(), Track::of(136, 213)]).await;
    let link = link(&body, "140");
    let whole = site.get(&link).await.body;
    let size = whole.len();
    for (range, start, end) in [
        ("bytes=0-0", 0, 1),
        ("bytes=1000-1999", 1000, 2000),
        ("bytes=700000-", 700_000, size),
        ("bytes=-500", size - 500, size),
        ("bytes=699000-9999999", 699_000, size),
    ] {
        let answer = site.stage.api().get_range(&link, range).await;
        assert_eq!(
            (answer.status.as_u16(), answer.is_whole),
            (206, true),
            "{range}"
        );
        assert_eq!(
            answer.header("content-range"),
            format!("bytes {start}-{}/{size}", end - 1),
            "{range}"
        );
        assert_eq!(answer.body, whole[start..end], "{range}");
    }
    let past = site.stage.api().get_range(&link, "bytes=700001-").await;
    assert_eq!(
        (past.status.as_u16(), past.header("content-range")),
        (416, "bytes */700001")
    );
    site.assert_well().await;
}

#[tokio::test]
async fn head_tells_what_get_sends() {
    let (site, body) = Site::of(vec![sound(), Track::of(136, 213)]).await;
    let link = link(&body, "140");
    let head = site.stage.api().head(&link).await;
    let whole = site.get(&link).await;
    for name in [
        "content-length",
        "content-type",
        "content-disposition",
        "accept-ranges",
        "etag",
    ] {
        assert_eq!(head.header(name), whole.header(name), "{name}");
    }
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
}

#[tokio::test]
async fn long_files_are_read_in_pieces_that_are_not_slowed_down() {
    let (site, body) = Site::of(vec![long(), sound()]).await;
    assert_file(&site.get(&link(&body, "137")).await, &long());
    site.assert_well().await;
    let ends = site.media_asked().into_iter().map(|record| {
        let range = record
            .header("range")
            .expect("every read is a part")
            .to_owned();
        let (start, last) = range.strip_prefix("bytes=")?.split_once('-')?;
        Some(last.parse::<u64>().ok()? + 1 - start.parse::<u64>().ok()?)
    });
    for length in ends {
        assert!(
            length.is_some_and(|length| length <= LONGEST_READ),
            "{length:?}"
        );
    }
}

#[tokio::test]
async fn long_range_is_read_in_pieces_too() {
    let (site, body) = Site::of(vec![long(), sound()]).await;
    let answer = site
        .stage
        .api()
        .get_range(&link(&body, "137"), "bytes=5-")
        .await;
    assert_eq!((answer.status.as_u16(), answer.is_whole), (206, true));
    assert_eq!(answer.header("content-range"), "bytes 5-12345677/12345678");
    assert_eq!(answer.body.len(), 12_345_673);
    site.assert_well().await;
}

#[tokio::test]
async fn moved_media_are_followed_inside_the_site() {
    let site = Site::new().await;
    site.youtube.move_media();
    let body = site.resolve(Video::new(ID)).await;
    assert_file(&site.get(&link(&body, "140")).await, &sound());
    let hosts: std::collections::BTreeSet<String> = site
        .media_asked()
        .into_iter()
        .filter(|record| parameter(record, "itag") == "140")
        .map(|record| record.host)
        .collect();
    assert_eq!(hosts.len(), 2, "{hosts:?}");
    site.assert_well().await;
}

#[tokio::test]
async fn redirect_out_of_the_site_is_not_followed() {
    let (site, body) = Site::of(vec![sound(), Track::of(136, 213)]).await;
    let fault = Fault::Redirect {
        status: 302,
        to: "https://evil.example/videoplayback".to_owned(),
    };
    site.stage
        .world()
        .fault(Rule::path_prefix("/videoplayback", fault));
    let answer = site.get(&link(&body, "140")).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["error_code"]),
        (502, &"upstream_error".into())
    );
    let elsewhere = site
        .stage
        .world()
        .look(|traffic| traffic.to_host("evil.example").count());
    assert_eq!(elsewhere, 0);
}

#[tokio::test]
async fn media_go_on_within_hosts_of_media_alone() {
    for to in [
        "https://i.ytimg.com/vi/harbour0001/hq720.jpg",
        "https://yt3.ggpht.com/a",
        "https://www.youtube.com/api/timedtext?v=harbour0001",
    ] {
        let (site, body) = Site::of(vec![sound(), Track::of(136, 213)]).await;
        let fault = Fault::Redirect {
            status: 302,
            to: to.to_owned(),
        };
        let before = site.stage.world().count(to);
        site.stage
            .world()
            .fault(Rule::path_prefix("/videoplayback", fault));
        let answer = site.get(&link(&body, "140")).await;
        assert_refusal(&answer, 502, "upstream_error");
        assert_eq!(site.stage.world().count(to), before, "{to}");
    }
}

#[tokio::test]
async fn broken_reads_are_resumed() {
    for fault in [
        Fault::Reset { at: 100_000 },
        Fault::Short { at: 100_000 },
        Fault::CloseBeforeHead,
        Fault::Status(503),
    ] {
        let (site, body) = Site::of(vec![sound(), Track::of(136, 213)]).await;
        site.stage
            .world()
            .fault(Rule::path_prefix("/videoplayback", fault).first(2));
        assert_file(&site.get(&link(&body, "140")).await, &sound());
        site.assert_well().await;
    }
}

#[tokio::test]
async fn login_of_the_operator_never_reaches_media_hosts() {
    let cookies = "# Netscape HTTP Cookie File\n\
        .youtube.com\tTRUE\t/\tTRUE\t4102444800\tLOGIN_INFO\tcanary-info\n\
        .youtube.com\tTRUE\t/\tTRUE\t4102444800\tSAPISID\tcanary-sapisid\n";
    let site =
        Site::with(|builder| builder.file("cookies/www.youtube.com_cookies.txt", cookies)).await;
    let body = site.resolve(Video::new(ID)).await;
    assert_file(&site.get(&link(&body, "140")).await, &sound());
    let told = body.to_string() + &site.stage.server.logs();
    assert!(!told.contains("canary"), "{told}");
    site.assert_well().await;
}

#[tokio::test]
async fn media_are_asked_for_as_the_client_that_was_told_of_them() {
    let (site, body) = Site::of(vec![sound(), Track::of(136, 213)]).await;
    site.get(&link(&body, "140")).await;
    let players = site
        .stage
        .world()
        .records()
        .into_iter()
        .filter(|record| record.target.contains("/player"));
    let mut agents = players.filter(|record| record.header("x-youtube-client-name") == Some("101"));
    let agent = agents
        .next()
        .expect("VISIONOS")
        .header("user-agent")
        .expect("a user agent")
        .to_owned();
    for record in site.media_asked() {
        assert_eq!(record.header("user-agent"), Some(&*agent));
        assert_eq!(
            (record.header("cookie"), record.header("referer")),
            (None, None)
        );
        assert_eq!(record.header("accept-encoding"), Some("identity"));
        assert_eq!(parameter(&record, "c"), "VISIONOS");
    }
}

#[tokio::test]
async fn sound_link_delivers_the_track_itself_without_ffmpeg() {
    let site = Site::with(|builder| builder.env("FFMPEG_PATH", "/nowhere")).await;
    let body = site.resolve(Video::new(ID)).await;
    let link = text(&body, "/download_link/mp3");
    let head = fetch(site.stage.api().request(Method::HEAD, &link)).await;
    assert_eq!(
        (head.status.as_u16(), head.header("content-type")),
        (200, "audio/mp4")
    );
}

#[tokio::test]
async fn sound_link_delivers_mp3_of_exact_length() {
    let Some(tracks) = joinable_tracks().await else {
        return skip("ffmpeg", "there is none with H.264 and AAC");
    };
    let (site, body) = Site::of(tracks.into()).await;
    let link = text(&body, "/download_link/mp3");
    let whole = site.get(&link).await;
    assert_eq!((whole.status.as_u16(), whole.is_whole), (200, true));
    assert_eq!(whole.header("content-type"), "audio/mpeg");
    assert_eq!(whole.header("content-length"), whole.body.len().to_string());
    assert_eq!(whole.header("accept-ranges"), "bytes");
    // Eight seconds at 192 kbit/s, and a tag.
    assert!(
        (192_000..200_000).contains(&whole.body.len()),
        "{}",
        whole.body.len()
    );
    let from = whole.body.len() / 2;
    let rest = site
        .stage
        .api()
        .get_range(&link, &format!("bytes={from}-"))
        .await;
    assert!(rest.status == 206 && rest.body == whole.body.slice(from..));
    site.assert_well().await;
}
