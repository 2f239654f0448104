//! Tests over answers: recorded ones where their folder is at hand, small invented ones always, and whole
//! conversations with a site that is played on loopback.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::answer::read_post;
use super::map::{Mapped, map_item};
use super::*;
use crate::extract::{Content, Format, Image};

mod flow;
mod own;
mod recorded;
mod short;

/// The file as text.
fn read_text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The file as JSON.
fn read_json(path: &Path) -> Value {
    let text = read_text(path);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A page with this JSON in a script.
fn page_of(script_id: &str, json: &Value) -> String {
    format!(
        "<!DOCTYPE html><html><body><script id=\"{script_id}\" type=\"application/json\">{json}</script></body></html>"
    )
}

/// A page as served, with this post.
fn page_of_item(item: &Value) -> String {
    let data = serde_json::json!({"__DEFAULT_SCOPE__": {"webapp.video-detail": {
        "statusCode": 0, "statusMsg": "", "itemInfo": {"itemStruct": item},
    }}});
    page_of("__UNIVERSAL_DATA_FOR_REHYDRATION__", &data)
}

/// The post of a page, with its warnings.
fn map_page(html: &str, id: &str) -> Result<Mapped, ExtractError> {
    let item = read_post(html.as_bytes(), id)?.expect("a page with data");
    Ok(map_item(&item).expect("a post with media"))
}

/// The post of a page.
fn map_page_strictly(html: &str, id: &str) -> Result<Extraction, ExtractError> {
    map_page(html, id).map(strictly)
}

/// The post of an answer in which everything was understood.
fn strictly(mapped: Mapped) -> Extraction {
    assert!(mapped.warnings.is_empty(), "{:?}", mapped.warnings);
    mapped.extraction
}

fn formats(extraction: &Extraction) -> &[Format] {
    match &extraction.content {
        Content::Video { formats } => formats,
        Content::Slideshow { .. } => panic!("{} is a slideshow", extraction.id),
    }
}

fn images(extraction: &Extraction) -> &[Image] {
    match &extraction.content {
        Content::Slideshow { images, .. } => images,
        Content::Video { .. } => panic!("{} is a video", extraction.id),
    }
}

/// A folder of this project's own test input.
fn own_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiktok")
}
