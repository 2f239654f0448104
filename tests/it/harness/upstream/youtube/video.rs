//! Videos, made up or recorded: what the interface says of them, to whom it says what.

use serde_json::{Value, json};

use super::client::Client;
use super::refusal::Refusal;
use super::track::Track;

/// A video that can be put into the simulated site.
#[derive(Debug, Clone)]
pub(crate) struct Video {
    /// `videoDetails`, `captions`, `microformat` and `next`.
    json: Value,
    tracks: Vec<Track>,
    /// Client name, empty for all, and what it is told.
    refusals: Vec<(String, Refusal)>,
    /// Whether only the site's own protocol delivers it.
    is_sabr: bool,
    /// Id named in answers in place of the true one.
    named: Option<String>,
    /// The login that alone sees it.
    owner: Option<String>,
}

/// Seconds of a video made up.
const SECONDS: u64 = 213;

impl Video {
    /// A video of 1080 lines with a muxed file, several codecs and a sound track each in AAC and Opus.
    pub(crate) fn new(id: &str) -> Self {
        let itags = [18, 137, 248, 399, 136, 135, 160, 140, 251];
        Self {
            json: json!({
                "videoDetails": details(id),
                "captions": captions(id),
                "microformat": { "playerMicroformatRenderer": microformat(id) },
                "next": next(id, "Harbour Keeper", "UCharbourKeeper000000000", "139,300"),
            }),
            tracks: itags.map(|itag| Track::of(itag, SECONDS)).into(),
            refusals: Vec::new(),
            is_sabr: false,
            named: None,
            owner: None,
        }
    }

    /// A video from a recorded answer of `player`, with the facts of a recorded WEB answer when there is one.
    pub(crate) fn recorded(player: &Value, web: Option<&Value>) -> Self {
        let data = &player["streamingData"];
        let lists = ["formats", "adaptiveFormats"].map(|key| data[key].as_array());
        let tracks = lists.into_iter().flatten().flatten();
        let text = |key: &str| player["videoDetails"][key].as_str().expect("a fact");
        let id = text("videoId");
        let web = web.unwrap_or(player);
        let microformat = match &web["microformat"] {
            Value::Null => json!({ "playerMicroformatRenderer": { "externalVideoId": id } }),
            told => told.clone(),
        };
        let likes = &microformat["playerMicroformatRenderer"]["likeCount"];
        let likes = likes.as_str().unwrap_or("0");
        Self {
            json: json!({
                "videoDetails": player["videoDetails"],
                "captions": Value::Null,
                "microformat": microformat,
                "next": next(id, text("author"), text("channelId"), likes),
            }),
            tracks: tracks.map(Track::recorded).collect(),
            refusals: Vec::new(),
            is_sabr: false,
            named: None,
            owner: None,
        }
    }

    /// Sets what a JSON pointer names; its parent must exist.
    pub(crate) fn with(mut self, pointer: &str, value: Value) -> Self {
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
        let parent = self.json.pointer_mut(parent).expect("a parent");
        parent[key] = value;
        self
    }

    /// Replaces the formats.
    pub(crate) fn with_tracks(mut self, tracks: Vec<Track>) -> Self {
        self.tracks = tracks;
        self
    }

    /// Tells every client this in place of formats.
    pub(crate) fn refusing(self, refusal: Refusal) -> Self {
        self.refusing_client("", refusal)
    }

    /// Tells one client this in place of formats; `client` is a `clientName`.
    pub(crate) fn refusing_client(mut self, client: &str, refusal: Refusal) -> Self {
        self.refusals.push((client.to_owned(), refusal));
        self
    }

    /// Gives no client an address of a single track.
    pub(crate) fn sabr_only(mut self) -> Self {
        self.is_sabr = true;
        self.tracks.retain(|track| !track.is_muxed());
        self
    }

