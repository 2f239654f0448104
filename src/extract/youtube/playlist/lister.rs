//! Asking for the pages of a list, one after the other.

use std::collections::HashSet;

use serde_json::{Map, Value, json};
use tokio::time::{Instant, timeout_at};

use super::cursor::{Cursor, Place, is_visitor};
use super::entry::Line;
use super::header::{self, Header};
use super::page;
use crate::extract::youtube::hosts::Hosts;
use crate::extract::youtube::ids::{PlaylistId, PlaylistKind};
use crate::extract::youtube::innertube::{Asked, PageCall, Session};
use crate::extract::youtube::{SITE, VideoId, url};
use crate::extract::{Block, ExtractError, Part, Playlist, PlaylistEntry, Refusal, Unavailable};

/// Most entries that one request gives: about 2 MiB.
pub(in crate::extract::youtube) const MAX_LIMIT: usize = 5000;
/// Most pages that one request asks for. A full page has 100 lines, a page of a mix 25 that partly repeat.
const MAX_PAGES: usize = 250;
/// Where every list ends, however the site goes on.
const MAX_ENTRIES: u64 = 50_000;
/// `params` of a list with its unavailable videos.
const WITH_UNAVAILABLE: &str = "wgYCCAA=";
/// `params` of a mix.
const MIX: &str = "OAE%3D";

/// Lists one playlist.
pub(in crate::extract::youtube) struct Lister<'a> {
    pub(in crate::extract::youtube) session: Session<'a>,
    pub(in crate::extract::youtube) hosts: &'a Hosts,
    pub(in crate::extract::youtube) id: &'a PlaylistId,
    /// The video that a mix stands around at its beginning; without one it is asked for by its id alone.
    pub(in crate::extract::youtube) seed: Option<VideoId>,
    /// When what was read by then is given as it is.
    pub(in crate::extract::youtube) until: Instant,
}

/// The entries gathered so far.
struct Gathered {
    entries: Vec<PlaylistEntry>,
    header: Header,
    limit: usize,
    cursor: Cursor,
    is_end: bool,
}

impl Gathered {
    fn is_full(&self) -> bool {
        self.entries.len() >= self.limit
    }

    /// Takes the lines of a page that were not given before, up to the limit; says whether the page is used up.
    fn take(&mut self, lines: Vec<Line>) -> bool {
        let total = lines.len();
        let mut taken = self.cursor.skip.min(total);
        for line in lines.into_iter().skip(taken) {
            if self.is_full() {
                break;
            }
            taken += 1;
            self.cursor.given += 1;
            let index = line
                .index
                .filter(|index| *index > 0)
                .unwrap_or(self.cursor.given);
            self.entries.push(line.into_entry(index));
        }
        self.cursor.skip = taken;
        taken == total
    }

    /// Goes on at another page.
    fn go_to(&mut self, place: Place, visitor: Option<String>) {
        self.cursor.place = place;
        self.cursor.skip = 0;
        self.cursor.visitor = visitor;
    }

    fn end(&mut self) {
        self.is_end = true;
    }
}

