//! What is on air: playlists that move on, and their segments, at addresses that one answer gave out.
//!
//! Time here is the reading of playlists: each moves the window on by so many segments, so that no test waits for a
//! clock.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aes::Aes128;
use bytes::Bytes;
use cbc::Encryptor;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeEncrypt as _, KeyIvInit as _};

use super::super::cdn::{Ruling, Served};
use super::super::media::{Media, Payload};
use super::super::wire::Request;

/// Host of playlists.
const MANIFESTS: &str = "manifest.googlevideo.com";
/// Host of segments.
const SEGMENTS: &str = "rr1---sn-live.googlevideo.com";
/// Host of those of the large variant.
pub(crate) const LARGE_SEGMENTS: &str = "rr2---sn-live.googlevideo.com";
/// The variant with both tracks, and a larger one.
const BOTH: u32 = 93;
const LARGE: u32 = 95;
/// The variant with the picture, and its sound.
const PICTURE: u32 = 230;
const SOUND: u32 = 234;
const PLAYLIST: &str = "application/vnd.apple.mpegurl";

/// Segments of one variant.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reel {
    /// What stands before them.
    pub(crate) init: Option<Bytes>,
    /// In order; two seconds each.
    pub(crate) segments: Vec<Bytes>,
}

/// What is on air.
#[derive(Debug, Clone)]
pub(crate) struct Show {
    reels: BTreeMap<u32, Reel>,
    /// Segments whose times begin anew.
    breaks: BTreeSet<usize>,
    /// Segments in a playlist, at most.
    window: usize,
    /// Segments that there are so far.
    shown: usize,
    /// How many more there are after each reading.
    step: usize,
    /// Whether it says when it is over.
    ends: bool,
    /// Texts in place of the list of variants and of that of segments.
    master: Option<String>,
    media: Option<String>,
    /// Where segments have moved.
    moved: Option<String>,
    /// Where its list of variants is said to lie.
    named: Option<String>,
    /// Where the sound is counted from, and milliseconds by which its segments begin later; dates tell it.
    sound: Option<(usize, usize)>,
    /// What segments are encrypted under: what lies at the address of the key, one after the other; the last one stays.
    keys: Vec<[u8; 16]>,
    /// Whether a page lies where the list of segments of the sound should.
    is_mute: bool,
    /// Bytes by which its list of segments becomes longer with each reading, and by which it is longer by now.
    growth: (usize, usize),
    /// Answers whose addresses are good.
    events: BTreeSet<String>,
}

impl Show {
    /// A show of one variant with both tracks: three segments at first, and one more with each reading.
    pub(crate) fn new(reel: Reel) -> Self {
        Self::of([(BOTH, reel)])
    }

    /// A show whose picture and sound come apart.
    pub(crate) fn split(picture: Reel, sound: Reel) -> Self {
        Self::of([(PICTURE, picture), (SOUND, sound)])
    }

    /// A show in 720 lines, and in 360.
    pub(crate) fn in_two_sizes(reel: &Reel) -> Self {
        Self::of([(LARGE, reel.clone()), (BOTH, reel.clone())])
    }

    /// Counts the segments of the sound from another number on than those of the picture, and lets each begin so many
    /// milliseconds later than the picture's of its place. All are dated.
    pub(crate) fn with_sound_from(mut self, number: usize, later_ms: usize) -> Self {
        self.sound = Some((number, later_ms));
        self
    }

    /// Encrypts all segments, each with its number as the initialisation vector.
    pub(crate) fn encrypted(self, key: [u8; 16]) -> Self {
        self.rekeyed_at(usize::MAX, [key; 2])
    }

    /// Encrypts those from a segment on under another key, which lies at the same address once the first was read.
    pub(crate) fn rekeyed_at(mut self, place: usize, keys: [[u8; 16]; 2]) -> Self {
        self.keys = keys.to_vec();
        for reel in self.reels.values_mut() {
            for (number, segment) in reel.segments.iter_mut().enumerate() {
                *segment = sealed(segment, keys[usize::from(number >= place)], number as u128);
            }
        }
        self
    }

    /// Makes its list of segments longer by so many bytes with each reading.
    pub(crate) fn growing_by(mut self, bytes: usize) -> Self {
        self.growth = (bytes, 0);
        self
    }

    /// A show whose list of segments is this text.
    pub(crate) fn listing(text: impl Into<String>) -> Self {
        let mut show = Self::new(Reel::default());
        show.media = Some(text.into());
        show
    }

    /// A show whose list of variants is this text.
    pub(crate) fn offering(text: impl Into<String>) -> Self {
        let mut show = Self::new(Reel::default());
        show.master = Some(text.into());
        show
    }

    fn of(reels: impl IntoIterator<Item = (u32, Reel)>) -> Self {
        Self {
            reels: reels.into_iter().collect(),
            breaks: BTreeSet::new(),
            window: 8,
            shown: 3,
            step: 1,
            ends: true,
            master: None,
            media: None,
            moved: None,
            named: None,
            sound: None,
            keys: Vec::new(),
            is_mute: false,
            growth: (0, 0),
            events: BTreeSet::new(),
        }
    }