    /// Marks all formats as encrypted.
    pub(crate) fn encrypted(mut self) -> Self {
        let families = json!(["WIDEVINE", "PLAYREADY"]);
        self.tracks = self
            .tracks
            .into_iter()
            .map(|track| track.with("drmFamilies", families.clone()))
            .collect();
        self
    }

    /// Shows it to one login alone, which the cookie `SAPISID` names.
    pub(crate) fn owned_by(mut self, login: &str) -> Self {
        self.owner = Some(login.to_owned());
        self
    }

    /// As this visitor sees it.
    pub(super) fn seen_by(self, login: Option<&str>) -> Self {
        match &self.owner {
            Some(owner) if login != Some(owner) => self.refusing(Refusal::Private),
            _ => self,
        }
    }

    /// Names another video in every answer, as answers to blocked visitors do.
    pub(crate) fn naming(mut self, id: &str) -> Self {
        self.named = Some(id.to_owned());
        self
    }

    /// Puts it on air.
    pub(crate) fn live(mut self) -> Self {
        self.tracks = self
            .tracks
            .into_iter()
            .filter(|track| !track.is_muxed())
            .map(|track| track.with("targetDurationSec", json!(5)))
            .collect();
        self.with("/videoDetails/isLive", json!(true))
            .with("/videoDetails/isLiveContent", json!(true))
            .with("/videoDetails/lengthSeconds", json!("0"))
            .with(
                "/microformat/playerMicroformatRenderer/liveBroadcastDetails",
                json!({ "isLiveNow": true, "startTimestamp": "2026-11-20T18:00:00+00:00" }),
            )
    }

    /// Announces it for this second of Unix time.
    pub(crate) fn upcoming(self, at: u64) -> Self {
        self.with("/videoDetails/isUpcoming", json!(true))
            .with("/videoDetails/isLiveContent", json!(true))
            .with("/videoDetails/lengthSeconds", json!("0"))
            .refusing(Refusal::Upcoming(at))
    }

    /// The id.
    pub(crate) fn id(&self) -> String {
        let id = &self.json["videoDetails"]["videoId"];
        id.as_str().expect("an id").to_owned()
    }

    /// The address that people share.
    pub(crate) fn url(&self) -> String {
        format!("https://www.youtube.com/watch?v={}", self.id())
    }

    /// What is said of it.
    pub(crate) fn json(&self) -> &Value {
        &self.json
    }

    /// The formats.
    pub(crate) fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    pub(super) fn is_sabr(&self) -> bool {
        self.is_sabr
    }

    /// The answer to a client without formats, and whether formats belong to it.
    pub(super) fn answer(&self, client: &Client) -> (Value, bool) {
        let meant = |(name, _): &&(String, Refusal)| name.is_empty() || name == client.name;
        let refusal = self.refusals.iter().find(meant).map(|(_, refusal)| refusal);
        if refusal == Some(&Refusal::Empty) {
            return (json!({}), false);
        }
        let mut details = self.json["videoDetails"].clone();
        if let Some(named) = &self.named {
            details["videoId"] = json!(named);
        }
        let mut answer = json!({
            "playabilityStatus": { "status": "OK", "playableInEmbed": true },
            "videoDetails": details,
        });
        if let Some(status) = refusal.and_then(Refusal::playability) {
            answer["playabilityStatus"] = status;
        }
        if client.has_microformat {
            answer["microformat"] = self.json["microformat"].clone();
        }
        if refusal.is_none() && !self.json["captions"].is_null() {
            answer["captions"] = self.json["captions"].clone();
        }
        // What isn't there has no details, and no page facts.
        let is_gone = matches!(
            refusal,
            Some(Refusal::Missing | Refusal::Removed | Refusal::Private | Refusal::BotCheck)
        );
        if let (true, Some(fields)) = (is_gone, answer.as_object_mut()) {
            fields.shift_remove("videoDetails");
            fields.shift_remove("microformat");
        }
        (answer, refusal.is_none())
    }
}

