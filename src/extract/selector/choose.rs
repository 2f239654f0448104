//! From a tree and formats to a choice.

use super::parse::{Node, NodeKind, Ranked, Wanted};
use super::{Candidate, Selection, Value};

/// File types that name a format with sound.
const AUDIO_TYPES: &[&str] = &["m4a", "mp3", "aac", "ogg", "opus", "wav", "flac"];
/// File types that name a format with picture and sound.
const VIDEO_TYPES: &[&str] = &["mp4", "webm", "mov", "mkv", "flv", "avi", "3gp"];

/// What is known of all formats before any filter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stock {
    /// Some format carries picture and sound.
    has_combined: bool,
    /// All carry a picture alone, or all carry sound alone: then `best` takes what there is.
    is_one_sided: bool,
}

impl Stock {
    pub(super) fn new<C: Candidate>(all: &[&C]) -> Self {
        let is_only_video = |c: &&C| c.has_video() && !c.has_audio();
        let is_only_audio = |c: &&C| c.has_audio() && !c.has_video();
        Self {
            has_combined: all.iter().any(|c| c.has_video() && c.has_audio()),
            is_one_sided: all.iter().all(is_only_video) || all.iter().all(is_only_audio),
        }
    }
}

/// Chooses among `formats`, which stand best first.
pub(super) fn choose<'a, C: Candidate>(
    node: &Node,
    stock: Stock,
    formats: &[&'a C],
) -> Option<Selection<'a, C>> {
    if node.filters.is_empty() {
        return choose_kind(&node.kind, stock, formats);
    }
    let left: Vec<&C> = formats
        .iter()
        .copied()
        .filter(|format| node.filters.iter().all(|filter| filter.passes(*format)))
        .collect();
    choose_kind(&node.kind, stock, &left)
}

fn choose_kind<'a, C: Candidate>(
    kind: &NodeKind,
    stock: Stock,
    formats: &[&'a C],
) -> Option<Selection<'a, C>> {
    match kind {
        NodeKind::FirstOf(parts) => parts.iter().find_map(|part| choose(part, stock, formats)),
        NodeKind::Joined(parts) => join(parts, stock, formats),
        NodeKind::Ranked(ranked) => choose_ranked(*ranked, stock, formats).map(Selection::Single),
        NodeKind::Named(name) => choose_named(name, stock, formats).map(Selection::Single),
    }
}

/// Joins what the parts give, at most one picture and one sound track: what comes later is left out. The picture stands
/// first, in whichever order they were asked for: so pairs are named.
fn join<'a, C: Candidate>(
    parts: &[Node],
    stock: Stock,
    formats: &[&'a C],
) -> Option<Selection<'a, C>> {
    let mut taken: Vec<&C> = Vec::with_capacity(2);
    let (mut has_video, mut has_audio) = (false, false);
    for part in parts {
        let (first, second) = match choose(part, stock, formats)? {
            Selection::Single(only) => (only, None),
            Selection::Pair(first, second) => (first, Some(second)),
        };
        for format in std::iter::once(first).chain(second) {
            let is_new = !(format.has_video() && has_video || format.has_audio() && has_audio);
            has_video |= format.has_video();
            has_audio |= format.has_audio();
            if is_new {
                taken.push(format);
            }
        }
    }
    match taken[..] {
        [only] => Some(Selection::Single(only)),
        [first, second] if first.has_video() => Some(Selection::Pair(first, second)),
        [first, second] => Some(Selection::Pair(second, first)),
        _ => None,
    }
}

fn choose_ranked<'a, C: Candidate>(
    ranked: Ranked,
    stock: Stock,
    formats: &[&'a C],
) -> Option<&'a C> {
    let fits = |c: &&&'a C| match (ranked.tracks, ranked.is_loose) {
        (Wanted::Both, false) => c.has_video() && c.has_audio(),
        (Wanted::Both, true) => c.has_video() || c.has_audio(),
        (Wanted::Video, false) => c.has_video() && !c.has_audio(),
        (Wanted::Video, true) => c.has_video(),
        (Wanted::Audio, false) => c.has_audio() && !c.has_video(),
        (Wanted::Audio, true) => c.has_audio(),
    };
    let mut matches: Vec<&C> = formats.iter().filter(fits).copied().collect();
    let may_take_any = ranked.tracks == Wanted::Both && !ranked.is_loose && stock.is_one_sided;
    if matches.is_empty() && may_take_any {
        matches = formats.to_vec();
    }
    if !ranked.is_best {
        matches.reverse();
    }
    matches.get(ranked.place).copied()
}

fn choose_named<'a, C: Candidate>(name: &str, stock: Stock, formats: &[&'a C]) -> Option<&'a C> {
    let find = |fits: &dyn Fn(&C) -> bool| formats.iter().copied().find(|format| fits(format));
    let is_type = |c: &C| c.field("ext") == Value::text(name);
    if AUDIO_TYPES.contains(&name) {
        return find(&|c| is_type(c) && c.has_audio());
    }
    if VIDEO_TYPES.contains(&name) {
        return find(&|c| is_type(c) && c.has_video() && c.has_audio()).or_else(|| {
            let may_lack_sound = !stock.has_combined;
            may_lack_sound
                .then(|| find(&|c| is_type(c) && c.has_video()))
                .flatten()
        });
    }
    find(&|c| c.id() == name)
}