    /// Lets times begin anew with this segment.
    pub(crate) fn breaking_at(mut self, segment: usize) -> Self {
        self.breaks.insert(segment);
        self
    }

    /// Says nothing when it is over.
    pub(crate) fn endless(mut self) -> Self {
        self.ends = false;
        self
    }

    /// Sends requests for segments on to this address.
    pub(crate) fn moved_to(mut self, address: &str) -> Self {
        self.moved = Some(address.to_owned());
        self
    }

    /// Says that its list of variants lies at this address.
    pub(crate) fn lying_at(mut self, address: &str) -> Self {
        self.named = Some(address.to_owned());
        self
    }

    /// Puts a page where the list of segments of the sound should lie, or takes it away.
    pub(crate) fn mute(&mut self, is_mute: bool) {
        self.is_mute = is_mute;
    }

    /// Brings nothing more until it goes on.
    pub(crate) fn pause(&mut self) {
        self.step = 0;
    }

    /// Goes on after a pause.
    pub(crate) fn go_on(&mut self) {
        self.step = 1;
    }

    /// Segments that there are so far.
    pub(crate) fn shown(&self) -> usize {
        self.shown
    }

    /// Ends every address that was given out.
    pub(crate) fn revoke(&mut self) {
        self.events.clear();
    }

    /// The address of its list of variants for a new answer; clients that get single tracks are told of those.
    pub(super) fn hand_out(
        &mut self,
        video: &str,
        event: &str,
        gets_tracks: bool,
    ) -> Option<String> {
        let is_split = self.reels.contains_key(&PICTURE);
        if is_split && !gets_tracks {
            return None;
        }
        self.events.insert(event.to_owned());
        if self.named.is_some() {
            return self.named.clone();
        }
        let kind = if is_split { "/demuxed/1" } else { "" };
        Some(format!(
            "https://{MANIFESTS}/api/manifest/hls_variant/id/{video}.1/ei/{event}{kind}/file/index.m3u8"
        ))
    }

    fn answer(&mut self, asked: &Asked<'_>) -> Ruling {
        if !self.events.contains(asked.event) {
            return Ruling::Refuse("the address was revoked".to_owned());
        }
        let text = match asked.kind {
            "hls_variant" => self.master(asked),
            "hls_playlist" if self.is_mute && asked.itag == Some(SOUND) => {
                return serve("<html>later</html>".into(), "text/html");
            }
            "hls_playlist" => {
                let text = self.playlist(asked);
                if asked.itag != Some(SOUND) {
                    self.shown = (self.shown + self.step).min(self.length());
                    self.growth.1 += self.growth.0;
                }
                text
            }
            _ => return self.segment(asked),
        };
        serve(text.into(), PLAYLIST)
    }

    fn length(&self) -> usize {
        self.reels
            .values()
            .map(|reel| reel.segments.len())
            .min()
            .unwrap_or(0)
    }

    fn master(&self, asked: &Asked<'_>) -> String {
        if let Some(text) = &self.master {
            return text.clone();
        }
        let Asked { video, event, .. } = asked;
        let address = |itag: u32| {
            format!(
                "https://{MANIFESTS}/api/manifest/hls_playlist/id/{video}/ei/{event}/itag/{itag}/playlist/index.m3u8"
            )
        };
        let head = "#EXTM3U\n#EXT-X-INDEPENDENT-SEGMENTS\n";
        let variants = if self.reels.contains_key(&BOTH) {
            let large = format!(
                "#EXT-X-STREAM-INF:BANDWIDTH=2593500,CODECS=\"mp4a.40.2,avc1.4d401f\",RESOLUTION=1280x720,FRAME-RATE=30\n{}\n",
                address(LARGE)
            );
            let large = Some(large).filter(|_| self.reels.contains_key(&LARGE));
            large.unwrap_or_default()
                + &format!(
                    "#EXT-X-STREAM-INF:BANDWIDTH=829500,CODECS=\"mp4a.40.2,avc1.4d401e\",RESOLUTION=640x360,FRAME-RATE=30,\
                 VIDEO-RANGE=SDR,CLOSED-CAPTIONS=NONE\n{}\n",
                    address(BOTH)
                )
        } else {
            format!(
                "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"{SOUND}\",NAME=\"Default\",DEFAULT=YES,AUTOSELECT=YES,URI=\"{}\"\n\
                 #EXT-X-STREAM-INF:BANDWIDTH=829500,CODECS=\"avc1.4d401e,mp4a.40.2\",RESOLUTION=640x360,FRAME-RATE=30,\
                 AUDIO=\"{SOUND}\"\n{}\n",
                address(SOUND),
                address(PICTURE)
            )
        };
        format!("{head}{variants}")
    }

