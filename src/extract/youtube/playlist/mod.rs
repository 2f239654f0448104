//! Lists of videos (youtube.md §6): one page after the other, until the limit or the end.
//!
//! `page` reads an answer, `entry` a line of it, `header` what stands above, `cursor` keeps the place between two
//! requests, `lister` asks. A mix has no end: its limit ends it.

mod cursor;
mod entry;
mod header;
mod lister;
mod page;

pub(super) use lister::Lister;

use super::{PlaylistId, PlaylistKind, SITE, VideoId};
use crate::extract::PlaylistSource;

/// The source of a list, perhaps seen beside a video: only a mix whose id names none depends on that.
pub(super) fn source(list: &PlaylistId, video: Option<VideoId>) -> PlaylistSource {
    let seed = video.filter(|_| list.kind() == PlaylistKind::Mix && list.mix_seed().is_none());
    PlaylistSource {
        site: SITE,
        id: list.as_str().to_owned(),
        post: seed.map(|id| id.as_str().to_owned()),
    }
}

/// The video that a mix stands around at its beginning: the one in its id, else the one it was seen beside.
pub(super) fn seed(list: &PlaylistId, beside: Option<&str>) -> Option<VideoId> {
    list.mix_seed().or_else(|| VideoId::parse(beside?))
}

/// Reads whatever an answer holds, as a list and as a mix.
#[cfg(any(test, feature = "fuzz"))]
pub(super) fn read_anything(
    answer: &serde_json::Value,
    hosts: &super::hosts::Hosts,
) -> Vec<crate::extract::PlaylistEntry> {
    let _ = (
        header::alert(answer),
        header::read(answer),
        header::read_mix(answer),
    );
    let lines = page::read(answer, hosts).lines;
    let mix = page::read_mix(answer, hosts);
    lines
        .into_iter()
        .chain(mix)
        .map(|line| line.into_entry(1))
        .collect()
}
