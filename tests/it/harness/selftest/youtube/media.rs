//! The hosts of media: addresses work as handed out, and no other way.

use http::Method;
use serde_json::json;
use url::Url;
use url::form_urlencoded;

use super::{Call, ID, address, format, site};
use crate::harness::api::fetch;
use crate::harness::selftest::{client, get};
use crate::harness::upstream::Upstream;
use crate::harness::upstream::youtube::{LONGEST_READ, Track, Video, YouTube};

async fn status(upstream: &Upstream, url: &str) -> u16 {
    fetch(get(upstream, url).header("range", "bytes=0-9"))
        .await
        .status
        .as_u16()
}

fn refusals(upstream: &Upstream) -> Vec<String> {
    upstream.world.look(|traffic| traffic.refused.clone())
}

async fn fresh(upstream: &Upstream, visitor: &str, itag: u64) -> String {
    address(&Call::visionos(visitor).told(upstream).await, itag)
}

/// The same address with another value.
fn changed(url: &str, key: &str, value: &str) -> String {
    let mut url = Url::parse(url).expect("an address");
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let pairs = pairs
        .iter()
        .map(|(name, old)| (name, if name == key { value } else { old }));
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish();
    url.set_query(Some(&query));
    url.into()
}

#[tokio::test]
async fn addresses_work_as_handed_out_and_not_otherwise() {
    let (upstream, _, visitor) = site().await;
    let url = fresh(&upstream, &visitor, 140).await;
    assert_eq!(status(&upstream, &url).await, 206);
    assert_eq!(
        status(&upstream, &format!("{url}&rn=1&rbuf=0&cpn=x")).await,
        206
    );
    let bad = [
        changed(&url, "itag", "251"),
        changed(&url, "expire", "4102444800"),
        changed(&url, "ip", "192.0.2.7"),
        changed(&url, "sig", "AJfQ"),
        changed(&url, "lmt", "1"),
        url.replace("&sig=", "&signature="),
        format!("{url}&speed=fast"),
        url.replacen("https://rr", "https://r", 1),
    ];
    for (number, url) in bad.iter().enumerate() {
        assert_eq!(status(&upstream, url).await, 403, "{url}");
        assert_eq!(refusals(&upstream).len(), number + 1, "{url}");
    }
    upstream.world.assert_no_unknown();
    let with_login = get(&upstream, &url).header("cookie", "SID=1");
    assert_eq!(fetch(with_login).await.status, 400);
    assert_eq!(upstream.world.look(|traffic| traffic.unknown.len()), 1);
}

#[tokio::test]
async fn addresses_end_with_their_time_their_visitor_and_on_demand() {
    let (upstream, youtube, visitor) = site().await;
    let url = fresh(&upstream, &visitor, 140).await;
    youtube.revoke_within(100..200);
    assert_eq!(status(&upstream, &url).await, 206);
    let later = get(&upstream, &url).header("range", "bytes=100-");
    assert_eq!(fetch(later).await.status, 403);
    youtube.revoke();
    assert_eq!(status(&upstream, &url).await, 403);
    let url = fresh(&upstream, &visitor, 140).await;
    youtube.see_visitor_at("2001:db8::2");
    assert_eq!(status(&upstream, &url).await, 403);
    youtube.set_lifetime(-1);
    let url = fresh(&upstream, &visitor, 140).await;
    assert_eq!(status(&upstream, &url).await, 403);
    youtube.set_lifetime(600);
    let url = fresh(&upstream, &visitor, 140).await;
    assert_eq!(status(&upstream, &url).await, 206);
    let reasons = refusals(&upstream);
    for (reason, word) in reasons
        .iter()
        .zip(["revoked", "revoked", "another address", "expired"])
    {
        assert!(reason.contains(word), "{reason}");
    }
}

#[tokio::test]
async fn long_reads_crawl_and_are_noted() {
    let (upstream, youtube, visitor) = site().await;
    let long = Track::of(137, 60).sized(LONGEST_READ + 1);
    youtube.video(Video::new(ID).with_tracks(vec![long, Track::of(140, 60)]));
    let url = fresh(&upstream, &visitor, 137).await;
    let crawls = || upstream.world.look(|traffic| traffic.throttled.len());
    let ask = async |range: Option<&str>, url: &str| {
        let mut request = get(&upstream, url);
        if let Some(range) = range {
            request = request.header("range", range);
        }
        // The head alone: a crawl takes long.
        let response = request.send().await.expect("an answer");
        (response.status().as_u16(), response.content_length())
    };
    assert_eq!(
        ask(Some("bytes=0-10485759"), &url).await,
        (206, Some(LONGEST_READ))
    );
    assert_eq!(ask(Some("bytes=1-"), &url).await, (206, Some(LONGEST_READ)));
    assert_eq!(
        ask(None, &format!("{url}&range=1-10485760")).await,
        (200, Some(LONGEST_READ))
    );
    let head = fetch(client(&upstream).request(Method::HEAD, &url)).await;
    assert_eq!((head.status.as_u16(), head.header("etag")), (200, ""));
    assert_eq!(crawls(), 0);
    assert_eq!(
        ask(Some("bytes=0-"), &url).await,
        (206, Some(LONGEST_READ + 1))
    );
    assert_eq!(ask(None, &url).await, (200, Some(LONGEST_READ + 1)));
    assert_eq!(crawls(), 2);
}

