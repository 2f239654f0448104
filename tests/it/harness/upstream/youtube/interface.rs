//! The interface of the apps: `/youtubei/v1/…`.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::super::answer::Answer;
use super::super::page::Page;
use super::super::wire::Request;
use super::client::{Asked, Client, Gets, HandedOut, Subject, check};
use super::grant::{Grant, Puzzle, Wanted};
use super::refusal::Refusal;
use super::script::Script;
use super::{API, MUSIC, Site, TokenProvider, Video, WWW, YouTube};

/// `params` with which a list names its unavailable videos too.
const WITH_UNAVAILABLE: &str = "wgYCCAA=";

/// How an endpoint answers a request in order.
type Endpoint = fn(&YouTube, &Request, &Asked) -> Result<Value, String>;

/// Path below `/youtubei/v1/`, how strictly it is looked at, and how it is answered.
const ENDPOINTS: &[(&str, Subject, Endpoint)] = &[
    ("visitor_id", Subject::Visitor, visitor_id),
    ("player", Subject::Formats, player),
    ("reel/reel_item_watch", Subject::Formats, reel),
    ("next", Subject::Other, next),
    ("browse", Subject::Other, browse),
    ("navigation/resolve_url", Subject::Other, resolve_url),
];

/// Puts the endpoints into the world.
pub(super) fn serve(youtube: &YouTube) {
    for host in [WWW, API, MUSIC] {
        for (path, subject, endpoint) in ENDPOINTS {
            let youtube = youtube.clone();
            let world = youtube.world().clone();
            let page = Page::dynamic(host, &format!("/youtubei/v1/{path}"), move |request, _| {
                answer(&youtube, request, *subject, *endpoint)
            });
            world.page(page.with_method("POST"));
        }
    }
}

fn answer(youtube: &YouTube, request: &Request, subject: Subject, endpoint: Endpoint) -> Answer {
    let fields = request.query("$fields").map(decoded);
    // Without `streamingData` among the fields it is asked for facts only.
    let asks_formats = fields.as_deref().is_none_or(|fields| {
        fields
            .split(',')
            .any(|field| field.starts_with("streamingData") || field == "playerResponse")
    });
    let subject = match subject {
        Subject::Formats if !asks_formats => Subject::Other,
        subject => subject,
    };
    let checked = {
        let site = youtube.site();
        let known = HandedOut {
            visitors: &site.visitors,
            flags: &site.flags,
            timestamp: youtube.script().timestamp,
        };
        check(request, subject, &known)
    };
    let told = checked.and_then(|asked| endpoint(youtube, request, &asked));
    match told {
        Ok(told) => Answer::json(&fields.map_or(told.clone(), |fields| only(&told, &fields))),
        Err(complaint) => Answer::wrong(complaint),
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// The parts of an answer that `$fields` names: paths with dots, separated by commas.
fn only(told: &Value, fields: &str) -> Value {
    let mut kept = json!({});
    for field in fields.split(',') {
        let (first, rest) = field
            .split_once('.')
            .map_or((field, None), |(a, b)| (a, Some(b)));
        let Some(value) = told.get(first) else {
            continue;
        };
        let value = rest.map_or_else(|| value.clone(), |rest| only(value, rest));
        match (kept[first].as_object_mut(), value) {
            (Some(before), Value::Object(more)) => before.extend(more),
            (_, value) => kept[first] = value,
        }
    }
    kept
}

/// Adds what stands at the head of every answer, with a new visitor id; returns the id.
fn with_context(site: &mut Site, mut told: Value) -> (Value, String) {
    let visitor = site.new_visitor();
    let mut head = Map::new();
    head.insert(
        "responseContext".to_owned(),
        json!({ "visitorData": visitor, "maxAgeSeconds": 0 }),
    );
    if let Some(fields) = told.as_object_mut() {
        head.append(fields);
    }
    (Value::Object(head), visitor)
}

fn visitor_id(youtube: &YouTube, _: &Request, asked: &Asked) -> Result<Value, String> {
    if asked.body.as_object().is_none_or(|fields| fields.len() > 1) {
        return Err("a visitor id with more than its context".to_owned());
    }
    Ok(with_context(&mut youtube.site(), json!({})).0)
}

fn text<'a>(body: &'a Value, key: &str) -> &'a str {
    body[key].as_str().unwrap_or_default()
}

/// What a request for a player must say besides who asks.
fn check_player(body: &Value, request: &Request) -> Result<String, String> {
    let id = text(body, "videoId");
    if id.len() != 11 {
        return Err(format!("video id `{id}`"));
    }
    if body["contentCheckOk"] != true || body["racyCheckOk"] != true {
        return Err("a player that is not asked to pass its warnings".to_owned());
    }
    if body["cpn"].as_str().is_some_and(|cpn| cpn.len() != 16) {
        return Err("a `cpn` that is none".to_owned());
    }
    match (request.query("id"), request.query("t")) {
        (Some(named), _) if named != id => Err("another video in the query".to_owned()),
        (_, Some(t)) if t.len() != 12 => Err("a `t` that is none".to_owned()),
        _ => Ok(id.to_owned()),
    }
}

