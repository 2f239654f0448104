//! `POST /playlist`.

use serde_json::{Value, json};

use super::Site;
use crate::harness::upstream::youtube::{Layout, Mix, PAGE, Playlist, State, WWW};
use crate::harness::upstream::{Answer, Fault, Gate, Page, Rule};
use crate::harness::{Fetched, assert_refusal, text};

const LIST: &str = "PLharbour00000000000000";

impl Site {
    async fn list(&self, request: Value) -> Fetched {
        self.stage
            .api()
            .post("/playlist", &request.to_string())
            .await
    }

    async fn listed(&self, request: Value) -> Value {
        let answer = self.list(request).await;
        assert_eq!(answer.status, 200, "{}", answer.json());
        answer.json()
    }
}

fn ids(body: &Value) -> Vec<String> {
    let entries = body["entries"].as_array().expect("entries").iter();
    entries.map(|entry| text(entry, "/id")).collect()
}

#[tokio::test]
async fn body_is_as_ruled() {
    for layout in [Layout::Classic, Layout::Lockup] {
        let site = Site::new().await;
        let list = Playlist::new(LIST, layout, 3);
        site.youtube.playlist(list.clone());
        let body = site.listed(json!({ "url": list.url() })).await;
        let keys: Vec<_> = body.as_object().expect("an object").keys().collect();
        for key in [
            "status",
            "code",
            "platform",
            "id",
            "title",
            "author",
            "url",
            "entry_count",
            "entries",
            "next_cursor",
        ] {
            assert!(keys.iter().any(|found| *found == key), "{key} in {keys:?}");
        }
        assert_eq!(
            (&body["status"], &body["code"]),
            (&json!("playlist"), &json!(0))
        );
        assert_eq!(
            (&body["platform"], &body["id"]),
            (&json!("youtube"), &json!(LIST))
        );
        assert_eq!(
            (&body["title"], &body["entry_count"]),
            (&json!(list.title), &json!(3))
        );
        assert_eq!(body["url"], list.url());
        assert_eq!(body["next_cursor"], Value::Null);
        let first = &body["entries"][0];
        assert_eq!(
            (&first["index"], &first["id"]),
            (&json!(1), &json!(list.entries[0].id))
        );
        assert_eq!(
            (&first["title"], &first["duration"]),
            (&json!(list.entries[0].title), &json!(61_000))
        );
        assert_eq!(
            first["url"],
            format!("https://www.youtube.com/watch?v={}", list.entries[0].id)
        );
        assert_eq!(first["availability"], "available");
        assert!(text(first, "/thumbnail").starts_with("https://i.ytimg.com/"));
        site.assert_well().await;
    }
}

#[tokio::test]
async fn long_lists_come_whole_in_order() {
    for layout in [Layout::Classic, Layout::Lockup] {
        let site = Site::new().await;
        let list = Playlist::new(LIST, layout, 5 * PAGE + 7);
        site.youtube.playlist(list.clone());
        let mut found = Vec::new();
        let mut request = json!({ "url": list.url(), "limit": 120 });
        loop {
            let body = site.listed(request.clone()).await;
            found.extend(ids(&body));
            match &body["next_cursor"] {
                Value::Null => break,
                cursor => request["cursor"] = cursor.clone(),
            }
            assert!(found.len() <= list.entries.len(), "a loop");
        }
        let expected: Vec<&str> = list.entries.iter().map(|entry| entry.id.as_str()).collect();
        assert_eq!(found, expected, "{layout:?}");
        site.assert_well().await;
    }
}

#[tokio::test]
async fn five_thousand_entries_are_listed() {
    let site = Site::new().await;
    let list = Playlist::new(LIST, Layout::Lockup, 5000);
    site.youtube.playlist(list.clone());
    let body = site
        .listed(json!({ "url": list.url(), "limit": 5000 }))
        .await;
    assert_eq!(ids(&body).len(), 5000);
    assert_eq!(body["entries"][4999]["index"], 5000);
    site.assert_well().await;
}