#[tokio::test]
async fn range_in_the_address_gives_the_same_bytes() {
    let (upstream, _, visitor) = site().await;
    let url = fresh(&upstream, &visitor, 140).await;
    let by_header = fetch(get(&upstream, &url).header("range", "bytes=1000-1999")).await;
    let by_address = fetch(get(&upstream, &format!("{url}&range=1000-1999"))).await;
    assert_eq!(
        (by_header.status.as_u16(), by_address.status.as_u16()),
        (206, 200)
    );
    assert_eq!(by_header.body, by_address.body);
    assert_eq!(by_header.body, Track::of(140, 213).whole(ID)[1000..2000]);
    assert!(!by_header.header("last-modified").is_empty());
}

#[tokio::test]
async fn media_move_to_another_host() {
    let (upstream, youtube, visitor) = site().await;
    youtube.move_media();
    let url = fresh(&upstream, &visitor, 140).await;
    let moved = fetch(get(&upstream, &url)).await;
    assert_eq!(moved.status, 302);
    let there = moved.header("location");
    assert_ne!(
        Url::parse(there).expect("an address").host(),
        Url::parse(&url).expect("an address").host()
    );
    assert_eq!(status(&upstream, there).await, 206);
}

/// A video's address as TVHTML5 gets it: `signatureCipher`.
async fn cipher(upstream: &Upstream, youtube: &YouTube, visitor: &str) -> (String, String) {
    let timestamp =
        json!({ "contentPlaybackContext": { "signatureTimestamp": youtube.script().timestamp } });
    let told = Call::player("TVHTML5", "7", visitor)
        .with("playbackContext", timestamp)
        .told(upstream)
        .await;
    let cipher = format(&told, 140)["signatureCipher"]
        .as_str()
        .expect("a cipher")
        .to_owned();
    let find = |key: &str| {
        let mut pairs = form_urlencoded::parse(cipher.as_bytes());
        pairs
            .find(|(name, _)| name == key)
            .expect("a part")
            .1
            .into_owned()
    };
    (find("url"), find("s"))
}

#[tokio::test]
async fn ciphered_addresses_want_the_script() {
    let (upstream, youtube, visitor) = site().await;
    let (url, ciphered) = cipher(&upstream, &youtube, &visitor).await;
    let parsed = Url::parse(&url).expect("an address");
    let n = parsed
        .query_pairs()
        .find(|(key, _)| key == "n")
        .expect("n")
        .1
        .into_owned();
    let signature = ordered(&ciphered);
    let signed = |url: &str| format!("{url}&sig={}", signature.replace('=', "%3D"));
    assert_eq!(status(&upstream, &url).await, 403, "no signature");
    let raw: String = form_urlencoded::byte_serialize(ciphered.as_bytes()).collect();
    assert_eq!(
        status(&upstream, &format!("{url}&sig={raw}")).await,
        403,
        "as it came"
    );
    assert_eq!(
        status(&upstream, &signed(&changed(&url, "n", "abc"))).await,
        403,
        "wrong `n`"
    );
    let solved = changed(&url, "n", &youtube.script().solve_n(&n));
    assert_eq!(status(&upstream, &signed(&solved)).await, 206);
    let crawls = || upstream.world.look(|traffic| traffic.throttled.len());
    assert_eq!(crawls(), 0);
    assert_eq!(
        (status(&upstream, &signed(&url)).await, crawls()),
        (206, 1),
        "plain `n`"
    );
    youtube.refuse_plain_n();
    assert_eq!(status(&upstream, &signed(&url)).await, 403, "plain `n`");
}

/// A signature in order, done as the script does it: swap, turn around, drop two, swap.
fn ordered(ciphered: &str) -> String {
    let mut text: Vec<char> = ciphered.chars().collect();
    let length = text.len();
    text.swap(0, 7 % length);
    text.reverse();
    let mut text = text.split_off(2);
    let length = text.len();
    text.swap(0, 3 % length);
    text.into_iter().collect()
}
