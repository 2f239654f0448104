//! Chapters: of the player bar, else of the panel beside the video, else of the time marks in the description.

use serde_json::Value;

use super::start_ms;
use crate::extract::Chapter;
use crate::extract::youtube::clock_time;
use crate::extract::youtube::response::json::{at, list, text};

/// Most chapters that are kept.
const MAX_CHAPTERS: usize = 1000;

/// The chapters, in order; none when there are fewer than two.
pub(super) fn read(next: Option<&Value>, description: &str, duration_ms: u64) -> Vec<Chapter> {
    let sources = [
        next.map(of_player_bar).unwrap_or_default(),
        next.map(of_panels).unwrap_or_default(),
        of_description(description),
    ];
    sources
        .into_iter()
        .map(|starts| close(starts, duration_ms))
        .find(|chapters| chapters.len() > 1)
        .unwrap_or_default()
}

/// Title and start in milliseconds.
type Start = (String, u64);

/// The markers of the player bar (seen 2026-06, WEB).
fn of_player_bar(next: &Value) -> Vec<Start> {
    let bar = [
        "playerOverlays",
        "playerOverlayRenderer",
        "decoratedPlayerBarRenderer",
        "decoratedPlayerBarRenderer",
        "playerBar",
        "multiMarkersPlayerBarRenderer",
        "markersMap",
    ];
    list(next, &bar)
        .iter()
        .map(|markers| list(markers, &["value", "chapters"]))
        .find(|chapters| !chapters.is_empty())
        .unwrap_or_default()
        .iter()
        .take(MAX_CHAPTERS)
        .filter_map(|chapter| {
            let chapter = at(chapter, &["chapterRenderer"])?;
            Some((text(chapter, &["title"])?, start_ms(chapter)?))
        })
        .collect()
}

/// The panels with the list of chapters; the same list may stand in two of them.
fn of_panels(next: &Value) -> Vec<Start> {
    let path = [
        "engagementPanelSectionListRenderer",
        "content",
        "macroMarkersListRenderer",
        "contents",
    ];
    let mut starts: Vec<Start> = list(next, &["engagementPanels"])
        .iter()
        .flat_map(|panel| list(panel, &path))
        .take(MAX_CHAPTERS)
        .filter_map(|item| {
            let item = at(item, &["macroMarkersListItemRenderer"])?;
            let start = clock_time::milliseconds(&text(item, &["timeDescription"])?)?;
            Some((text(item, &["title"])?, start))
        })
        .collect();
    starts.sort_by_key(|(_, start)| *start);
    starts.dedup();
    starts
}

/// Lines of the description that begin with a time, or end with one.
fn of_description(description: &str) -> Vec<Start> {
    let starts: Vec<Start> = description
        .lines()
        .filter_map(time_and_title)
        .take(MAX_CHAPTERS)
        .collect();
    // A list of chapters begins at the beginning and goes on; otherwise the times mean something else.
    let is_list = starts.first().is_some_and(|(_, start)| *start == 0)
        && starts.is_sorted_by(|(_, before), (_, after)| before < after);
    if is_list { starts } else { Vec::new() }
}

/// `1:02:03 - title`.
fn time_and_title(line: &str) -> Option<Start> {
    let line = line
        .trim()
        .trim_start_matches(['-', '*', '•', '(', '[', ' ']);
    let end = line
        .find(|c: char| !(c.is_ascii_digit() || c == ':'))
        .unwrap_or(line.len());
    let (mark, rest) = line.split_at(end);
    let start = clock_time::milliseconds(mark).filter(|_| mark.contains(':'))?;
    let title = rest.trim_start_matches([
        ')', ']', '-', '\u{2013}', '\u{2014}', ':', '|', '.', ' ', '\t',
    ]);
    (!title.is_empty()).then(|| (title.trim_end().to_owned(), start))
}

/// Gives each chapter its end. What doesn't lie within the video or isn't in order is left out.
fn close(starts: Vec<Start>, duration_ms: u64) -> Vec<Chapter> {
    let mut chapters: Vec<Chapter> = Vec::with_capacity(starts.len());
    for (title, start_ms) in starts {
        let is_after = chapters.last().is_none_or(|last| last.start_ms < start_ms);
        let is_within = duration_ms == 0 || start_ms < duration_ms;
        if !is_after || !is_within {
            continue;
        }
        if let Some(last) = chapters.last_mut() {
            last.end_ms = Some(start_ms);
        }
        let end_ms = (duration_ms > 0).then_some(duration_ms);
        chapters.push(Chapter {
            title,
            start_ms,
            end_ms,
        });
    }
    chapters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_marks_of_a_description_are_chapters() {
        let text = "Hello\n0:00 Intro\n1:30 - Part (one)\n [1:02:03] Part two\nBye 5:00";
        let chapters = read(None, text, 4_000_000);
        let got: Vec<_> = chapters
            .iter()
            .map(|chapter| (chapter.title.as_str(), chapter.start_ms, chapter.end_ms))
            .collect();
        assert_eq!(
            got,
            [
                ("Intro", 0, Some(90_000)),
                ("Part (one)", 90_000, Some(3_723_000)),
                ("Part two", 3_723_000, Some(4_000_000)),
            ]
        );
    }

    #[test]
    fn other_times_are_no_chapters() {
        for text in [
            "",
            "0:00 only one",
            "1:00 a\n2:00 b",
            "0:00 a\n2:00 b\n1:00 c",
            "12 monkeys\n13 more",
        ] {
            assert!(read(None, text, 0).is_empty(), "{text}");
        }
    }
}
