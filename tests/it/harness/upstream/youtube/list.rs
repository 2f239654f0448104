//! Playlists and mixes made up for tests, in both layouts of a playlist's page.

use serde_json::{Value, json};

use super::super::media::sha256_hex;

/// Entries of a page.
pub(crate) const PAGE: usize = 100;
/// Entries of an answer about a mix.
const MIX_PAGE: usize = 25;
/// Entries before the one asked for in an answer about a mix.
const MIX_BEFORE: usize = 2;

/// How entries are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// `playlistVideoRenderer`.
    Classic,
    /// `lockupViewModel`, seen since 2026-09.
    Lockup,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It can be played.
    Playable,
    /// `[Private video]`.
    Private,
    /// `[Deleted video]`.
    Deleted,
    /// For members of the channel.
    Members,
    /// On air.
    Live,
}

/// One entry.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Id of the video.
    pub(crate) id: String,
    /// Title.
    pub(crate) title: String,
    /// Seconds.
    pub(crate) seconds: u64,
    /// What it is.
    pub(crate) state: State,
}

/// A playlist.
#[derive(Debug, Clone)]
pub(crate) struct Playlist {
    /// Its id.
    pub(crate) id: String,
    /// Title.
    pub(crate) title: String,
    /// The entries in order.
    pub(crate) entries: Vec<Entry>,
    layout: Layout,
    alert: Option<&'static str>,
    /// The login that alone sees it.
    owner: Option<String>,
    /// Whether every page goes on with the same token.
    loops: bool,
    /// Numbers of no use on every page.
    noise: usize,
}

impl Playlist {
    /// A playlist of `count` videos that all can be played.
    pub(crate) fn new(id: &str, layout: Layout, count: usize) -> Self {
        let entry = |number: usize| Entry {
            id: format!("plVid{number:06}"),
            title: format!("Part {number} & more"),
            seconds: 60 + number as u64 % 4000,
            state: State::Playable,
        };
        Self {
            id: id.to_owned(),
            title: "Walks along the harbour".to_owned(),
            entries: (1..=count).map(entry).collect(),
            layout,
            alert: None,
            owner: None,
            loops: false,
            noise: 0,
        }
    }

    /// Goes on with the same token on every page, for ever.
    pub(crate) fn looping(mut self) -> Self {
        self.loops = true;
        self
    }

    /// Gives every entry a title of so many bytes.
    pub(crate) fn with_titles_of(mut self, bytes: usize) -> Self {
        for entry in &mut self.entries {
            entry.title = "t".repeat(bytes);
        }
        self
    }

    /// Puts so many numbers beside the entries of every page, each of two bytes.
    pub(crate) fn with_noise(mut self, numbers: usize) -> Self {
        self.noise = numbers;
        self
    }

    /// Changes what an entry is; `number` counts from 1.
    pub(crate) fn with_state(mut self, number: usize, state: State) -> Self {
        let entry = &mut self.entries[number - 1];
        entry.state = state;
        match state {
            State::Private => "[Private video]".clone_into(&mut entry.title),
            State::Deleted => "[Deleted video]".clone_into(&mut entry.title),
            State::Playable | State::Members | State::Live => {}
        }
        self
    }

