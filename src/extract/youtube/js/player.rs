//! Which player script: its id and variant, read from addresses and pages.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use memchr::memmem;

/// Longest id accepted; every one seen has 8 digits.
const MAX_ID: usize = 16;

/// Build of the player. All builds of one id solve the same challenges (yt-dlp `_construct_player_url` replaces every
/// one by the main build).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Variant {
    /// `player_ias`, the build of the watch page.
    Main,
    /// `player_ias_tcc`.
    Tcc,
    /// `player_ias_tce`.
    Tce,
    /// `player_es5`.
    Es5,
    /// `player_es6`.
    Es6,
    /// `player_es6_tcc`.
    Es6Tcc,
    /// `player_es6_tce`.
    Es6Tce,
    /// `tv-player-ias`.
    Tv,
    /// `tv-player-es6`.
    TvEs6,
    /// `player-plasma-ias-phone`.
    Phone,
    /// `house_brand_player`.
    House,
}

/// Each variant with its name and its path below the id; `en_US` stands for any language
/// (yt-dlp `_PLAYER_JS_VARIANT_MAP`, 2026-08).
const VARIANTS: [(Variant, &str, &str); 11] = [
    (Variant::Main, "main", "player_ias.vflset/en_US/base.js"),
    (Variant::Tcc, "tcc", "player_ias_tcc.vflset/en_US/base.js"),
    (Variant::Tce, "tce", "player_ias_tce.vflset/en_US/base.js"),
    (Variant::Es5, "es5", "player_es5.vflset/en_US/base.js"),
    (Variant::Es6, "es6", "player_es6.vflset/en_US/base.js"),
    (
        Variant::Es6Tcc,
        "es6_tcc",
        "player_es6_tcc.vflset/en_US/base.js",
    ),
    (
        Variant::Es6Tce,
        "es6_tce",
        "player_es6_tce.vflset/en_US/base.js",
    ),
    (Variant::Tv, "tv", "tv-player-ias.vflset/tv-player-ias.js"),
    (
        Variant::TvEs6,
        "tv_es6",
        "tv-player-es6.vflset/tv-player-es6.js",
    ),
    (
        Variant::Phone,
        "phone",
        "player-plasma-ias-phone-en_US.vflset/base.js",
    ),
    (
        Variant::House,
        "house",
        "house_brand_player.vflset/en_US/base.js",
    ),
];

/// The placeholder for a language in [`VARIANTS`].
const LANGUAGE: &str = "en_US";

impl Variant {
    fn row(self) -> &'static (Self, &'static str, &'static str) {
        VARIANTS
            .iter()
            .find(|row| row.0 == self)
            .unwrap_or(&VARIANTS[0])
    }

    fn of_path(path: &str) -> Self {
        let row = VARIANTS
            .iter()
            .find(|(_, _, pattern)| match pattern.split_once(LANGUAGE) {
                None => path == *pattern,
                Some((head, tail)) => path
                    .strip_prefix(head)
                    .and_then(|rest| rest.strip_suffix(tail))
                    .is_some_and(is_language),
            });
        row.map_or(Self::Main, |row| row.0)
    }
}

fn is_language(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// A player script, as it is cached: `<id>-<variant>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PlayerKey {
    id: Arc<str>,
    variant: Variant,
}

/// A text that names no player.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a player's name")]
pub struct NotAPlayer;

impl PlayerKey {
    /// The main build of the player with this id of 8 to 16 hexadecimal digits.
    pub fn new(id: &str) -> Option<Self> {
        let is_id = (8..=MAX_ID).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_hexdigit());
        is_id.then(|| Self {
            id: id.to_ascii_lowercase().into(),
            variant: Variant::Main,
        })
    }

    /// The first player named in a text, as `/s/player/<id>/<path>.js`, with slashes escaped or not.
    ///
    /// Takes an address, the reply of `iframe_api`, or a whole page. A script that is no build of the player, such as
    /// the one that `iframe_api` names, gives the main build of the same id.
    pub fn find(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        memmem::find_iter(bytes, "player")
            .find_map(|at| Self::behind(text.get(at..)?.strip_prefix("player")?))
    }

    /// The same id in its main build.
    #[must_use]
    pub fn main(&self) -> Self {
        Self {
            id: Arc::clone(&self.id),
            variant: Variant::Main,
        }
    }

    /// The id, 8 or more hexadecimal digits.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The build.
    pub fn variant(&self) -> Variant {
        self.variant
    }

    /// Where the script lies on the site's host, from the slash on.
    pub fn path(&self) -> String {
        format!("/s/player/{}/{}", self.id, self.variant.row().2)
    }

    /// Reads `/<id>/<path>.js`.
    fn behind(text: &str) -> Option<Self> {
        let text = slash(text)?;
        let digits = text
            .bytes()
            .take(MAX_ID + 1)
            .take_while(u8::is_ascii_hexdigit)
            .count();
        let (id, rest) = text.split_at(digits);
        let path = slash(rest)?;
        let mut key = Self::new(id)?;
        key.variant = Variant::of_path(&script_path(path));
        Some(key)
    }
}