    fn playlist(&self, asked: &Asked<'_>) -> String {
        if let Some(text) = &self.media {
            return text.clone();
        }
        let Asked { video, event, .. } = asked;
        let itag = asked.itag.unwrap_or(BOTH);
        let first = self.shown.saturating_sub(self.window);
        let (counted_from, later_ms) = self.sound.filter(|_| itag == SOUND).unwrap_or_default();
        let mut text = vec![format!(
            "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:{}\n",
            counted_from + first
        )];
        if self.sound.is_some() {
            let (seconds, ms) = (2 * first + later_ms / 1000, later_ms % 1000);
            text.push(format!(
                "#EXT-X-PROGRAM-DATE-TIME:2026-11-20T{:02}:{:02}:{:02}.{ms:03}+00:00\n",
                10 + seconds / 3600,
                seconds / 60 % 60,
                seconds % 60
            ));
        }
        let host = if itag == LARGE {
            LARGE_SEGMENTS
        } else {
            SEGMENTS
        };
        let base = format!("https://{host}/videoplayback/id/{video}/ei/{event}/itag/{itag}");
        if !self.keys.is_empty() {
            text.push(format!(
                "#EXT-X-KEY:METHOD=AES-128,URI=\"{base}/sq/key/file/key\"\n"
            ));
        }
        if self
            .reels
            .get(&itag)
            .is_some_and(|reel| reel.init.is_some())
        {
            text.push(format!("#EXT-X-MAP:URI=\"{base}/sq/init/file/seg.mp4\"\n"));
        }
        for number in first..self.shown {
            if self.breaks.contains(&number) {
                text.push("#EXT-X-DISCONTINUITY\n".to_owned());
            }
            text.push(format!("#EXTINF:2.0,\n{base}/sq/{number}/file/seg.ts\n"));
        }
        let kibibyte = format!("#{}\n", "x".repeat(1022));
        text.push(kibibyte.repeat(self.growth.1 / kibibyte.len()));
        if self.ends && self.shown == self.length() {
            text.push("#EXT-X-ENDLIST\n".to_owned());
        }
        text.concat()
    }

    fn segment(&mut self, asked: &Asked<'_>) -> Ruling {
        if let Some(to) = &self.moved {
            return Ruling::Move(to.clone());
        }
        let reel = asked.itag.and_then(|itag| self.reels.get(&itag));
        let found = match (reel, asked.segment) {
            (Some(_), "key") => {
                let key = self.keys.first().copied();
                if self.keys.len() > 1 {
                    self.keys.remove(0);
                }
                key.map(|key| Bytes::copy_from_slice(&key))
            }
            (Some(reel), "init") => reel.init.clone(),
            (Some(reel), number) => number
                .parse()
                .ok()
                .filter(|number: &usize| *number < self.shown)
                .and_then(|number| reel.segments.get(number).cloned()),
            (None, _) => None,
        };
        match found {
            Some(bytes) => serve(bytes, "video/mp2t"),
            None => Ruling::Wrong("a segment that no playlist named".to_owned()),
        }
    }
}

fn sealed(segment: &Bytes, key: [u8; 16], number: u128) -> Bytes {
    let mut buffer = segment.to_vec();
    buffer.resize(segment.len() + 16, 0);
    let cipher = Encryptor::<Aes128>::new(&key.into(), &number.to_be_bytes().into());
    let sealed = cipher.encrypt_padded::<Pkcs7>(&mut buffer, segment.len());
    Bytes::copy_from_slice(sealed.expect("room for the padding"))
}

fn serve(bytes: Bytes, content_type: &str) -> Ruling {
    Ruling::Serve(Served {
        media: Media::of(Payload::Bytes(bytes), content_type),
        part: None,
        crawl: None,
    })
}

/// What an address names.
struct Asked<'a> {
    kind: &'a str,
    video: &'a str,
    event: &'a str,
    itag: Option<u32>,
    segment: &'a str,
}

impl<'a> Asked<'a> {
    fn read(request: &'a Request) -> Option<Self> {
        let path = request.path();
        let (kind, rest) = match &*request.host {
            MANIFESTS => path.strip_prefix("/api/manifest/")?.split_once('/')?,
            SEGMENTS | LARGE_SEGMENTS => ("segment", path.strip_prefix("/videoplayback/")?),
            _ => return None,
        };
        let words: Vec<&str> = rest.split('/').collect();
        let pairs: HashMap<&str, &str> = words
            .chunks_exact(2)
            .map(|pair| (pair[0], pair[1]))
            .collect();
        Some(Self {
            kind,
            video: pairs.get("id")?,
            event: pairs.get("ei")?,
            itag: pairs.get("itag").and_then(|itag| itag.parse().ok()),
            segment: pairs.get("sq").copied().unwrap_or_default(),
        })
    }
}

/// What a request for something that is on air gets; `None` when it is for something else.
pub(super) fn rule(request: &Request, shows: &mut HashMap<String, Show>) -> Option<Ruling> {
    let asked = Asked::read(request)?;
    let id = asked.video.strip_suffix(".1")?;
    if request.header("cookie").is_some() || request.method != "GET" {
        return Some(Ruling::Wrong("no request for media".to_owned()));
    }
    let show = shows.get_mut(id)?;
    Some(show.answer(&asked))
}