fn player(youtube: &YouTube, request: &Request, asked: &Asked) -> Result<Value, String> {
    let id = check_player(&asked.body, request)?;
    let told = youtube.play(&id, asked.client, asked.visitor.as_deref(), login(request));
    Ok(with_context(&mut youtube.site(), told).0)
}

fn reel(youtube: &YouTube, request: &Request, asked: &Asked) -> Result<Value, String> {
    if request.host != API || asked.client.name != "ANDROID" {
        return Err("a reel for another client than ANDROID".to_owned());
    }
    if asked.body["disablePlayerResponse"] != false {
        return Err("a reel without its player".to_owned());
    }
    let id = check_player(&asked.body["playerRequest"], request)?;
    let told = youtube.play(&id, asked.client, asked.visitor.as_deref(), login(request));
    if told.as_object().is_some_and(Map::is_empty) {
        return Ok(json!({}));
    }
    Ok(json!({ "playerResponse": with_context(&mut youtube.site(), told).0 }))
}

fn next(youtube: &YouTube, request: &Request, asked: &Asked) -> Result<Value, String> {
    let (video, list) = (
        text(&asked.body, "videoId"),
        text(&asked.body, "playlistId"),
    );
    if video.len() != 11 {
        return Err(format!("what stands beside `{video}`"));
    }
    let has_consent = request.cookie("SOCS").is_some();
    let told = youtube.beside(video, list, has_consent);
    Ok(with_context(&mut youtube.site(), told).0)
}

/// Who is logged in.
pub(super) fn login(request: &Request) -> Option<&str> {
    request.cookie("SAPISID")
}

fn browse(youtube: &YouTube, request: &Request, asked: &Asked) -> Result<Value, String> {
    if asked.client.name == "WEB_REMIX" {
        return youtube.album_page(text(&asked.body, "browseId"));
    }
    if asked.client.name != "WEB" {
        return Err(format!("{} that browses", asked.client.name));
    }
    let visitor = asked.visitor.as_deref().unwrap_or_default();
    if let Some(token) = asked.body["continuation"].as_str() {
        return youtube.go_on(token, visitor);
    }
    let id = text(&asked.body, "browseId");
    let id = id
        .strip_prefix("VL")
        .ok_or_else(|| format!("`{id}` is browsed"))?;
    if decoded(text(&asked.body, "params")) != WITH_UNAVAILABLE {
        return Err("a list without its unavailable videos".to_owned());
    }
    Ok(youtube.list_page(id, login(request)))
}

/// Albums lead to playlists.
fn resolve_url(youtube: &YouTube, _: &Request, asked: &Asked) -> Result<Value, String> {
    let url = text(&asked.body, "url");
    let list = url
        .split("list=")
        .nth(1)
        .ok_or_else(|| format!("`{url}` is resolved"))?;
    let endpoint = json!({ "endpoint": { "watchPlaylistEndpoint": { "playlistId": list } } });
    Ok(with_context(&mut youtube.site(), endpoint).0)
}

impl YouTube {
    /// What a client is told about a video; formats come with addresses of their own each time.
    pub(super) fn play(
        &self,
        id: &str,
        client: &Client,
        visitor: Option<&str>,
        login: Option<&str>,
    ) -> Value {
        let mut site = self.site();
        let unknown = Video::new(id).refusing(Refusal::Missing);
        let video = site.videos.get(id).cloned().unwrap_or(unknown);
        let video = video.seen_by(login);
        let is_suspect = visitor.is_some_and(|visitor| site.suspects.contains(visitor));
        let video = if is_suspect {
            Video::new(id).refusing(Refusal::BotCheck)
        } else {
            video
        };
        let (mut told, has_formats) = video.answer(client);
        if has_formats {
            let visitor = visitor.unwrap_or_default();
            told["streamingData"] = site.streams(&video, client, visitor, self.script());
        }
        told
    }

    /// What stands beside a video, with a mix when it is asked for and allowed.
    pub(super) fn beside(&self, video: &str, list: &str, has_consent: bool) -> Value {
        let site = self.site();
        let mut told = match site.videos.get(video) {
            Some(video) => video.json()["next"].clone(),
            None => Video::new(video).json()["next"].clone(),
        };
        let mix = site.mixes.get(list).filter(|_| has_consent);
        if let Some(panel) = mix.and_then(|mix| mix.around(video)) {
            told["contents"]["twoColumnWatchNextResults"]["playlist"] =
                json!({ "playlist": panel });
        }
        told
    }