    /// Shows an error with this text in its place.
    pub(crate) fn alerting(mut self, text: &'static str) -> Self {
        self.alert = Some(text);
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
            Some(owner) if login != Some(owner) => self.alerting("This playlist is private."),
            _ => self,
        }
    }

    /// The address that people share.
    pub(crate) fn url(&self) -> String {
        format!("https://www.youtube.com/playlist?list={}", self.id)
    }

    /// The token of the page after `page`.
    pub(super) fn token(&self, page: usize) -> Option<String> {
        if self.loops {
            return Some(token(&format!("{}/loop", self.id)));
        }
        let is_there = (page + 1) * PAGE < self.entries.len();
        is_there.then(|| token(&format!("{}/{}", self.id, page + 1)))
    }

    /// The token that leads to recommendations instead.
    pub(super) fn trap(&self) -> String {
        token(&format!("{}/trap", self.id))
    }

    /// The first page.
    pub(super) fn first_page(&self) -> Value {
        if let Some(text) = self.alert {
            return json!({
                "alerts": [{ "alertRenderer": { "type": "ERROR", "text": { "runs": [{ "text": text }] } } }],
                "microformat": { "microformatDataRenderer": { "noindex": true } },
            });
        }
        let items = self.items(0);
        let items = match self.layout {
            Layout::Classic => json!([{ "playlistVideoListRenderer": {
                "contents": items, "playlistId": self.id, "isEditable": false,
            } }]),
            Layout::Lockup => Value::Array(items),
        };
        let sections = json!([
            { "itemSectionRenderer": { "contents": items, "targetId": self.id } },
            continuation(&self.trap()),
        ]);
        json!({
            "contents": { "twoColumnBrowseResultsRenderer": { "tabs": [{ "tabRenderer": {
                "selected": true,
                "content": { "sectionListRenderer": { "contents": sections } },
                "tabIdentifier": "PL",
            } }] } },
            "header": { "pageHeaderRenderer": { "pageTitle": self.title, "content": header(&self.title, self.entries.len()) } },
            "metadata": { "playlistMetadataRenderer": { "title": self.title } },
            "microformat": { "microformatDataRenderer": {
                "urlCanonical": self.url(), "title": self.title, "noindex": false, "unlisted": false,
            } },
            "alerts": [{ "alertRenderer": {
                "type": "INFO", "text": { "simpleText": "Unavailable videos are hidden" },
            } }],
        })
    }

    /// The page behind a token; page 0 is the first one, which a lost visitor gets again and again.
    pub(super) fn further_page(&self, page: usize) -> Value {
        json!({ "onResponseReceivedActions": [{ "appendContinuationItemsAction": {
            "continuationItems": self.items(page), "targetId": self.id,
        } }], "frameworkUpdates": vec![0; self.noise] })
    }

    /// What the other token leads to.
    pub(super) fn recommendations(&self) -> Value {
        let entry = Entry {
            id: "trapTrapTr0".to_owned(),
            title: "Something else".to_owned(),
            seconds: 7,
            state: State::Playable,
        };
        json!({ "onResponseReceivedActions": [{ "appendContinuationItemsAction": {
            "continuationItems": [lockup(&entry, 0, &self.id)],
        } }] })
    }

    fn items(&self, page: usize) -> Vec<Value> {
        let start = page * PAGE;
        let entries = self.entries.iter().enumerate().skip(start).take(PAGE);
        let item = |(at, entry): (usize, &Entry)| match self.layout {
            Layout::Classic => renderer(entry, at, &self.id),
            Layout::Lockup => lockup(entry, at, &self.id),
        };
        let token = self.token(page);
        entries
            .map(item)
            .chain(token.as_deref().map(continuation))
            .collect()
    }
}

fn token(of: &str) -> String {
    format!("4qmFsg{}%3D%3D", &sha256_hex(of.as_bytes())[..48])
}

fn continuation(token: &str) -> Value {
    json!({ "continuationItemRenderer": {
        "trigger": "CONTINUATION_TRIGGER_ON_ITEM_SHOWN",
        "continuationEndpoint": { "continuationCommand": {
            "token": token, "request": "CONTINUATION_REQUEST_TYPE_BROWSE",
        } },
    } })
}

fn header(title: &str, count: usize) -> Value {
    let channel = json!({ "onTap": { "innertubeCommand": { "browseEndpoint": {
        "browseId": "UCharbourKeeper000000000", "canonicalBaseUrl": "/@harbour.keeper",
    } } } });
    json!({ "pageHeaderViewModel": {
        "title": { "dynamicTextViewModel": { "text": { "content": title } } },
        "metadata": { "contentMetadataViewModel": { "metadataRows": [
            { "metadataParts": [{ "avatarStack": { "avatarStackViewModel": { "text": {
                "content": "by Harbour Keeper", "commandRuns": [channel],
            } } } }] },
            { "metadataParts": [
                { "text": { "content": "Playlist" } },
                { "text": { "content": format!("{count} videos") } },
                { "text": { "content": "64,534 views" } },
            ] },
        ] } },
    } })
}

fn clock(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, minutes, seconds) => format!("{minutes}:{seconds:02}"),
        (hours, minutes, seconds) => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

fn is_hidden(entry: &Entry) -> bool {
    matches!(entry.state, State::Private | State::Deleted)
}

fn renderer(entry: &Entry, at: usize, list: &str) -> Value {
    let mut fields = json!({
        "videoId": entry.id,
        "thumbnail": { "thumbnails": [picture(&entry.id)] },
        "title": { "runs": [{ "text": entry.title }] },
        "index": { "simpleText": (at + 1).to_string() },
        "navigationEndpoint": { "watchEndpoint": { "videoId": entry.id, "playlistId": list, "index": at } },
        "isPlayable": !is_hidden(entry),
    });
    if !is_hidden(entry) {
        fields["shortBylineText"] = byline();
    }
    match entry.state {
        State::Private | State::Deleted => {}
        State::Live => {
            fields["thumbnailOverlays"] =
                json!([{ "thumbnailOverlayTimeStatusRenderer": { "style": "LIVE" } }]);
        }
        State::Playable | State::Members => {
            fields["lengthSeconds"] = json!(entry.seconds.to_string());
            fields["lengthText"] = json!({ "simpleText": clock(entry.seconds) });
        }
    }
    if entry.state == State::Members {
        fields["badges"] = json!([{ "metadataBadgeRenderer": {
            "style": "BADGE_STYLE_TYPE_MEMBERS_ONLY", "label": "Members only",
        } }]);
    }
    json!({ "playlistVideoRenderer": fields })
}

