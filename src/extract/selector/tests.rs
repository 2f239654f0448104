//! The language by example, and by accident.

use proptest::prelude::*;

use super::{Candidate, Selector, Value};

/// A candidate with the fields that the cases need.
struct Sample {
    id: &'static str,
    ext: &'static str,
    height: Option<u32>,
    video: &'static str,
    audio: &'static str,
    size: Option<u64>,
}

impl Candidate for Sample {
    fn id(&self) -> &str {
        self.id
    }

    fn has_video(&self) -> bool {
        self.video != "none"
    }

    fn has_audio(&self) -> bool {
        self.audio != "none"
    }

    fn field(&self, name: &str) -> Value<'_> {
        match name {
            "format_id" => Value::text(self.id),
            "ext" => Value::text(self.ext),
            "height" => self.height.into(),
            "vcodec" => Value::text(self.video),
            "acodec" => Value::text(self.audio),
            "filesize" => self.size.into(),
            _ => Value::Unknown,
        }
    }
}

fn sample(
    id: &'static str,
    ext: &'static str,
    height: u32,
    video: &'static str,
    audio: &'static str,
    size: u64,
) -> Sample {
    Sample {
        id,
        ext,
        height: (height > 0).then_some(height),
        video,
        audio,
        size: (size > 0).then_some(size),
    }
}

/// Best first.
fn stock() -> Vec<Sample> {
    vec![
        sample("248", "webm", 1080, "vp9", "none", 60_000_000),
        sample("137", "mp4", 1080, "avc1.640028", "none", 90_000_000),
        sample("136", "mp4", 720, "avc1.4d401f", "none", 40_000_000),
        sample("22", "mp4", 720, "avc1.64001F", "mp4a.40.2", 0),
        sample("18", "mp4", 360, "avc1.42001E", "mp4a.40.2", 20_000_000),
        sample("251", "webm", 0, "none", "opus", 5_000_000),
        sample("140", "m4a", 0, "none", "mp4a.40.2", 4_000_000),
    ]
}

fn select(text: &str, stock: &[Sample]) -> Option<String> {
    let selector: Selector = text
        .parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"));
    selector.select(stock).map(|selection| selection.id())
}

#[test]
fn selectors_choose_as_yt_dlp_does() {
    let stock = stock();
    for (text, expected) in [
        ("best", Some("22")),
        ("b", Some("22")),
        ("best.2", Some("18")),
        ("best.3", None),
        ("w", Some("18")),
        ("bv", Some("248")),
        ("bv*", Some("248")),
        ("b*", Some("248")),
        ("w*", Some("140")),
        ("wv*", Some("18")),
        ("bestaudio", Some("251")),
        ("wa", Some("140")),
        ("18", Some("18")),
        ("999/18", Some("18")),
        ("999", None),
        ("mp4", Some("22")),
        ("webm", None),
        ("m4a", Some("140")),
        ("bv+ba", Some("248+251")),
        ("ba+bv", Some("248+251")),
        ("bv*[ext=mp4]+ba[ext=m4a]/b", Some("137+140")),
        (
            "bestvideo[height<=720]+bestaudio/best[height<=720]",
            Some("136+251"),
        ),
        ("bv*[height<=360]+ba", Some("18")),
        ("18+140", Some("18")),
        ("140+251", Some("140")),
        ("bv+ba+18", Some("248+251")),
        ("(bv/b)+(ba[ext=m4a]/ba)", Some("248+140")),
        ("(bv+ba)[ext=mp4]", None),
        ("(bv[ext=mp4]+ba/b)[height<=720]", Some("22")),
        ("[height<=360]", Some("18")),
        ("b[filesize<50M]", Some("18")),
        ("b[filesize<?50M]", Some("22")),
        ("bv[filesize>80MB]", Some("137")),
        ("bv[filesize>85MiB]", Some("137")),
        ("bv[filesize>90m]", None),
        ("bv[vcodec^=avc1]", Some("137")),
        ("bv[vcodec!^=vp9]", Some("137")),
        ("bv[vcodec*='640']", Some("137")),
        ("bv[vcodec$=\"1f\"]", Some("136")),
        ("b[format_id=18]", Some("18")),
        ("b[format_id!=22]", Some("18")),
        ("bv[height!=1080]", Some("136")),
        ("bv[language=en]/ba", Some("251")),
        ("bv[language=?en]", Some("248")),
        (" bv [ height <= 720 ] + ba ", Some("136+251")),
        ("bv[ext='mp4']", Some("137")),
        ("bv[ext=']']/ba", Some("251")),
    ] {
        let expected = expected.map(str::to_owned);
        assert_eq!(select(text, &stock), expected, "{text}");
    }
}

#[test]
fn one_sided_stock_lets_best_take_what_there_is() {
    let stock = [
        sample("251", "webm", 0, "none", "opus", 0),
        sample("140", "m4a", 0, "none", "mp4a", 0),
    ];
    assert_eq!(select("best", &stock).as_deref(), Some("251"));
    assert_eq!(select("worst", &stock).as_deref(), Some("140"));
    assert_eq!(select("bv", &stock), None);
    let stock = [sample("137", "mp4", 1080, "avc1", "none", 0)];
    assert_eq!(select("mp4", &stock).as_deref(), Some("137"));
    assert_eq!(select("best", &[]), None);
}

#[test]
fn broken_selectors_are_refused() {
    for text in [
        "",
        " ",
        "/",
        "+",
        "bv+",
        "bv/",
        "(bv",
        "bv)",
        "()",
        "bv[",
        "bv[height",
        "bv[height]",
        "bv[height<]",
        "bv[<720]",
        "bv[height<=]",
        "bv[vcodec~=avc]",
        "bv,ba",
        "all",
        "mergeall",
        "bv ba",
        "bv[ext='mp4]",
        "bv[filesize<5Q]",
        "bv[ext='']",
        "é",
    ] {
        assert!(text.parse::<Selector>().is_err(), "{text}");
    }
    assert!("(".repeat(2000).parse::<Selector>().is_err());
    assert!(
        format!("{}b{}", "(".repeat(40), ")".repeat(40))
            .parse::<Selector>()
            .is_err()
    );
    assert!(
        format!("{}b{}", "(".repeat(10), ")".repeat(10))
            .parse::<Selector>()
            .is_ok()
    );
}

proptest! {
    #[test]
    fn any_text_is_read_without_panic(text in "\\PC{0,60}") {
        let _ = text.parse::<Selector>();
    }

    #[test]
    fn any_selector_chooses_from_the_stock_or_nothing(
        text in "[bwva*0-9/+()\\[\\]=<>!^$?.'a-z ]{0,40}"
    ) {
        if let Ok(selector) = text.parse::<Selector>() {
            let stock = stock();
            if let Some(selection) = selector.select(&stock) {
                for id in selection.id().split('+') {
                    prop_assert!(stock.iter().any(|sample| sample.id == id));
                }
            }
        }
    }
}
