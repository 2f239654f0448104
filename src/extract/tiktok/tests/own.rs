//! Small invented answers, one per shape: the whole model as a snapshot. `INSTA_UPDATE=always` rewrites them.

use proptest::prelude::*;

use super::*;
use crate::extract::Unavailable;
use crate::extract::tiktok::map::{Dialect, map_aweme};
use crate::extract::tiktok::response::app::Aweme;

/// A page by its file name.
fn page(name: &str) -> String {
    read_text(&own_folder().join(name))
}

/// The post in an app's or Douyin's answer.
fn aweme(name: &str, at: &str, dialect: Dialect) -> Extraction {
    let json = read_json(&own_folder().join(name));
    let text = json.pointer(at).expect("a post").to_string();
    let aweme: Aweme = serde_json::from_str(&text).unwrap();
    strictly(map_aweme(&aweme, dialect).expect("a post with media"))
}

/// Compares the model with the snapshot of this name.
macro_rules! assert_model {
    ($name:literal, $extraction:expr) => {
        insta::with_settings!({
            snapshot_path => "../snapshots",
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, {
            insta::assert_json_snapshot!($name, $extraction);
        });
    };
}

#[test]
fn page_video_gives_the_whole_model() {
    let extraction = map_page_strictly(&page("page_video.html"), "7520000000000000001").unwrap();
    assert_model!("page_video", extraction);
}

#[test]
fn page_photo_gives_the_whole_model() {
    let extraction = map_page_strictly(&page("page_photo.html"), "7520000000000000002").unwrap();
    assert_model!("page_photo", extraction);
}

#[test]
fn page_sigi_gives_the_whole_model() {
    let extraction = map_page_strictly(&page("page_sigi.html"), "7220000000000000004").unwrap();
    assert_model!("page_sigi", extraction);
}

#[test]
fn app_video_gives_the_whole_model() {
    assert_model!(
        "app_video",
        aweme("app_video.json", "/aweme_details/0", Dialect::TikTok)
    );
}

#[test]
fn app_photo_gives_the_whole_model() {
    assert_model!(
        "app_photo",
        aweme("app_photo.json", "/aweme_details/0", Dialect::TikTok)
    );
}

#[test]
fn douyin_detail_gives_the_whole_model() {
    assert_model!(
        "douyin_detail",
        aweme("douyin_detail.json", "/aweme_detail", Dialect::Douyin)
    );
}

#[test]
fn status_pages_give_their_reason() {
    for (name, id, expected) in [
        ("page_deleted.html", "1", Unavailable::NotFound),
        ("page_self_see.html", "1", Unavailable::Private),
        ("page_region.html", "1", Unavailable::RegionBlocked),
        ("page_private.html", "1", Unavailable::Private),
        (
            "page_classified.html",
            "7520000000000000003",
            Unavailable::AgeRestricted,
        ),
    ] {
        let error = parse_page(page(name).as_bytes(), id).unwrap_err();
        let is_expected =
            matches!(error, ExtractError::Unavailable { reason, .. } if reason == expected);
        assert!(is_expected, "{name}: {error:?}");
    }
    let trouble = parse_page(page("page_trouble.html").as_bytes(), "1").unwrap_err();
    assert!(
        matches!(trouble, ExtractError::Upstream { code: 10_101, .. }),
        "{trouble:?}"
    );
}

#[test]
fn every_file_has_its_line_in_the_readme() {
    let readme = read_text(&own_folder().join("README.md"));
    for file in std::fs::read_dir(own_folder()).unwrap().flatten() {
        let name = file.file_name().into_string().unwrap();
        assert!(
            name == "README.md" || readme.contains(&format!("| `{name}` |")),
            "{name}"
        );
    }
}

/// Damages a page at one place.
fn damaged(page: &str, at: usize, with: &[u8]) -> Vec<u8> {
    let mut bytes = page.as_bytes().to_vec();
    let at = at % bytes.len();
    let end = (at + with.len()).min(bytes.len());
    bytes.splice(at..end, with.iter().copied());
    bytes
}

proptest! {
    #[test]
    fn damaged_page_never_panics(
        at in any::<usize>(),
        with in prop::collection::vec(any::<u8>(), 0..8),
        cut in any::<usize>(),
    ) {
        for name in ["page_video.html", "page_photo.html", "page_sigi.html", "challenge.html"] {
            let mut page = damaged(&page(name), at, &with);
            page.truncate(cut % (page.len() * 2));
            let _ = parse_page(&page, "7520000000000000001");
            let _ = challenge::parse(&page);
        }
    }

    #[test]
    fn any_bytes_are_read_without_panic(page in prop::collection::vec(any::<u8>(), 0..512)) {
        let _ = parse_page(&page, "1");
        let _ = challenge::parse(&page);
    }

    #[test]
    fn value_of_any_type_in_any_field_keeps_the_post_readable(
        field in 0..1000_usize,
        value in prop::sample::select(vec!["null", "\"\"", "-1", "1e400", "[]", "{}", "true", "[{}]", "\"x\""]),
    ) {
        let page = page("page_video.html");
        let (start, end) = field_value(&page, field);
        let changed = format!("{}{value}{}", &page[..start], &page[end..]);
        let read = parse_page(changed.as_bytes(), "7520000000000000001");
        prop_assert!(!is_broken_data(&read), "{}: {read:?}", &page[start..end]);
    }
}

/// Where the value of one of a page's simple fields stands.
fn field_value(page: &str, number: usize) -> (usize, usize) {
    let ends: Vec<usize> = page
        .match_indices("\": ")
        .map(|(at, colon)| at + colon.len())
        .filter(|at| !page[*at..].starts_with(['{', '[']))
        .collect();
    let start = ends[number % ends.len()];
    let line = &page[start..start + page[start..].find('\n').unwrap()];
    (start, start + line.trim_end_matches(',').len())
}

/// Whether the data as a whole could not be read.
fn is_broken_data(read: &Result<Extraction, ExtractError>) -> bool {
    matches!(
        read,
        Err(ExtractError::Shape {
            step: "page data",
            ..
        })
    )
}
