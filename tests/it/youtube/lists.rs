//! `POST /playlist`.

use serde_json::{Value, json};

use super::Site;
use crate::harness::upstream::youtube::{Layout, Mix, PAGE, Playlist, State};
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
    for (number, (alert, status, code)) in [
        ("The playlist does not exist.", 404, "not_found"),
        ("This playlist type is unviewable.", 400, "unsupported_url"),
        ("This playlist is private.", 403, "private"),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("{LIST}{number}");
        let list = Playlist::new(&id, Layout::Classic, 1).alerting(alert);
        site.youtube.playlist(list.clone());
        let answer = site.list(json!({ "url": list.url() })).await;
        assert_eq!(answer.json()["error_code"], code, "{alert}");
        assert_refusal(&answer, status, code);
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