/// What follows a slash, which may be escaped.
fn slash(text: &str) -> Option<&str> {
    text.strip_prefix(r"\/").or_else(|| text.strip_prefix('/'))
}

/// Longest path looked at; the longest of a known build has 44 bytes.
const MAX_PATH: usize = 96;

/// The path that `text` begins with, up to a byte that none holds, without escapes.
fn script_path(text: &str) -> String {
    let is_path = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '\\');
    text.chars()
        .take(MAX_PATH)
        .take_while(is_path)
        .filter(|c| *c != '\\')
        .collect()
}

impl fmt::Display for PlayerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.id, self.variant.row().1)
    }
}

impl FromStr for PlayerKey {
    type Err = NotAPlayer;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (id, name) = text.split_once('-').ok_or(NotAPlayer)?;
        let row = VARIANTS
            .iter()
            .find(|row| row.1 == name)
            .ok_or(NotAPlayer)?;
        let key = Self::new(id).ok_or(NotAPlayer)?;
        Ok(Self {
            variant: row.0,
            ..key
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn address_of_a_known_build_gives_id_and_variant() {
        for (variant, name, path) in VARIANTS {
            let address = format!("https://www.youtube.com/s/player/0123abcd/{path}");
            let key = PlayerKey::find(&address).expect(name);
            assert_eq!((key.id(), key.variant()), ("0123abcd", variant));
            assert_eq!(
                address.strip_prefix("https://www.youtube.com"),
                Some(key.path().as_str())
            );
            assert_eq!(key.to_string(), format!("0123abcd-{name}"));
            assert_eq!(key.to_string().parse(), Ok(key));
        }
    }

    #[test]
    fn language_of_a_build_does_not_matter() {
        let key = PlayerKey::find("/s/player/0123abcd/player_es6.vflset/pt_BR/base.js");
        assert_eq!(key.map(|key| key.variant()), Some(Variant::Es6));
        let phone = PlayerKey::find("/s/player/0123abcd/player-plasma-ias-phone-de.vflset/base.js");
        assert_eq!(phone.map(|key| key.variant()), Some(Variant::Phone));
    }

    #[test]
    fn unknown_build_counts_as_the_main_one() {
        let text = r"x='https:\/\/www.youtube.com\/s\/player\/0123ABCD\/widget.vflset\/widget.js'";
        let key = PlayerKey::find(text).expect("a player");
        assert_eq!(key.to_string(), "0123abcd-main");
    }

    #[test]
    fn escaped_address_of_a_known_build_keeps_its_variant() {
        let text = r#""jsUrl":"\/s\/player\/0123abcd\/player_ias_tce.vflset\/en_GB\/base.js","x""#;
        let key = PlayerKey::find(text).expect("a player");
        assert_eq!(key.variant(), Variant::Tce);
        assert_eq!(key.main().to_string(), "0123abcd-main");
    }

    #[test]
    fn text_without_a_player_gives_none() {
        for text in [
            "",
            "player",
            "player/",
            "/s/player/0123abc/base.js",
            "player/0123abcdz/",
            "player/00000000000000000/x.js",
            "/s/player/0123abcd",
        ] {
            assert_eq!(PlayerKey::find(text), None, "{text}");
        }
        assert!("0123abcd".parse::<PlayerKey>().is_err());
        assert!("0123abcd-other".parse::<PlayerKey>().is_err());
        assert!("../../etc-main".parse::<PlayerKey>().is_err());
    }

    proptest! {
        #[test]
        fn find_never_panics(text in ".*(player)?[/\\\\]{0,2}[0-9a-f]{0,20}[/\\\\]{0,2}.*") {
            if let Some(key) = PlayerKey::find(&text) {
                prop_assert_eq!(key.to_string().parse(), Ok(key));
            }
        }
    }
}
