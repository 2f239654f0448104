//! Finding data inside a page, without parsing the page.
//!
//! A page is half a megabyte of which the post is 28 KB: the script is found by its id, and of its JSON only the post
//! is read. Pure; every search is bounded, whatever the page holds.

use std::collections::HashMap;

use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::response::web::{Author, Item, VideoDetail};
use crate::extract::lenient::Object;

/// The script that pages of 2023 and later carry.
const REHYDRATION: &str = "__UNIVERSAL_DATA_FOR_REHYDRATION__";
/// Scripts of pages until 2023.
const SIGI: [&str; 2] = ["SIGI_STATE", "sigi-persisted-data"];
/// Script of pages until 2021.
const NEXT: &str = "__NEXT_DATA__";
/// Variable of pages until 2020.
const INIT: &str = "window.__INIT_PROPS__";

/// An element's opening tag, and what follows it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Element<'a> {
    tag: &'a [u8],
    after: &'a [u8],
}

/// The element with this id, whatever its name and the order of its attributes.
pub(super) fn element<'a>(html: &'a [u8], id: &str) -> Option<Element<'a>> {
    /// Pages use an id once; more mentions than this are noise.
    const MENTIONS: usize = 16;
    memmem::find_iter(html, id)
        .filter(|&at| follows_id(html, at))
        .take(MENTIONS)
        .filter_map(|at| tag_around(html, at))
        .find(|element| element.attribute("id") == Some(id))
}

/// Whether the text before `at` ends in `id=`, so that most mentions cost nothing.
fn follows_id(html: &[u8], at: usize) -> bool {
    let before = html.get(..at).unwrap_or_default();
    let before = before
        .strip_suffix(b"\"")
        .or_else(|| before.strip_suffix(b"'"))
        .unwrap_or(before)
        .trim_ascii_end();
    before
        .strip_suffix(b"=")
        .and_then(|rest| rest.trim_ascii_end().last_chunk::<2>())
        .is_some_and(|tail| tail.eq_ignore_ascii_case(b"id"))
}

/// The opening tag in which `at` lies.
fn tag_around(html: &[u8], at: usize) -> Option<Element<'_>> {
    /// An opening tag is shorter; the longest known holds a challenge of some hundred characters.
    const TAG: usize = 16 * 1024;
    let from = at.saturating_sub(TAG);
    let until = html.len().min(at.saturating_add(TAG));
    let (before, rest) = (html.get(from..at)?, html.get(at..until)?);
    let start = from.checked_add(memchr::memrchr(b'<', before)?)?;
    let end = at.checked_add(memchr::memchr(b'>', rest)?)?;
    Some(Element {
        tag: html.get(start..end)?.strip_prefix(b"<")?,
        after: html.get(end..)?.strip_prefix(b">")?,
    })
}

impl<'a> Element<'a> {
    /// The value of an attribute.
    pub(super) fn attribute(&self, name: &str) -> Option<&'a str> {
        let name_end = self.tag.iter().position(u8::is_ascii_whitespace)?;
        let mut rest = self.tag.get(name_end..)?;
        while let Some((found, value, after)) = next_attribute(rest) {
            if found.eq_ignore_ascii_case(name.as_bytes()) {
                return std::str::from_utf8(value).ok();
            }
            rest = after;
        }
        None
    }

    /// What stands in the element, if it is a script.
    fn script(&self) -> Option<&'a [u8]> {
        let is_script = self
            .tag
            .get(..6)
            .is_some_and(|name| name.eq_ignore_ascii_case(b"script"));
        let end = memmem::find(self.after, b"</script")?;
        is_script.then(|| self.after.get(..end))?
    }
}

/// `(name, value, rest)` of the first attribute in `text`; a value may be quoted, bare or missing.
fn next_attribute(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let text = text.trim_ascii_start();
    let name_end = text
        .iter()
        .position(|byte| byte.is_ascii_whitespace() || *byte == b'=')
        .unwrap_or(text.len());
    if text.is_empty() {
        return None;
    }
    let (name, rest) = text.split_at(name_end);
    let Some(value) = rest.trim_ascii_start().strip_prefix(b"=") else {
        return Some((name, b"", rest));
    };
    let value = value.trim_ascii_start();
    if let Some((quote @ (b'"' | b'\''), inner)) = value.split_first() {
        let end = memchr::memchr(*quote, inner)?;
        let (value, rest) = inner.split_at_checked(end)?;
        return Some((name, value, rest.get(1..)?));
    }
    let end = value
        .iter()
        .position(u8::is_ascii_whitespace)
        .unwrap_or(value.len());
    let (value, rest) = value.split_at(end);
    Some((name, value, rest))
}

