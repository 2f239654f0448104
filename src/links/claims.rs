//! What is inside a sealed link: compact JSON with the short keys of api.md §6. Pure.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Hint, Kind, Link};

/// Characters of the author kept, for the file name.
const MAX_AUTHOR_CHARS: usize = 60;

#[derive(Serialize, Deserialize)]
struct Claims<'a> {
    /// Expiry.
    e: u64,
    /// Site.
    #[serde(borrow)]
    s: Cow<'a, str>,
    /// Id.
    i: Cow<'a, str>,
    /// Format.
    f: Cow<'a, str>,
    /// Sound track, where there are several; links of earlier versions lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    t: Option<Cow<'a, str>>,
    /// Kind.
    k: KindClaim,
    /// Author.
    a: Cow<'a, str>,
    /// Extension.
    x: Cow<'a, str>,
    /// Index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    o: Option<u32>,
    /// Egress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    g: Option<Cow<'a, str>>,
    /// Direct address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    u: Option<Cow<'a, str>>,
    /// Guest cookie; only beside an address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    c: Option<Cow<'a, str>>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum KindClaim {
    Video,
    Audio,
    Image,
    Slideshow,
    Caption,
    Archive,
}

/// The claims of `link`, with `hint` in place of its own.
pub(super) fn write(link: &Link, hint: Option<&Hint>) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Claims {
        e: link.expires_at,
        s: Cow::Borrowed(&link.site),
        i: Cow::Borrowed(&link.id),
        f: Cow::Borrowed(&link.format),
        t: link.track.as_deref().map(Cow::Borrowed),
        k: link.kind.into(),
        a: Cow::Borrowed(cut(&link.author)),
        x: Cow::Borrowed(&link.extension),
        o: link.index,
        g: link.egress.as_deref().map(Cow::Borrowed),
        u: hint.map(|hint| Cow::Borrowed(&*hint.url)),
        c: hint.and_then(|hint| hint.cookie.as_deref().map(Cow::Borrowed)),
    })
}

/// The link that `claims` tell of; `None` when they are not ours.
pub(super) fn read(claims: &[u8]) -> Option<Link> {
    let claims: Claims<'_> = serde_json::from_slice(claims).ok()?;
    let cookie = claims.c.map(Cow::into_owned);
    Some(Link {
        expires_at: claims.e,
        site: claims.s.into_owned(),
        id: claims.i.into_owned(),
        format: claims.f.into_owned(),
        track: claims.t.map(Cow::into_owned),
        kind: claims.k.into(),
        author: claims.a.into_owned(),
        extension: claims.x.into_owned(),
        index: claims.o,
        egress: claims.g.map(Cow::into_owned),
        hint: claims.u.map(|url| Hint {
            url: url.into_owned(),
            cookie,
        }),
    })
}

fn cut(author: &str) -> &str {
    match author.char_indices().nth(MAX_AUTHOR_CHARS) {
        Some((end, _)) => &author[..end],
        None => author,
    }
}

impl From<Kind> for KindClaim {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Video => Self::Video,
            Kind::Audio => Self::Audio,
            Kind::Image => Self::Image,
            Kind::Slideshow => Self::Slideshow,
            Kind::Caption => Self::Caption,
            Kind::Archive => Self::Archive,
        }
    }
}

impl From<KindClaim> for Kind {
    fn from(kind: KindClaim) -> Self {
        match kind {
            KindClaim::Video => Self::Video,
            KindClaim::Audio => Self::Audio,
            KindClaim::Image => Self::Image,
            KindClaim::Slideshow => Self::Slideshow,
            KindClaim::Caption => Self::Caption,
            KindClaim::Archive => Self::Archive,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn claims_text_is_the_agreed_one() {
        let link = Link {
            expires_at: 1_800_000_000,
            site: "tiktok".into(),
            id: "7".into(),
            format: "image-3".into(),
            track: None,
            kind: Kind::Image,
            author: "é".repeat(61),
            extension: "jpeg".into(),
            index: Some(3),
            egress: Some("vpn-2".into()),
            hint: Some(Hint {
                url: "https://a.example/?b=%7C|".into(),
                cookie: Some("x=/+".into()),
            }),
        };
        let author = "é".repeat(60);
        let head = format!(
            r#"{{"e":1800000000,"s":"tiktok","i":"7","f":"image-3","k":"image","a":"{author}","x":"jpeg","o":3,"g":"vpn-2""#
        );
        let full = String::from_utf8(write(&link, link.hint.as_ref()).unwrap()).unwrap();
        assert_eq!(
            full,
            format!(r#"{head},"u":"https://a.example/?b=%7C|","c":"x=/+"}}"#)
        );
        let bare = String::from_utf8(write(&link, None).unwrap()).unwrap();
        assert_eq!(bare, format!("{head}}}"));
    }

    #[test]
    fn claims_of_earlier_versions_name_no_track() {
        let claims = br#"{"e":1,"s":"a","i":"b","f":"140-0","k":"audio","a":"c","x":"m4a"}"#;
        let link = read(claims).unwrap();
        assert_eq!((&*link.format, &link.track), ("140-0", &None));
        let named = Link {
            track: Some("en.4".to_owned()),
            ..link
        };
        let text = String::from_utf8(write(&named, None).unwrap()).unwrap();
        assert!(
            text.contains(r#""f":"140-0","t":"en.4","k":"audio""#),
            "{text}"
        );
        assert_eq!(read(text.as_bytes()), Some(named));
    }

    proptest! {
        #[test]
        fn claims_any_bytes_are_read_without_panic(bytes: Vec<u8>) {
            let _ = read(&bytes);
        }
    }
}
