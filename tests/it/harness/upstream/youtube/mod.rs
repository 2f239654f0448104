//! YouTube as seen from outside: the interface of its apps, the pages that lead there, the player script, and the hosts
//! of media with their demands.
//!
//! Strict: a request that no client in order would send fails the test.

mod client;
mod files;
mod grant;
mod interface;
mod large;
mod list;
mod live;
mod pages;
mod provider;
mod recorded;
mod refusal;
mod script;
mod track;
mod video;

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::answer::Answer;
use super::cdn::Cdn;
use super::media::{Media, sha256_hex};
use super::page::Page;
use super::world::World;
use grant::{Grant, Surroundings};

pub(crate) use files::{
    joinable_tracks, joinable_tracks_without_tail, joinable_webm_tracks, mp4_track,
};
pub(crate) use grant::LONGEST_READ;
pub(crate) use large::large_tracks;
pub(crate) use list::{Layout, Mix, PAGE, Playlist, State};
pub(crate) use live::{LARGE_SEGMENTS, Reel, Show};
pub(crate) use provider::{ProviderFault, TokenProvider};
pub(crate) use recorded::{recordings, refusals};
pub(crate) use refusal::Refusal;
pub(crate) use script::Script;
pub(crate) use track::Track;
pub(crate) use video::Video;

/// Host of the pages and of the interface for pages.
pub(crate) const WWW: &str = "www.youtube.com";
/// Host of the interface for music.
pub(crate) const MUSIC: &str = "music.youtube.com";
/// Part of how addresses are signed, `sig` and `lsig`; and as it is before the player script has turned it round.
pub(crate) const SIGNATURES: [&str; 2] = ["c4naryOfSigning", "gningiSfOyran4c"];
/// What visitor ids are of.
pub(crate) const VISITOR: &str = "visitor of the tests ";
/// The account behind every login, as pages name it.
const ACCOUNT: &str = "104837264510";
/// Host of the interface for apps.
pub(crate) const API: &str = "youtubei.googleapis.com";

/// The simulated site. Clones are the same site.
#[derive(Debug, Clone)]
pub(crate) struct YouTube(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    world: World,
    script: Script,
    site: Mutex<Site>,
}

/// What the site has and what it has handed out.
#[derive(Debug)]
struct Site {
    videos: HashMap<String, Video>,
    lists: HashMap<String, Playlist>,
    mixes: HashMap<String, Mix>,
    /// Video -> what is on air there.
    shows: HashMap<String, Show>,
    /// Album -> the list that it stands for.
    albums: HashMap<String, String>,
    visitors: HashSet<String>,
    /// Flags of embedding pages.
    flags: HashSet<String>,
    /// Whether WEB plays everything to those who have a token.
    lets_web_play: bool,
    /// Visitors taken for robots.
    suspects: HashSet<String>,
    /// Token -> visitor ids that it was handed out with.
    tokens: HashMap<String, HashSet<String>>,
    grants: Vec<Grant>,
    around: Surroundings,
    /// Number of answers so far, which names them.
    answers: u64,
}

impl YouTube {
    /// A site without videos, in this world.
    pub(crate) fn open(world: &World) -> Self {
        let site = Site {
            videos: HashMap::new(),
            lists: HashMap::new(),
            mixes: HashMap::new(),
            shows: HashMap::new(),
            albums: HashMap::new(),
            visitors: HashSet::new(),
            flags: HashSet::new(),
            lets_web_play: false,
            suspects: HashSet::new(),
            tokens: HashMap::new(),
            grants: Vec::new(),
            around: Surroundings {
                visitor_address: "2001:db8::1".to_owned(),
                lifetime: 21_540,
                moves: false,
                refuses_plain_n: false,
                serves_once: false,
            },
            answers: 0,
        };
        let youtube = Self(Arc::new(Shared {
            world: world.clone(),
            script: Script::new("0a1b2c3d", 20_412, 11),
            site: Mutex::new(site),
        }));
        interface::serve(&youtube);
        pages::serve(&youtube);
        let media = youtube.clone();
        world.cdn(Cdn::new(".googlevideo.com", move |request| {
            let site = &mut *media.site();
            live::rule(request, &mut site.shows)
                .unwrap_or_else(|| grant::rule(request, &mut site.grants, &site.around))
        }));
        youtube
    }