fn byline() -> Value {
    json!({ "runs": [{ "text": "Harbour Keeper", "navigationEndpoint": { "browseEndpoint": {
        "browseId": "UCharbourKeeper000000000", "canonicalBaseUrl": "/@harbour.keeper",
    } } }] })
}

fn picture(id: &str) -> Value {
    json!({ "url": format!("https://i.ytimg.com/vi/{id}/hqdefault.jpg"), "width": 336, "height": 188 })
}

fn lockup(entry: &Entry, at: usize, list: &str) -> Value {
    let badge = match entry.state {
        State::Live => json!([{ "thumbnailBadgeViewModel": {
            "text": "LIVE", "badgeStyle": "THUMBNAIL_OVERLAY_BADGE_STYLE_LIVE",
        } }]),
        _ if is_hidden(entry) => json!([]),
        _ => json!([{ "thumbnailBadgeViewModel": {
            "text": clock(entry.seconds), "badgeStyle": "THUMBNAIL_OVERLAY_BADGE_STYLE_DEFAULT",
        } }]),
    };
    let mut rows = Vec::new();
    if !is_hidden(entry) {
        rows.push(json!({ "metadataParts": [{ "text": {
            "content": "Harbour Keeper",
            "commandRuns": [{ "onTap": { "innertubeCommand": { "browseEndpoint": {
                "browseId": "UCharbourKeeper000000000", "canonicalBaseUrl": "/@harbour.keeper",
            } } } }],
        } }] }));
    }
    if entry.state == State::Members {
        rows.push(json!({ "badges": [{ "badgeViewModel": {
            "badgeText": "Members only", "badgeStyle": "BADGE_MEMBERS_ONLY",
        } }] }));
    }
    json!({ "lockupViewModel": {
        "contentId": entry.id,
        "contentType": "LOCKUP_CONTENT_TYPE_VIDEO",
        "contentImage": { "thumbnailViewModel": {
            "image": { "sources": [picture(&entry.id)] },
            "overlays": [{ "thumbnailBottomOverlayViewModel": { "badges": badge } }],
        } },
        "metadata": { "lockupMetadataViewModel": {
            "title": { "content": entry.title },
            "metadata": { "contentMetadataViewModel": { "metadataRows": rows } },
        } },
        "rendererContext": { "commandContext": { "onTap": { "innertubeCommand": { "watchEndpoint": {
            "videoId": entry.id, "playlistId": list, "index": at,
        } } } } },
    } })
}

/// A mix: endless, and each answer stands around the video that it was asked for with.
#[derive(Debug, Clone)]
pub(crate) struct Mix {
    seed: String,
}

impl Mix {
    /// The mix that begins with a video.
    pub(crate) fn new(seed: &str) -> Self {
        Self {
            seed: seed.to_owned(),
        }
    }

    /// Its id.
    pub(crate) fn id(&self) -> String {
        format!("RD{}", self.seed)
    }

    /// The address that people share.
    pub(crate) fn url(&self) -> String {
        format!(
            "https://www.youtube.com/watch?v={}&list={}",
            self.seed,
            self.id()
        )
    }

    /// Id of the video at a place, counted from 0.
    pub(crate) fn video_id(&self, at: usize) -> String {
        match at {
            0 => self.seed.clone(),
            at => format!("mxVid{at:06}"),
        }
    }

    /// The answer that stands around a video; `None` when it isn't in the mix.
    pub(super) fn around(&self, video: &str) -> Option<Value> {
        let at = match video.strip_prefix("mxVid") {
            _ if video == self.seed => 0,
            Some(number) => number.parse().ok()?,
            None => return None,
        };
        let start = usize::saturating_sub(at, MIX_BEFORE);
        let items: Vec<Value> = (start..start + MIX_PAGE)
            .map(|at| self.item(at, video))
            .collect();
        Some(json!({
            "title": "Mix \u{2013} The harbour",
            "contents": items,
            "currentIndex": at - start,
            "playlistId": self.id(),
            "ownerName": { "simpleText": "YouTube" },
            "isInfinite": true,
        }))
    }

    fn item(&self, at: usize, current: &str) -> Value {
        let id = self.video_id(at);
        let seconds = 100 + at as u64;
        json!({ "playlistPanelVideoRenderer": {
            "title": { "simpleText": format!("Track {at}") },
            "thumbnail": { "thumbnails": [picture(&id)] },
            "lengthText": { "simpleText": clock(seconds) },
            "indexText": { "simpleText": (at + 1).to_string() },
            "selected": id == current,
            "navigationEndpoint": { "watchEndpoint": {
                "videoId": id, "playlistId": self.id(), "index": at, "params": "OAE%3D",
            } },
            "videoId": id,
            "shortBylineText": byline(),
            "longBylineText": byline(),
        } })
    }
}
