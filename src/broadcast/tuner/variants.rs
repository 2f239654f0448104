//! Which variant of a live item is played: by the rules that hold for the files of others. Pure.

use url::Url;

use crate::extract::{Codec, Container, Format, Tracks};
use crate::media::hls::{Master, Variant};
use crate::services::Taste;

/// Short sides that are taken where more can't be had fast enough, as for files.
const SMALLER: [u32; 2] = [480, 360];

/// A variant that is played.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    /// Its playlist.
    pub(super) picture: Url,
    /// That of its sound, unless it comes with the picture.
    pub(super) sound: Option<Url>,
    /// Lines at most of the next smaller one, where there is one and nobody asks for a certain one.
    pub(super) lower: Option<u32>,
}

/// The variant that is wanted.
pub(super) fn choose(master: &Master, taste: &Taste) -> Option<Choice> {
    // Of equals that with both tracks in one file: they can't drift apart.
    let (one, two): (Vec<_>, Vec<_>) = master
        .variants
        .iter()
        .partition(|variant| master.sound_of(variant).is_none());
    let ordered: Vec<&Variant> = one.into_iter().chain(two).collect();
    let formats: Vec<Format> = ordered
        .iter()
        .enumerate()
        .filter_map(|(place, variant)| format(place, variant))
        .collect();
    let id = taste.choose(&formats, &[]).into_iter().next()?;
    let variant = ordered.get(id.parse::<usize>().ok()?)?;
    let side = formats.iter().find(|format| format.id == id)?.short_side();
    let smallest = formats.iter().filter_map(Format::short_side).min();
    let lower = side.zip(smallest).and_then(|(side, smallest)| {
        let fits = |lower: &&u32| **lower < side && smallest <= **lower;
        SMALLER.iter().find(fits).copied()
    });
    Some(Choice {
        picture: variant.url.clone(),
        sound: master.sound_of(variant).cloned(),
        lower: lower.filter(|_| !matches!(taste, Taste::Selector(_))),
    })
}

/// A variant as a file with both tracks; `None` when it has no picture.
fn format(place: usize, variant: &Variant) -> Option<Format> {
    let families: Vec<Codec> = variant
        .codecs
        .iter()
        .filter_map(|codec| family(codec))
        .collect();
    let is_sound = |codec: &Codec| {
        matches!(
            codec,
            Codec::Aac | Codec::Mp3 | Codec::Opus | Codec::Ac3 | Codec::Eac3
        )
    };
    let picture = families.iter().find(|codec| !is_sound(codec));
    if picture.is_none() && variant.size.is_none() && families.iter().any(is_sound) {
        return None;
    }
    Some(Format {
        id: place.to_string(),
        urls: vec![variant.url.to_string()],
        tracks: Tracks::Combined,
        container: Container::Mp4,
        width: variant.size.map(|(width, _)| width),
        height: variant.size.map(|(_, height)| height),
        fps: variant.fps,
        vcodec: picture.copied(),
        acodec: families.iter().copied().find(is_sound),
        bitrate_bps: Some(variant.bandwidth),
        filesize: None,
        label: None,
        is_watermarked: false,
        facts: Box::default(),
    })
}

