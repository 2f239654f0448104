//! The part of a post's body that only some sites tell (youtube.md §7): keys are absent where there is nothing to tell.

use serde::Serialize;
use utoipa::ToSchema;

use super::wire::link;
use crate::extract::{Chapter, LiveStatus, PostFacts, Thumbnail};
use crate::services::CaptionLinks;

/// Further facts; keys in the order in which they are written.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Facts<'a> {
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    tags: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    age_limit: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unlisted: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    short: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    live_status: Option<LiveStatus>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    chapters: Vec<ChapterOut<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    captions: Vec<CaptionOut<'a>>,
    #[serde(skip_serializing_if = "<[Thumbnail]>::is_empty")]
    #[schema(value_type = Vec<Object>)]
    thumbnails: &'a [Thumbnail],
}

/// Times are milliseconds.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Chapter)]
struct ChapterOut<'a> {
    title: &'a str,
    start: u64,
    end: Option<u64>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Caption)]
struct CaptionOut<'a> {
    language: &'a str,
    name: &'a str,
    automatic: bool,
    vtt: String,
    srt: String,
}

/// The facts of a post; links begin with `base`.
pub(super) fn facts<'a>(
    facts: &'a PostFacts,
    captions: &'a [CaptionLinks],
    base: &str,
) -> Facts<'a> {
    Facts {
        tags: &facts.tags,
        category: facts.category.as_deref(),
        age_limit: facts.age_limit,
        unlisted: facts.is_unlisted,
        short: facts.is_short,
        live_status: facts.live,
        chapters: facts.chapters.iter().map(chapter).collect(),
        captions: captions.iter().map(|links| caption(links, base)).collect(),
        thumbnails: &facts.thumbnails,
    }
}

fn chapter(chapter: &Chapter) -> ChapterOut<'_> {
    ChapterOut {
        title: &chapter.title,
        start: chapter.start_ms,
        end: chapter.end_ms,
    }
}

fn caption<'a>(links: &'a CaptionLinks, base: &str) -> CaptionOut<'a> {
    CaptionOut {
        language: &links.language,
        name: &links.name,
        automatic: links.is_automatic,
        vtt: link(base, "download", &links.vtt),
        srt: link(base, "download", &links.srt),
    }
}