impl Lister<'_> {
    /// Lists a part.
    ///
    /// # Errors
    /// `Unavailable` for a list that is missing, private or personal, `Refused` for one that has no page or for a text
    /// that is no cursor, and what the interface itself fails with.
    pub(in crate::extract::youtube) async fn list(
        &self,
        part: &Part,
    ) -> Result<Playlist, ExtractError> {
        let cursor = match part.cursor.as_deref() {
            Some(text) => Cursor::parse(text).ok_or(ExtractError::Refused(Refusal::BadCursor))?,
            None => Cursor::start(),
        };
        if self.id.kind() == PlaylistKind::Personal && !self.session.account.is_logged_in() {
            return Err(unavailable(Unavailable::LoginRequired, "a personal list"));
        }
        let mut gathered = Gathered {
            entries: Vec::new(),
            header: Header::default(),
            limit: part.limit.clamp(1, MAX_LIMIT),
            cursor,
            is_end: false,
        };
        let is_token = matches!(gathered.cursor.place, Place::Token(_));
        let asked = match self.id.kind() {
            PlaylistKind::Mix => self.gather_mix(&mut gathered).await,
            PlaylistKind::Plain | PlaylistKind::Personal | PlaylistKind::Album => {
                self.gather(&mut gathered).await
            }
        };
        match asked {
            Ok(()) => Ok(self.finish(gathered)),
            Err(error) => Err(self.meaning(error, is_token)),
        }
    }

    /// What an error means for a list, whose beginning it is about; `is_token`: it was asked for by a caller's token.
    fn meaning(&self, error: ExtractError, is_token: bool) -> ExtractError {
        let is_guest = !self.session.account.is_logged_in();
        match error {
            // It is the token that the site doesn't know (any more), not us.
            ExtractError::Rejected { code: 400, .. } if is_token => {
                ExtractError::Refused(Refusal::BadCursor)
            }
            // Mixes of an account's own taste are not there for guests, who are sent to the login or the home page.
            ExtractError::Blocked {
                block: Block::SentAway,
                ..
            } if is_guest && self.id.kind() == PlaylistKind::Mix => unavailable(
                Unavailable::LoginRequired,
                "a mix that guests are sent away from",
            ),
            error => error,
        }
    }

    /// One more piece of the list; `None` where what was read before is to be given as it is, because its time is over
    /// or the site fails now: the cursor goes on here.
    async fn further(
        &self,
        call: &PageCall,
        gathered: &Gathered,
    ) -> Result<Option<Asked<Value>>, ExtractError> {
        let visitor = gathered.cursor.visitor.as_deref();
        let asked = self.session.page(call, visitor);
        if gathered.entries.is_empty() {
            return asked.await.map(Some);
        }
        let so_far = gathered.entries.len();
        match timeout_at(self.until, asked).await {
            Ok(Ok(asked)) => Ok(Some(asked)),
            Ok(Err(error)) => {
                tracing::warn!(site = SITE, entries = so_far, err = %error, "list given in part");
                Ok(None)
            }
            Err(_) => {
                tracing::debug!(site = SITE, entries = so_far, "list given in part: no time");
                Ok(None)
            }
        }
    }

    /// Lists a part of an album: the site's page of it names the playlist that it stands for
    /// (yt-dlp `YoutubeTabIE`, "Resolve albums").
    ///
    /// # Errors
    /// As [`Lister::list`].
    pub(in crate::extract::youtube) async fn list_album(
        self,
        part: &Part,
    ) -> Result<Playlist, ExtractError> {
        let client = self.session.clients.albums.as_ref();
        let client = client.ok_or(ExtractError::Refused(Refusal::NotAPlaylist))?;
        let call = PageCall {
            endpoint: "browse",
            payload: object(json!({ "browseId": self.id.as_str() })),
        };
        let asked = self.session.page_as(client, &call, None).await?;
        if let Some(error) = header::alert(&asked.answer) {
            return Err(error);
        }
        let id = header::album_list(&asked.answer)
            .ok_or_else(|| unavailable(Unavailable::NotFound, "an album without a list"))?;
        let lister = Lister { id: &id, ..self };
        lister.list(part).await
    }

    /// The visitor id, where it is a guest's. The operator's own is a secret and known anyway.
    fn guest(&self, visitor: String) -> Option<String> {
        let is_own = self.session.fixed_visitor.is_some() || self.session.account.is_logged_in();
        Some(visitor).filter(|visitor| !is_own && is_visitor(visitor))
    }

    fn finish(&self, gathered: Gathered) -> Playlist {
        let goes_on = !gathered.is_end && gathered.cursor.given < MAX_ENTRIES;
        Playlist {
            site: SITE.to_owned(),
            id: self.id.as_str().to_owned(),
            url: url::playlist_page(self.id),
            title: gathered.header.title,
            author: gathered.header.author,
            entry_count: gathered.header.entry_count,
            entries: gathered.entries,
            next_cursor: goes_on.then(|| gathered.cursor.encode()).flatten(),
        }
    }

    /// Gathers the entries of a finite list.
    async fn gather(&self, gathered: &mut Gathered) -> Result<(), ExtractError> {
        let mut seen = HashSet::new();
        for _ in 0..MAX_PAGES {
            let call = PageCall {
                endpoint: "browse",
                payload: self.browse(&gathered.cursor.place),
            };
            let Some(asked) = self.further(&call, gathered).await? else {
                return Ok(());
            };
            match header::alert(&asked.answer) {
                Some(error) if gathered.entries.is_empty() => return Err(error),
                // The cursor leads to it.
                Some(_) => return Ok(()),
                None => {}
            }
            keep_header(gathered, header::read(&asked.answer));
            let page = page::read(&asked.answer, self.hosts);
            let is_empty = page.lines.is_empty();
            let is_used_up = gathered.take(page.lines);
            if !is_used_up {
                return Ok(());
            }
            // A repeated token is a loop; a page without lines that goes on is one too.
            let next = page
                .token
                .filter(|token| !is_empty && seen.insert(token.clone()));
            let Some(token) = next else {
                gathered.end();
                return Ok(());
            };
            gathered.go_to(Place::Token(token), self.guest(asked.visitor));
            if gathered.is_full() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The body of a request for a page.
    fn browse(&self, place: &Place) -> Map<String, Value> {
        let body = match place {
            Place::Token(token) => json!({ "continuation": token }),
            Place::First | Place::Mix { .. } => json!({
                "browseId": format!("VL{}", self.id.as_str()),
                "params": WITH_UNAVAILABLE,
            }),
        };
        object(body)
    }

    /// Gathers the entries of a mix: each answer stands around a video and repeats others. It goes on behind the last
    /// one given, not at a number of lines: the same answer is not the same twice.
    async fn gather_mix(&self, gathered: &mut Gathered) -> Result<(), ExtractError> {
        let mut seen: HashSet<VideoId> = HashSet::new();
        for _ in 0..MAX_PAGES {
            let payload = self.next(&gathered.cursor.place);
            let call = PageCall {
                endpoint: "next",
                payload,
            };
            let Some(asked) = self.further(&call, gathered).await? else {
                return Ok(());
            };
            keep_header(gathered, header::read_mix(&asked.answer));
            let mut lines = self.new_lines(&gathered.cursor.place, &asked.answer, &mut seen);
            lines.truncate(gathered.limit.saturating_sub(gathered.entries.len()));
            let Some(last) = lines.last() else {
                if gathered.entries.is_empty() && gathered.cursor.given == 0 {
                    return Err(unavailable(Unavailable::NotFound, "a mix without videos"));
                }
                gathered.end();
                return Ok(());
            };
            let place = Place::Mix {
                id: last.id.as_str().to_owned(),
                at: last.index.map_or(0, |index| index.saturating_sub(1)),
            };
            gathered.take(lines);
            gathered.go_to(place, self.guest(asked.visitor));
            if gathered.is_full() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The lines of a mix's answer that come after its place and were not there before.
    fn new_lines(&self, place: &Place, answer: &Value, seen: &mut HashSet<VideoId>) -> Vec<Line> {
        let mut lines = page::read_mix(answer, self.hosts);
        if let Place::Mix { id, .. } = place {
            let at = lines.iter().position(|line| line.id.as_str() == id);
            lines.drain(..at.map_or(0, |at| at + 1));
        }
        lines.retain(|line| seen.insert(line.id.clone()));
        lines
    }

    /// The body of a request for a part of a mix.
    fn next(&self, place: &Place) -> Map<String, Value> {
        let mut body = json!({ "playlistId": self.id.as_str(), "params": MIX });
        match place {
            Place::Mix { id, at } => {
                body["videoId"] = json!(id);
                body["playlistIndex"] = json!(at);
            }
            Place::First | Place::Token(_) => {
                if let Some(seed) = &self.seed {
                    body["videoId"] = json!(seed.as_str());
                }
            }
        }
        object(body)
    }
}

/// Keeps the first header that says something.
fn keep_header(gathered: &mut Gathered, header: Header) {
    if gathered.header.title.is_empty() {
        gathered.header = header;
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn unavailable(reason: Unavailable, message: &str) -> ExtractError {
    ExtractError::Unavailable {
        site: SITE,
        reason,
        message: message.to_owned(),
    }
}