#[tokio::test]
async fn entries_that_cannot_be_played_keep_their_places() {
    for layout in [Layout::Classic, Layout::Lockup] {
        let site = Site::new().await;
        let states = [
            (1, State::Private, "private"),
            (2, State::Deleted, "deleted"),
            (3, State::Members, "members_only"),
            (4, State::Live, "live"),
        ];
        let list = Playlist::new(LIST, layout, 5);
        let list = states.iter().fold(list, |list, (number, state, _)| {
            list.with_state(*number, *state)
        });
        site.youtube.playlist(list.clone());
        let body = site.listed(json!({ "url": list.url() })).await;
        assert_eq!(ids(&body).len(), 5, "{layout:?}");
        for (number, _, expected) in states {
            assert_eq!(
                body["entries"][number - 1]["availability"],
                expected,
                "{layout:?}"
            );
        }
        assert_eq!(body["entries"][4]["availability"], "available");
    }
}

#[tokio::test]
async fn mixes_end_at_the_limit_without_doubles() {
    let site = Site::new().await;
    let mix = Mix::new("harbour0001");
    site.youtube.mix(mix.clone());
    let url = format!("https://www.youtube.com/playlist?list={}", mix.id());
    let body = site.listed(json!({ "url": url, "limit": 60 })).await;
    let expected: Vec<String> = (0..60).map(|at| mix.video_id(at)).collect();
    assert_eq!(ids(&body), expected);
    assert!(body["next_cursor"].is_string(), "it goes on");
    site.assert_well().await;
}

#[tokio::test]
async fn id_alone_names_its_list() {
    let site = Site::new().await;
    let list = Playlist::new(LIST, Layout::Lockup, 3);
    site.youtube.playlist(list.clone());
    assert_eq!(ids(&site.listed(json!({ "url": LIST })).await).len(), 3);
    let answer = site.stage.post(LIST).await;
    assert_refusal(&answer, 400, "unsupported_url");
    site.assert_well().await;
}

#[tokio::test]
async fn album_is_the_list_that_it_stands_for() {
    const ALBUM: &str = "MPREb_BQZvl3BFGay";
    const TRACKS: &str = "OLAK5uy_kvh_gLQmTRbXq_xqVtZ2tUXrAMs2Wlh6I";
    let site = Site::new().await;
    site.youtube
        .playlist(Playlist::new(TRACKS, Layout::Classic, 112));
    site.youtube.album(ALBUM, TRACKS);
    for url in [
        format!("https://music.youtube.com/browse/{ALBUM}"),
        format!("https://music.youtube.com/playlist?list={TRACKS}"),
        ALBUM.to_owned(),
    ] {
        let body = site.listed(json!({ "url": url })).await;
        assert_eq!(
            (ids(&body).len(), &body["id"]),
            (100, &json!(TRACKS)),
            "{url}"
        );
        let next = json!({ "url": url, "cursor": body["next_cursor"] });
        assert_eq!(ids(&site.listed(next).await).len(), 12, "{url}");
    }
    site.assert_well().await;
}

#[tokio::test]
async fn album_that_stands_for_nothing_or_for_itself_is_not_there() {
    let site = Site::new().await;
    for (number, list) in ["nonsense", "MPREb_another0001", "RDMM", "WL"]
        .into_iter()
        .enumerate()
    {
        let album = format!("MPREb_harbour{number:05}");
        site.youtube.album(&album, list);
        assert_refusal(&site.list(json!({ "url": album })).await, 404, "not_found");
    }
}