/// The script with this id.
fn script<'a>(html: &'a [u8], id: &str) -> Option<&'a [u8]> {
    element(html, id)?.script()
}

/// The JSON that a script assigns to `variable`; what follows it is left alone.
pub(in crate::extract) fn assigned<'a, T: Deserialize<'a>>(
    html: &'a [u8],
    variable: &str,
) -> Option<T> {
    let rest = html.get(memmem::find(html, variable.as_bytes())?..)?;
    let rest = rest.strip_prefix(variable.as_bytes())?;
    let value = rest.trim_ascii_start().strip_prefix(b"=")?;
    serde_json::Deserializer::from_slice(value)
        .into_iter()
        .next()?
        .ok()
}

#[derive(Deserialize)]
struct Rehydration<'a> {
    #[serde(rename = "__DEFAULT_SCOPE__", borrow, default)]
    scope: Scope<'a>,
}

#[derive(Default, Deserialize)]
struct Scope<'a> {
    #[serde(rename = "webapp.video-detail", borrow, default)]
    detail: Option<&'a RawValue>,
}

/// The post in the page's data script: `None` when there is no such script, empty when it speaks of no post.
///
/// # Errors
/// The script's JSON is broken.
pub(super) fn detail(html: &[u8]) -> Result<Option<VideoDetail>, serde_json::Error> {
    let Some(script) = script(html, REHYDRATION) else {
        return Ok(None);
    };
    let data: Rehydration<'_> = serde_json::from_slice(script)?;
    data.scope.detail.map_or_else(
        || Ok(Some(VideoDetail::default())),
        |detail| serde_json::from_str(detail.get()).map(Some),
    )
}

/// The post in the data of older pages.
pub(super) fn legacy(html: &[u8], id: &str) -> Option<VideoDetail> {
    sigi(html, id).or_else(|| next(html)).or_else(|| init(html))
}

/// State of pages until 2023: posts by id with the author's name as text, accounts by that name beside them.
#[derive(Deserialize)]
struct Sigi<'a> {
    #[serde(rename = "ItemModule", borrow)]
    items: HashMap<String, &'a RawValue>,
    #[serde(rename = "UserModule", borrow, default)]
    users: Object<Users<'a>>,
}

#[derive(Deserialize)]
struct Users<'a> {
    #[serde(borrow)]
    users: HashMap<String, &'a RawValue>,
}

fn sigi(html: &[u8], id: &str) -> Option<VideoDetail> {
    let script = SIGI.iter().find_map(|name| script(html, name))?;
    sigi_item(script, id).map(VideoDetail::of_item)
}

/// The post with this id in the JSON of [`Sigi`].
pub(super) fn sigi_item(json: &[u8], id: &str) -> Option<Item> {
    let state: Sigi<'_> = serde_json::from_slice(json).ok()?;
    let mut item: Item = serde_json::from_str(state.items.get(id)?.get()).ok()?;
    let users = state.users.into_inner();
    let account: Option<Author> = users
        .as_ref()
        .and_then(|users| users.users.get(item.author.as_ref()?.handle.text()))
        .and_then(|raw| serde_json::from_str(raw.get()).ok());
    if account.is_some() {
        item.author = account.into();
    }
    Some(item)
}