/// The family of a codec by its name in RFC 6381.
fn family(name: &str) -> Option<Codec> {
    let kind = name.split('.').next().unwrap_or_default();
    match kind {
        "avc1" | "avc3" => Some(Codec::H264),
        "hvc1" | "hev1" => Some(Codec::Hevc),
        "vp09" | "vp9" => Some(Codec::Vp9),
        "av01" => Some(Codec::Av1),
        "mp4a" if name == "mp4a.40.34" => Some(Codec::Mp3),
        "mp4a" => Some(Codec::Aac),
        "opus" => Some(Codec::Opus),
        "ac-3" => Some(Codec::Ac3),
        "ec-3" => Some(Codec::Eac3),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::hls::Playlist;

    fn chosen(lines: &str, taste: &Taste) -> Option<(String, Option<String>)> {
        let base = Url::parse("https://a.example/").unwrap();
        let text = format!("#EXTM3U\n{lines}");
        let Ok(Playlist::Master(master)) = Playlist::parse(text.as_bytes(), &base) else {
            panic!("no master playlist");
        };
        let path = |url: Url| url.path().to_owned();
        let Choice { picture, sound, .. } = choose(&master, taste)?;
        Some((path(picture), sound.map(path)))
    }

    fn variant(size: &str, codecs: &str, more: &str, name: &str) -> String {
        format!(
            "#EXT-X-STREAM-INF:BANDWIDTH=9,RESOLUTION={size},CODECS=\"{codecs}\"{more}\n{name}\n"
        )
    }

    const SOUND: &str = "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"a\",URI=\"sound\"\n";
    const BOTH: &str = "avc1.4d401f,mp4a.40.2";

    #[test]
    fn variant_is_chosen_as_files_are() {
        let all = [
            SOUND.to_owned(),
            "#EXT-X-STREAM-INF:BANDWIDTH=9,CODECS=\"mp4a.40.2\"\nsound-alone\n".to_owned(),
            variant("1920x1080", BOTH, "", "large"),
            variant("1280x720", "vp09.00,mp4a.40.2", ",AUDIO=\"a\"", "vp9"),
            variant("1280x720", "avc1.4d401f,mp4a.40.2", ",AUDIO=\"a\"", "split"),
            variant("1280x720", BOTH, "", "both"),
            variant("640x360", BOTH, "", "small"),
        ]
        .concat();
        let name = |name: &str| Some((name.to_owned(), None));
        assert_eq!(chosen(&all, &Taste::Usual), name("/both"));
        assert_eq!(chosen(&all, &Taste::Smaller(480)), name("/small"));
        let selector = Taste::Selector("best[height<=400]".parse().unwrap());
        assert_eq!(chosen(&all, &selector), name("/small"));
        let nothing = Taste::Selector("best[height>4000]".parse().unwrap());
        assert_eq!(chosen(&all, &nothing), None);
    }

    #[test]
    fn next_smaller_variant_is_known_unless_a_certain_one_is_asked_for() {
        let lower = |sizes: &[&str], taste: Taste| {
            let lines = sizes.iter().map(|size| variant(size, BOTH, "", size));
            let text = format!("#EXTM3U\n{}", lines.collect::<String>());
            let base = Url::parse("https://a.example/").unwrap();
            match Playlist::parse(text.as_bytes(), &base) {
                Ok(Playlist::Master(master)) => choose(&master, &taste).unwrap().lower,
                other => panic!("{other:?}"),
            }
        };
        let all = ["1920x1080", "1280x720", "640x360", "256x144"];
        assert_eq!(lower(&all, Taste::Usual), Some(480));
        assert_eq!(lower(&all, Taste::Smaller(480)), None);
        assert_eq!(lower(&["854x480", "640x360"], Taste::Usual), Some(360));
        assert_eq!(lower(&["720x1280", "480x854"], Taste::Usual), Some(480));
        assert_eq!(lower(&["1280x720"], Taste::Usual), None);
        let selector = Taste::Selector("best".parse().unwrap());
        assert_eq!(lower(&all, selector), None);
    }

    #[test]
    fn sound_of_its_own_is_found() {
        let two = [
            SOUND.to_owned(),
            variant("1280x720", "avc1.4d401f", ",AUDIO=\"a\"", "picture"),
        ];
        let both = Some(("/picture".to_owned(), Some("/sound".to_owned())));
        assert_eq!(chosen(&two.concat(), &Taste::Usual), both);
        let sound = "#EXT-X-STREAM-INF:BANDWIDTH=9,CODECS=\"mp4a.40.2\"\nsound\n";
        assert_eq!(chosen(sound, &Taste::Usual), None);
        // Nothing is said of it: it may be what is wanted.
        let bare = "#EXT-X-STREAM-INF:BANDWIDTH=9\nbare\n";
        assert_eq!(
            chosen(bare, &Taste::Usual),
            Some(("/bare".to_owned(), None))
        );
    }
}
