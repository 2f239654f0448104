//! A post and its page: HTML around the rehydration JSON, fresh cookies with every answer, and the files behind it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::super::answer::Answer;
use super::super::page::Page;
use super::super::world::World;
use super::challenge::Challenge;
use super::files::serve_files;
use super::item::Item;
use super::{CHAIN_TOKEN, COOKIE, WWW};

/// A post that can be served.
#[derive(Debug, Clone)]
pub(crate) struct Post {
    /// The post's id.
    pub(crate) id: String,
    /// Handle of the author.
    pub(crate) user: String,
    /// The `itemStruct`.
    pub(crate) item: Value,
    html: Bytes,
    before: Vec<Answer>,
    challenge: Option<Challenge>,
}

impl Post {
    /// A post made up for a test.
    pub(crate) fn new(item: &Item) -> Self {
        Self::from_struct(item.json().clone())
    }

    /// A post from an `itemStruct`.
    pub(crate) fn from_struct(item: Value) -> Self {
        let scope = json!({
            "webapp.app-context": { "language": "en", "region": "NO", "appId": 1233 },
            "webapp.video-detail": {
                "itemInfo": { "itemStruct": item },
                "shareMeta": { "title": "a post", "desc": "a post" },
                "statusCode": 0,
                "statusMsg": "",
            },
        });
        Self::with_html(item, page_html(&scope).into())
    }

    /// A post from recorded rehydration JSON (`{"__DEFAULT_SCOPE__": …}`); `None` when no post is in it.
    pub(crate) fn from_rehydration(recorded: &Value) -> Option<Self> {
        let scope = &recorded["__DEFAULT_SCOPE__"];
        let item = item_of(scope)?.clone();
        Some(Self::with_html(item, page_html(scope).into()))
    }

    /// A post from a recorded page, which is served as recorded; `None` when no post is in it.
    pub(crate) fn from_page(html: Bytes) -> Option<Self> {
        let text = std::str::from_utf8(&html).ok()?;
        let (_, rest) = text.split_once("id=\"__UNIVERSAL_DATA_FOR_REHYDRATION__\"")?;
        let (_, rest) = rest.split_once('>')?;
        let (script, _) = rest.split_once("</script>")?;
        let recorded: Value = serde_json::from_str(script).ok()?;
        let item = item_of(&recorded["__DEFAULT_SCOPE__"])?.clone();
        Some(Self::with_html(item, html))
    }

    fn with_html(item: Value, html: Bytes) -> Self {
        let user = item["author"]["uniqueId"].as_str().unwrap_or("_");
        Self {
            id: item["id"].as_str().expect("id").to_owned(),
            user: user.to_owned(),
            item,
            html,
            before: Vec::new(),
            challenge: None,
        }
    }

    /// Gives these answers first, one after the other.
    pub(crate) fn after(mut self, answers: Vec<Answer>) -> Self {
        self.before = answers;
        self
    }

    /// Gives the page only to requests that carry a solved challenge.
    pub(crate) fn behind(mut self, challenge: Challenge) -> Self {
        self.challenge = Some(challenge);
        self
    }

    /// The address that people share.
    pub(crate) fn url(&self) -> String {
        format!("https://{WWW}/@{}/video/{}", self.user, self.id)
    }

    /// Whether it is a photo post.
    pub(crate) fn is_photo(&self) -> bool {
        self.item["imagePost"].is_object()
    }

    /// Whether there is anything to download: some recordings are of posts behind a gate.
    pub(crate) fn has_media(&self) -> bool {
        let video = &self.item["video"];
        let has_video = ["playAddr", "downloadAddr"].iter().any(|key| {
            video[*key]
                .as_str()
                .is_some_and(|address| !address.is_empty())
        });
        self.is_photo() || has_video || video["bitrateInfo"].is_array()
    }

    /// Puts the page, under any user name, and the files into the world.
    pub(crate) fn serve(self, world: &World) {
        serve_files(world, &self.item);
        let page = Answer::html(self.html);
        let (id, before, challenge) = (self.id, self.before, self.challenge);
        let path = format!("/@*/video/{id}");
        world.page(Page::dynamic(WWW, &path, move |request, nth| {
            if let Some(answer) = before.get(nth) {
                return answer.clone();
            }
            match &challenge {
                Some(challenge) if !challenge.is_solved_by(request) => challenge.pose(&id, nth),
                _ => with_cookies(page.clone(), &id, nth),
            }
        }));
    }
}

fn item_of(scope: &Value) -> Option<&Value> {
    let item = &scope["webapp.video-detail"]["itemInfo"]["itemStruct"];
    item["id"].is_string().then_some(item)
}

/// A page as the site renders it: slashes, ampersands and angle brackets of the JSON as `\u` escapes.
pub(super) fn page_html(scope: &Value) -> String {
    let json = json!({ "__DEFAULT_SCOPE__": scope })
        .to_string()
        .replace('/', "\\u002F")
        .replace('&', "\\u0026")
        .replace('<', "\\u003C")
        .replace('>', "\\u003E");
    format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"UTF-8\"><title>TikTok - Make Your Day</title></head>\
         <body><div id=\"app\"></div><script id=\"__UNIVERSAL_DATA_FOR_REHYDRATION__\" \
         type=\"application/json\">{json}</script></body></html>"
    )
}

/// Adds what a page sets: a token that differs with each answer and is in base64, signs and all.
fn with_cookies(page: Answer, id: &str, nth: usize) -> Answer {
    let digest = Sha256::digest(format!("{id}/{nth}"));
    // `+`, `/` and `=` are all in a value: nothing on the way may escape it.
    let token = format!("+/{COOKIE}{}", STANDARD.encode(&digest[..16]));
    let hex = super::super::media::sha256_hex(&digest);
    let forever = "Path=/; Domain=tiktok.com; Max-Age=15552000; HttpOnly; Secure; SameSite=None";
    let short = format!("{COOKIE}{}", &hex[..20]);
    [
        format!("ttwid=1%7C{COOKIE}{hex}; {forever}"),
        format!("tt_csrf_token={short}; Path=/; Domain=tiktok.com; Secure"),
        format!("msToken={short}==; Path=/; Domain=tiktok.com; Max-Age=864000; Secure"),
        format!("{CHAIN_TOKEN}={token}; {forever}"),
    ]
    .iter()
    .fold(page, |page, cookie| page.header("Set-Cookie", cookie))
    .with_page_cookie(token)
}