#[derive(Deserialize)]
struct NextData {
    props: NextProps,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NextProps {
    page_props: VideoDetail,
}

fn next(html: &[u8]) -> Option<VideoDetail> {
    let data: NextData = serde_json::from_slice(script(html, NEXT)?).ok()?;
    Some(data.props.page_props)
}

fn init(html: &[u8]) -> Option<VideoDetail> {
    let routes: HashMap<String, Object<VideoDetail>> = assigned(html, INIT)?;
    routes
        .into_values()
        .filter_map(Object::into_inner)
        .find(|detail| detail.item_info.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DETAIL: &str = r#"{"__DEFAULT_SCOPE__":{"other":{"a":"webapp.video-detail"},"webapp.video-detail":{"statusCode":0,"itemInfo":{"itemStruct":{"id":"7"}}}}}"#;

    fn id_of(detail: Option<&VideoDetail>) -> Option<&str> {
        let item = detail?.item_info.as_ref()?.item_struct.as_ref()?;
        Some(item.id.text())
    }

    #[test]
    fn data_script_is_found_in_any_spelling_of_its_tag() {
        for tag in [
            r#"<script id="__UNIVERSAL_DATA_FOR_REHYDRATION__" type="application/json">"#,
            r#"<script type="application/json" id="__UNIVERSAL_DATA_FOR_REHYDRATION__">"#,
            r"<script nonce='a' id='__UNIVERSAL_DATA_FOR_REHYDRATION__' async>",
            "<SCRIPT\n  ID = __UNIVERSAL_DATA_FOR_REHYDRATION__\n  data-x=1>",
        ] {
            let html = format!(
                "<script>var a='__UNIVERSAL_DATA_FOR_REHYDRATION__'</script>{tag}\n{DETAIL}</script>"
            );
            let detail = detail(html.as_bytes()).unwrap();
            assert_eq!(id_of(detail.as_ref()), Some("7"), "{tag}");
        }
    }

    #[test]
    fn page_without_the_script_or_the_post_is_told_apart() {
        assert!(detail(b"<html></html>").unwrap().is_none());
        let html =
            r#"<script id="__UNIVERSAL_DATA_FOR_REHYDRATION__">{"__DEFAULT_SCOPE__":{}}</script>"#;
        let empty = detail(html.as_bytes()).unwrap().unwrap();
        assert!(empty.item_info.is_none());
        let html = r#"<script id="__UNIVERSAL_DATA_FOR_REHYDRATION__">{"__DEFAULT_SCOPE__":{"#;
        assert!(detail(format!("{html}</script>").as_bytes()).is_err());
        assert!(detail(html.as_bytes()).unwrap().is_none(), "cut page");
    }

    #[test]
    fn older_pages_are_read() {
        let sigi = r#"<script id="SIGI_STATE">{"ItemModule":{"7":{"id":"7","author":"someone"}},"UserModule":{"users":{"someone":{"uniqueId":"someone","nickname":"Some One"}}}}</script>"#;
        let detail = legacy(sigi.as_bytes(), "7").unwrap();
        assert_eq!(id_of(Some(&detail)), Some("7"));
        let item = detail
            .item_info
            .as_ref()
            .unwrap()
            .item_struct
            .as_ref()
            .unwrap();
        assert_eq!(item.author.as_ref().unwrap().nickname.text(), "Some One");
        assert!(legacy(sigi.as_bytes(), "8").is_none());
        for html in [
            r#"<script id="__NEXT_DATA__">{"props":{"pageProps":{"itemInfo":{"itemStruct":{"id":"7"}}}}}</script>"#,
            r#"<script>window.__INIT_PROPS__ = {"/v/:id":{"itemInfo":{"itemStruct":{"id":"7"}}},"x":null};</script>"#,
        ] {
            assert_eq!(
                id_of(legacy(html.as_bytes(), "7").as_ref()),
                Some("7"),
                "{html}"
            );
        }
    }

    #[test]
    fn attributes_are_read_in_every_form() {
        let html = br#"<p a=1 class = 'x y' b id="k" c="">"#;
        let element = element(html, "k").unwrap();
        for (name, value) in [("a", "1"), ("CLASS", "x y"), ("b", ""), ("c", "")] {
            assert_eq!(element.attribute(name), Some(value), "{name}");
        }
        assert_eq!(element.attribute("y"), None);
    }

    #[test]
    fn unclosed_quotes_and_floods_of_mentions_end() {
        assert!(element(b"<p id=\"k", "k").is_none());
        assert!(element(b"<p class=\"a id=\"k\">", "k").is_none());
        let flood = "id=cs ".repeat(200_000);
        assert!(element(flood.as_bytes(), "cs").is_none());
    }
}
