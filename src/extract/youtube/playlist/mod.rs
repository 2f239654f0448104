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

/// Reads whatever an answer holds, as a list and as a mix.
#[cfg(test)]
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
