//! Pages of the site that lead to the interface: a video's, a list's, the embedded player's, and the player script.

use serde_json::{Value, json};

use super::super::answer::Answer;
use super::super::page::Page;
use super::super::wire::Request;
use super::interface::login;
use super::{ACCOUNT, Site, WWW, YouTube};

/// Version that the pages name for themselves.
const WEB_VERSION: &str = "2.20260708.00.00";

/// Name of the client in pages around a player.
const EMBEDDED: &str = "WEB_EMBEDDED_PLAYER";

/// Puts the pages into the world.
pub(super) fn serve(youtube: &YouTube) {
    let page = |path: &str, respond: fn(&YouTube, &Request) -> Answer| {
        let site = youtube.clone();
        youtube
            .world()
            .page(Page::dynamic(WWW, path, move |request, _| {
                respond(&site, request)
            }));
    };
    page("/", home);
    page("/watch", watch);
    page("/playlist", playlist);
    page("/embed/*", embed);
    page("/iframe_api", iframe_api);
    page("/s/player/*/*/*/base.js", script);
    page("/api/timedtext", subtitles);
}

fn html(
    youtube: &YouTube,
    site: &mut Site,
    blocks: &[(&str, Value)],
    context: &str,
    further: Value,
) -> Answer {
    let visitor = site.new_visitor();
    // Real pages name the visitor in the context too, and yt-dlp sends it on in bodies beside a newer one in the
    // header. Here two ids in one request are a fault.
    let mut settings = json!({
        "INNERTUBE_CONTEXT": { "client": { "clientName": context, "clientVersion": WEB_VERSION, "hl": "en" } },
        "INNERTUBE_CONTEXT_CLIENT_NAME": if context == "WEB" { 1 } else { 56 },
        "INNERTUBE_CLIENT_VERSION": WEB_VERSION,
        "LOGGED_IN": false,
        "PLAYER_JS_URL": youtube.script().path(),
        "STS": youtube.script().timestamp,
        "VISITOR_DATA": visitor,
    });
    if context == EMBEDDED {
        settings["WEB_PLAYER_CONTEXT_CONFIGS"] = json!({
            "WEB_PLAYER_CONTEXT_CONFIG_ID_EMBEDDED_PLAYER": {
                "encryptedHostFlags": site.new_flags(&visitor),
            },
        });
    }
    if let (Some(fields), Value::Object(further)) = (settings.as_object_mut(), further) {
        fields.extend(further);
    }
    let scripts = blocks.iter().fold(String::new(), |text, (name, value)| {
        text + &format!("<script nonce=\"x\">var {name} = {value};</script>")
    });
    Answer::html(format!(
        "<!DOCTYPE html><html><head><title>YouTube</title><script>ytcfg.set({settings});</script></head>\
         <body>{scripts}</body></html>"
    ))
}

fn watch(youtube: &YouTube, request: &Request) -> Answer {
    let Some(id) = request.query("v") else {
        return Answer::wrong("a page of no video");
    };
    let web = super::client::web();
    let list = request.query("list").unwrap_or_default();
    let blocks = [
        (
            "ytInitialPlayerResponse",
            youtube.play(id, web, None, login(request)),
        ),
        (
            "ytInitialData",
            youtube.beside(id, list, request.cookie("SOCS").is_some()),
        ),
    ];
    html(youtube, &mut youtube.site(), &blocks, "WEB", json!({}))
}

/// Says who is logged in.
fn home(youtube: &YouTube, request: &Request) -> Answer {
    let login = match request.cookie("LOGIN_INFO") {
        Some(_) => json!({
            "LOGGED_IN": true,
            "DATASYNC_ID": format!("{ACCOUNT}||"),
            "SESSION_INDEX": "1",
        }),
        None => json!({}),
    };
    html(youtube, &mut youtube.site(), &[], "WEB", login)
}

fn playlist(youtube: &YouTube, request: &Request) -> Answer {
    let Some(id) = request.query("list") else {
        return Answer::wrong("a page of no list");
    };
    let data = youtube.list_page(id, login(request));
    html(
        youtube,
        &mut youtube.site(),
        &[("ytInitialData", data)],
        "WEB",
        json!({}),
    )
}

fn embed(youtube: &YouTube, request: &Request) -> Answer {
    let referer = request.header("referer").unwrap_or_default();
    if referer.is_empty() || referer.contains("youtube") {
        return Answer::wrong("an embedded player that stands nowhere");
    }
    html(youtube, &mut youtube.site(), &[], EMBEDDED, json!({}))
}

fn iframe_api(youtube: &YouTube, _: &Request) -> Answer {
    let id = &youtube.script().id;
    let address =
        format!("https:\\/\\/{WWW}\\/s\\/player\\/{id}\\/www-widgetapi.vflset\\/www-widgetapi.js");
    Answer::new(
        200,
        "text/javascript; charset=utf-8",
        format!("var scriptUrl = '{address}';"),
    )
}

fn script(youtube: &YouTube, request: &Request) -> Answer {
    let script = youtube.script();
    if !request
        .path()
        .starts_with(&format!("/s/player/{}/", script.id))
    {
        return Answer::status(404);
    }
    Answer::new(200, "text/javascript", script.text())
}

fn subtitles(_: &YouTube, request: &Request) -> Answer {
    if request.query("xosf").is_some() {
        return Answer::wrong("subtitles with positions that players draw wrongly");
    }
    match request.query("fmt") {
        Some("srt") => Answer::new(
            200,
            "application/x-subrip",
            "1\n00:00:01,000 --> 00:00:03,000\nthe harbour\n",
        ),
        Some("vtt") => Answer::new(
            200,
            "text/vtt; charset=UTF-8",
            "WEBVTT\nKind: captions\nLanguage: en\n\n00:00:01.000 --> 00:00:03.000\nthe harbour\n",
        ),
        _ => Answer::new(200, "text/xml; charset=UTF-8", "<timedtext format=\"3\"/>"),
    }
}