    fn site(&self) -> MutexGuard<'_, Site> {
        self.0.site.lock().expect("the simulated site")
    }

    fn world(&self) -> &World {
        &self.0.world
    }

    /// The player script.
    pub(crate) fn script(&self) -> &Script {
        &self.0.script
    }

    /// Puts a video into the site, and its pictures.
    pub(crate) fn video(&self, video: Video) {
        for address in picture_addresses(&video) {
            self.world()
                .media(&address, Media::random(7, 40_009, "image/jpeg"));
        }
        self.site().videos.insert(video.id(), video);
    }

    /// Puts a video on air.
    pub(crate) fn air(&self, id: &str, show: Show) {
        self.video(Video::new(id).live());
        self.site().shows.insert(id.to_owned(), show);
    }

    /// Looks at what is on air, or changes it.
    pub(crate) fn on_air<T>(&self, id: &str, change: impl FnOnce(&mut Show) -> T) -> T {
        change(self.site().shows.get_mut(id).expect("a show"))
    }

    /// Puts a playlist into the site; its videos are not.
    pub(crate) fn playlist(&self, list: Playlist) {
        self.site().lists.insert(list.id.clone(), list);
    }

    /// Puts an album into the site, which stands for a list.
    pub(crate) fn album(&self, id: &str, list: &str) {
        self.site().albums.insert(id.to_owned(), list.to_owned());
    }

    /// Lets WEB play everything, media only to those who have a token for the visitor.
    pub(crate) fn let_web_play(&self) {
        self.site().lets_web_play = true;
    }

    /// A visitor id that the site gives out, as to a browser.
    pub(crate) fn give_visitor(&self) -> String {
        self.site().new_visitor()
    }

    /// Replaces the player script, under the same name.
    pub(crate) fn replace_script(&self, text: String) {
        let path = self.script().path();
        self.world().page(Page::new(
            WWW,
            &path,
            vec![Answer::new(200, "text/javascript", text)],
        ));
    }

    /// Puts a mix into the site; its videos are not.
    pub(crate) fn mix(&self, mix: Mix) {
        self.site().mixes.insert(mix.id(), mix);
    }

    /// Ends every address that was handed out so far.
    pub(crate) fn revoke(&self) {
        self.revoke_within(0..u64::MAX);
    }

    /// Ends every address that was handed out so far for reads that begin in `bytes`, as if they came too late.
    pub(crate) fn revoke_within(&self, bytes: Range<u64>) {
        let mut site = self.site();
        let grants = site.grants.iter_mut();
        grants.for_each(|grant| grant.end_within(bytes.clone()));
    }

    /// Lets new addresses live for so many seconds.
    pub(crate) fn set_lifetime(&self, seconds: i64) {
        self.site().around.lifetime = seconds;
    }

    /// Sees the visitor under another address from now on.
    pub(crate) fn see_visitor_at(&self, address: &str) {
        address.clone_into(&mut self.site().around.visitor_address);
    }

    /// Sends requests for media on to another host.
    pub(crate) fn move_media(&self) {
        self.site().around.moves = true;
    }

    /// Refuses addresses whose `n` was not transformed, in place of a crawl.
    pub(crate) fn refuse_plain_n(&self) {
        self.site().around.refuses_plain_n = true;
    }

    /// Lets every address be good for one read alone.
    pub(crate) fn serve_once(&self) {
        self.site().around.serves_once = true;
    }

    /// Takes every visitor so far for a robot.
    pub(crate) fn suspect_visitors(&self) {
        let mut site = self.site();
        let visitors = site.visitors.clone();
        site.suspects.extend(visitors);
    }
}

impl Site {
    /// A visitor id that nobody has yet.
    fn new_visitor(&mut self) -> String {
        let number = self.visitors.len();
        let visitor = format!(
            "Cgt{}%3D%3D",
            URL_SAFE_NO_PAD.encode(format!("{VISITOR}{number:06}"))
        );
        self.visitors.insert(visitor.clone());
        visitor
    }

    /// Flags for the visitor of a page around a player.
    fn new_flags(&mut self, visitor: &str) -> String {
        let flags = flags_for(visitor);
        self.flags.insert(flags.clone());
        flags
    }

    /// A name for an answer.
    fn new_event(&mut self) -> String {
        self.answers += 1;
        URL_SAFE_NO_PAD.encode(format!("answer {:09}", self.answers))
    }
}

/// The flags that the visitor of a page around a player gets.
pub(crate) fn flags_for(visitor: &str) -> String {
    format!("AD5ZzF{}", &sha256_hex(visitor.as_bytes())[..40])
}

/// Addresses of a video's still pictures.
fn picture_addresses(video: &Video) -> Vec<String> {
    let json = video.json();
    let lists = [
        "/videoDetails/thumbnail/thumbnails",
        "/microformat/playerMicroformatRenderer/thumbnail/thumbnails",
    ];
    lists
        .iter()
        .filter_map(|pointer| json.pointer(pointer)?.as_array())
        .flatten()
        .filter_map(|picture| picture["url"].as_str().map(str::to_owned))
        .collect()
}