#[tokio::test]
async fn lists_that_are_not_there_are_errors() {
    let site = Site::new().await;
    for (number, (alert, status, code, said)) in [
        (
            "The playlist does not exist.",
            404,
            "not_found",
            "Playlist not found. ",
        ),
        (
            "This playlist type is unviewable.",
            400,
            "unsupported_url",
            "Only links to playlists",
        ),
        (
            "This playlist is private.",
            403,
            "private",
            "This playlist is private.",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("{LIST}{number}");
        let list = Playlist::new(&id, Layout::Classic, 1).alerting(alert);
        site.youtube.playlist(list.clone());
        let answer = site.list(json!({ "url": list.url() })).await;
        assert_eq!(answer.json()["error_code"], code, "{alert}");
        let body = assert_refusal(&answer, status, code);
        let message = text(&body, "/message");
        assert!(
            message.starts_with(said) && !message.contains("ideo"),
            "{message}"
        );
    }
    for url in [
        "https://www.youtube.com/playlist?list=WL",
        "https://www.youtube.com/playlist?list=LL",
    ] {
        assert_refusal(
            &site.list(json!({ "url": url })).await,
            403,
            "login_required",
        );
    }
    for (request, status) in [
        (json!({}), 422),
        (
            json!({ "url": "https://www.youtube.com/watch?v=harbour0001" }),
            400,
        ),
        (
            json!({ "url": "https://evil.example/playlist?list=PLharbour00000000000000" }),
            400,
        ),
        (
            json!({ "url": format!("https://www.youtube.com/playlist?list={LIST}"), "cursor": "rubbish" }),
            400,
        ),
    ] {
        assert_eq!(site.list(request.clone()).await.status, status, "{request}");
    }
}

/// A list of four pages and a bit, on a site of its own.
async fn long_list(settings: &[(&str, &str)]) -> (Site, Playlist) {
    let site = Site::with(|builder| {
        let set = |builder: crate::harness::Builder, (name, value): &(&str, &str)| {
            builder.env(name, value)
        };
        settings.iter().fold(builder, set)
    })
    .await;
    let list = Playlist::new(LIST, Layout::Lockup, 4 * PAGE + 7);
    site.youtube.playlist(list.clone());
    (site, list)
}

impl Site {
    /// Lists the rest behind a part, in one answer.
    async fn rest(&self, list: &Playlist, part: &Value) -> Vec<String> {
        let request = json!({ "url": list.url(), "limit": 5000, "cursor": part["next_cursor"] });
        let body = self.listed(request).await;
        assert_eq!(body["next_cursor"], Value::Null);
        ids(&body)
    }
}

fn all_ids(list: &Playlist) -> Vec<String> {
    list.entries.iter().map(|entry| entry.id.clone()).collect()
}

#[tokio::test]
async fn list_that_takes_too_long_is_given_in_part() {
    let (site, list) = long_list(&[("YTDLP_TIMEOUT", "2")]).await;
    let gate = Gate::new();
    let stall = Fault::StallBeforeHead(gate.clone());
    let world = site.stage.world();
    world.fault(Rule::path_prefix("/youtubei/v1/browse", stall).since(3));
    let request = json!({ "url": list.url(), "limit": 5000 });
    let part = site.listed(request.clone()).await;
    assert_eq!(ids(&part), all_ids(&list)[..2 * PAGE], "what came in time");
    assert_eq!(
        (&part["title"], &part["entry_count"]),
        (&json!(list.title), &json!(4 * PAGE + 7))
    );
    gate.open();
    world.clear_faults();
    let rest = site.rest(&list, &part).await;
    assert_eq!([ids(&part), rest].concat(), all_ids(&list));
    // A part that broke off is not what the next one gets who asks.
    assert_eq!(ids(&site.listed(request).await), all_ids(&list));
}

#[tokio::test]
async fn list_whose_first_page_takes_too_long_is_an_error() {
    let (site, list) = long_list(&[("YTDLP_TIMEOUT", "1")]).await;
    let gate = Gate::new();
    let stall = Fault::StallBeforeHead(gate.clone());
    site.stage
        .world()
        .fault(Rule::path_prefix("/youtubei/v1/browse", stall));
    let answer = site.list(json!({ "url": list.url(), "limit": 5000 })).await;
    assert_refusal(&answer, 504, "upstream_timeout");
    gate.open();
}

#[tokio::test]
async fn list_that_fails_on_the_way_is_given_in_part() {
    let (site, list) = long_list(&[]).await;
    let world = site.stage.world();
    // Twice, for it is asked once more.
    for nth in [3, 4] {
        let fault = Fault::Status(500);
        world.fault(Rule::path_prefix("/youtubei/v1/browse", fault).nth(nth));
    }
    let part = site
        .listed(json!({ "url": list.url(), "limit": 5000 }))
        .await;
    assert_eq!(ids(&part), all_ids(&list)[..2 * PAGE]);
    let rest = site.rest(&list, &part).await;
    assert_eq!([ids(&part), rest].concat(), all_ids(&list));
}

#[tokio::test]
async fn limit_beyond_the_highest_counts_as_that() {
    let site = Site::new().await;
    let list = Playlist::new(LIST, Layout::Lockup, 5000 + 3);
    site.youtube.playlist(list.clone());
    let part = site
        .listed(json!({ "url": list.url(), "limit": 1_000_000 }))
        .await;
    assert_eq!(ids(&part).len(), 5000);
    assert_eq!(site.rest(&list, &part).await, all_ids(&list)[5000..]);
}

#[tokio::test]
async fn mix_that_guests_are_sent_away_from_needs_a_login() {
    for id in ["RDMM", "RDMMharbour0001"] {
        let site = Site::new().await;
        let away = Answer::redirect(302, "https://accounts.google.com/ServiceLogin?continue=x");
        let page = Page::new(WWW, "/youtubei/v1/next", vec![away]);
        site.stage.world().page(page.with_method("POST"));
        let url = format!("https://www.youtube.com/playlist?list={id}");
        let answer = site.list(json!({ "url": url })).await;
        let body = assert_refusal(&answer, 403, "login_required");
        assert!(
            text(&body, "/message").starts_with("This playlist"),
            "{body}"
        );
    }
}

#[tokio::test]
async fn request_that_the_site_does_not_understand_is_no_block() {
    let told = json!({ "error": { "code": 400, "message": "Request contains an invalid argument.",
        "status": "INVALID_ARGUMENT" } });
    let refuse = |site: &Site| {
        let answer = Answer::new(400, "application/json", told.to_string());
        let page = Page::new(WWW, "/youtubei/v1/browse", vec![answer]);
        site.stage.world().page(page.with_method("POST"));
    };
    let (site, list) = long_list(&[]).await;
    let part = site.listed(json!({ "url": list.url() })).await;
    refuse(&site);
    // The token of a caller is none that the site knows.
    let request = json!({ "url": list.url(), "cursor": part["next_cursor"] });
    assert_refusal(&site.list(request).await, 400, "invalid_cursor");
    // Our own request is not understood.
    let (site, list) = long_list(&[]).await;
    refuse(&site);
    let answer = site.list(json!({ "url": list.url() })).await;
    assert_refusal(&answer, 502, "extraction_failed");
}

#[tokio::test]
async fn site_that_turns_callers_away_is_no_fault_of_their_cursor() {
    let (site, list) = long_list(&[]).await;
    let part = site.listed(json!({ "url": list.url() })).await;
    for (answer, status, code) in [
        (
            Answer::redirect(302, "https://www.youtube.com/"),
            503,
            "ip_blocked",
        ),
        (Answer::status(403), 503, "ip_blocked"),
        (Answer::status(429), 503, "upstream_rate_limited"),
    ] {
        let page = Page::new(WWW, "/youtubei/v1/browse", vec![answer]);
        site.stage.world().page(page.with_method("POST"));
        let request = json!({ "url": list.url(), "cursor": part["next_cursor"] });
        assert_refusal(&site.list(request).await, status, code);
    }
}

#[tokio::test]
async fn cursor_has_one_spelling() {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let (site, list) = long_list(&[]).await;
    let part = site.listed(json!({ "url": list.url() })).await;
    let cursor = text(&part, "/next_cursor");
    assert!(cursor.len() < 1000, "{cursor}");
    let asked = site.asked("/browse");
    let inside = URL_SAFE_NO_PAD.decode(&cursor).expect("base64");
    let spaced = [b" ", &inside[..]].concat();
    for other in [
        URL_SAFE_NO_PAD.encode(spaced),
        format!("{cursor}="),
        format!("{cursor}{}", "A".repeat(9000)),
    ] {
        let request = json!({ "url": list.url(), "cursor": other });
        assert_refusal(&site.list(request).await, 400, "invalid_cursor");
    }
    assert_eq!(site.asked("/browse"), asked, "nothing is asked for them");
}