    /// The page of an album, as far as it names its list.
    fn album_page(&self, id: &str) -> Result<Value, String> {
        let mut site = self.site();
        let list = site.albums.get(id);
        let list = list.ok_or_else(|| format!("album `{id}`"))?;
        let page = format!("https://music.youtube.com/playlist?list={list}");
        let told =
            json!({ "microformat": { "microformatDataRenderer": { "urlCanonical": page } } });
        Ok(with_context(&mut site, told).0)
    }

    /// The first page of a list.
    pub(super) fn list_page(&self, id: &str, login: Option<&str>) -> Value {
        let mut site = self.site();
        let list = site.lists.get(id).cloned();
        let missing = || {
            super::Playlist::new(id, super::Layout::Classic, 0)
                .alerting("The playlist does not exist.")
        };
        let list = list.unwrap_or_else(missing).seen_by(login);
        let (told, visitor) = with_context(&mut site, list.first_page());
        site.hand_out([list.token(0), Some(list.trap())], &visitor);
        told
    }

    /// The page behind a token. Under another visitor id than the one that it came with, a list begins anew.
    fn go_on(&self, token: &str, visitor: &str) -> Result<Value, String> {
        let mut site = self.site();
        let visitors = site.tokens.get(token);
        let is_lost = !visitors
            .ok_or("a token that nobody gave out")?
            .contains(visitor);
        let found = site.lists.values().find_map(|list| {
            let pages = list.entries.len().div_ceil(super::PAGE);
            let page = (0..pages).find(|page| list.token(*page).as_deref() == Some(token));
            (page.is_some() || list.trap() == token).then(|| (list.clone(), page))
        });
        let (list, page) = found.ok_or("a token of no list")?;
        let page = match page {
            None => return Ok(with_context(&mut site, list.recommendations()).0),
            Some(_) if is_lost => 0,
            Some(page) => page + 1,
        };
        let (told, visitor) = with_context(&mut site, list.further_page(page));
        site.hand_out([list.token(page), None], &visitor);
        Ok(told)
    }
}

impl Site {
    fn hand_out(&mut self, tokens: [Option<String>; 2], visitor: &str) {
        for token in tokens.into_iter().flatten() {
            self.tokens
                .entry(token)
                .or_default()
                .insert(visitor.to_owned());
        }
    }

    /// `streamingData` for a client.
    fn streams(&mut self, video: &Video, client: &Client, visitor: &str, script: &Script) -> Value {
        let event = self.new_event();
        let mut lists = [Vec::new(), Vec::new()];
        let token =
            (self.lets_web_play && client.name == "WEB").then(|| TokenProvider::token_for(visitor));
        for track in video.tracks() {
            let puzzle = match client.gets {
                Gets::Tracks if track.is_muxed() => continue,
                Gets::Tracks => Some(Puzzle::None),
                Gets::Ciphered => Some(Puzzle::Cipher),
                Gets::Challenged => Some(Puzzle::Number),
                Gets::MuxedOnly => track.is_muxed().then_some(Puzzle::None),
                Gets::MuxedCiphered => {
                    let is_given = track.is_muxed() || token.is_some();
                    is_given.then_some(Puzzle::Cipher)
                }
            };
            let mut json = track.json();
            if let Some(address) = track.elsewhere() {
                json["url"] = json!(address);
            } else if let Some(puzzle) = puzzle.filter(|_| !video.is_sabr()) {
                let id = video.id();
                let wanted = Wanted {
                    video: &id,
                    track,
                    client: client.name,
                    event: &event,
                    token: token.as_deref(),
                    puzzle,
                };
                let grant = Grant::new(&wanted, &self.around, script);
                match puzzle {
                    Puzzle::Cipher => json["signatureCipher"] = json!(grant.cipher()),
                    Puzzle::None | Puzzle::Number => json["url"] = json!(grant.address()),
                }
                self.grants.push(grant);
            }
            lists[usize::from(!track.is_muxed())].push(json);
        }
        let [formats, adaptive] = lists;
        let host = "https://rr1---sn-test.googlevideo.com";
        let mut data = json!({
            "expiresInSeconds": self.around.lifetime.to_string(),
            "adaptiveFormats": adaptive,
            "serverAbrStreamingUrl": format!("{host}/videoplayback?sabr=1&ei={event}"),
        });
        if !formats.is_empty() {
            data["formats"] = json!(formats);
        }
        let gets_tracks = client.gets == Gets::Tracks;
        if let Some(show) = self.shows.get_mut(&video.id()) {
            let playlist = show.hand_out(&video.id(), &event, gets_tracks);
            if let Some(playlist) =
                playlist.filter(|_| matches!(client.gets, Gets::Tracks | Gets::MuxedOnly))
            {
                data["hlsManifestUrl"] = json!(playlist);
            }
        } else if gets_tracks {
            let manifest = "https://manifest.googlevideo.com/api/manifest/hls_variant";
            data["hlsManifestUrl"] = json!(format!("{manifest}/ei/{event}/file/index.m3u8"));
        }
        data
    }
}