fn details(id: &str) -> Value {
    json!({
        "videoId": id,
        "title": "The harbour from above & \u{ab}beyond\u{bb} \u{1f342}",
        "lengthSeconds": SECONDS.to_string(),
        "keywords": ["harbour", "autumn"],
        "channelId": "UCharbourKeeper000000000",
        "isOwnerViewing": false,
        "shortDescription": "Filmed from the old crane.\n\n0:00 The crane\n1:00 The water\n2:30 The way home",
        "isCrawlable": true,
        "thumbnail": { "thumbnails": [picture(id, "mqdefault", 320, 180), picture(id, "hq720", 1280, 720)] },
        "allowRatings": true,
        "viewCount": "2213574",
        "author": "Harbour Keeper",
        "isPrivate": false,
        "isUnpluggedCorpus": false,
        "isLiveContent": false,
    })
}

fn captions(id: &str) -> Value {
    let base =
        format!("https://www.youtube.com/api/timedtext?v={id}&caps=asr&lang=en&kind=asr&xosf=1");
    json!({ "playerCaptionsTracklistRenderer": {
        "captionTracks": [{
            "baseUrl": base,
            "name": { "simpleText": "English (auto-generated)" },
            "vssId": "a.en",
            "languageCode": "en",
            "kind": "asr",
            "isTranslatable": true,
        }],
        "audioTracks": [{ "captionTrackIndices": [0] }],
        "translationLanguages": [],
        "defaultAudioTrackIndex": 0,
    } })
}

fn microformat(id: &str) -> Value {
    json!({
        "thumbnail": { "thumbnails": [picture(id, "maxresdefault", 1280, 720)] },
        "title": { "simpleText": "The harbour from above & \u{ab}beyond\u{bb} \u{1f342}" },
        "lengthSeconds": (SECONDS + 1).to_string(),
        "ownerProfileUrl": "http://www.youtube.com/@harbour.keeper",
        "externalChannelId": "UCharbourKeeper000000000",
        "isFamilySafe": true,
        "availableCountries": ["DE", "NO"],
        "isUnlisted": false,
        "hasYpcMetadata": false,
        "viewCount": "2213574",
        "likeCount": "139300",
        "category": "Travel & Events",
        "publishDate": "2026-10-06T00:30:08-07:00",
        "ownerChannelName": "Harbour Keeper",
        "uploadDate": "2026-10-06T00:30:08-07:00",
        "isShortsEligible": false,
        "externalVideoId": id,
    })
}

fn picture(id: &str, name: &str, width: u64, height: u64) -> Value {
    json!({ "url": format!("https://i.ytimg.com/vi/{id}/{name}.jpg"), "width": width, "height": height })
}

/// What stands beside the video.
fn next(id: &str, author: &str, channel: &str, likes: &str) -> Value {
    let owner = json!({ "videoOwnerRenderer": {
        "title": { "runs": [{ "text": author, "navigationEndpoint": {
            "browseEndpoint": { "browseId": channel },
        } }] },
        "subscriberCountText": { "simpleText": "12.3K subscribers" },
    } });
    let text = format!("like this video along with {likes} other people");
    let like = json!({ "buttonViewModel": { "accessibilityText": text } });
    let like = json!({ "toggleButtonViewModel": { "defaultButtonViewModel": like } });
    let like = json!({ "likeButtonViewModel": { "toggleButtonViewModel": like } });
    let like = json!({ "segmentedLikeDislikeButtonViewModel": { "likeButtonViewModel": like } });
    let actions = json!({ "menuRenderer": { "topLevelButtons": [like] } });
    json!({
        "contents": { "twoColumnWatchNextResults": { "results": { "results": { "contents": [
            { "videoPrimaryInfoRenderer": { "videoActions": actions } },
            { "videoSecondaryInfoRenderer": { "owner": owner } },
        ] } } } },
        "currentVideoEndpoint": { "watchEndpoint": { "videoId": id } },
    })
}
