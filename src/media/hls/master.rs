//! Master playlists (RFC 8216 §4.3.4): the same in several sizes, and sound beside them.

use url::Url;

use super::{Addresses, Attributes, HlsError};

/// Variants of a master playlist, and renditions beside them; sites have some tens.
const MOST: usize = 500;
/// Lines of a picture, at most.
const MAX_SIDE: u64 = 100_000;

/// A list of variants.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Master {
    /// In the order of the playlist; at least one.
    pub variants: Vec<Variant>,
    /// Renditions of sound, in the order of the playlist.
    pub sounds: Vec<Rendition>,
}

/// One size of what is sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Variant {
    /// Its playlist.
    pub url: Url,
    /// Peak rate in bits per second, sound included.
    pub bandwidth: u64,
    /// Width and height in pixels.
    pub size: Option<(u32, u32)>,
    /// Frames per second, rounded.
    pub fps: Option<u32>,
    /// Codecs by their names in RFC 6381; empty when it isn't said.
    pub codecs: Vec<String>,
    /// The group of renditions that carries its sound; `None`: its own segments do.
    pub sounds: Option<String>,
}

/// Sound in a playlist of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendition {
    /// Its group.
    pub group: String,
    /// Its playlist; `None`: it is in the segments of the variants.
    pub url: Option<Url>,
    /// Whether it is played where nobody chooses.
    pub is_default: bool,
}

impl Master {
    /// The sound that goes with a variant: `None` when its own segments carry it, else where it is.
    pub fn sound_of(&self, variant: &Variant) -> Option<&Url> {
        let group = variant.sounds.as_deref()?;
        let in_group = || self.sounds.iter().filter(|sound| sound.group == group);
        let chosen = in_group().find(|sound| sound.is_default);
        chosen.or_else(|| in_group().next())?.url.as_ref()
    }
}

/// Reads a master playlist line by line.
#[derive(Default)]
pub(super) struct Reader {
    master: Master,
    /// A variant whose address is to follow.
    open: Option<Open>,
    is_master: bool,
}

/// A variant without its address.
struct Open {
    bandwidth: u64,
    size: Option<(u32, u32)>,
    fps: Option<u32>,
    codecs: Vec<String>,
    sounds: Option<String>,
}

impl Reader {
    /// Whether the next entry is a variant's.
    pub(super) fn takes_entry(&self) -> bool {
        self.open.is_some()
    }

    pub(super) fn tag(
        &mut self,
        name: &str,
        value: &str,
        addresses: &mut Addresses<'_>,
    ) -> Result<(), HlsError> {
        match name {
            "EXT-X-STREAM-INF" => {
                self.is_master = true;
                let attributes = Attributes::read(value, "EXT-X-STREAM-INF")?;
                if self.open.is_some() {
                    return Err(HlsError::Entry);
                }
                self.open = Some(open(&attributes)?);
            }
            "EXT-X-MEDIA" => {
                self.is_master = true;
                let attributes = Attributes::read(value, "EXT-X-MEDIA")?;
                if attributes.text("TYPE") == Some("AUDIO") {
                    self.sound(&attributes, addresses)?;
                }
            }
            "EXT-X-I-FRAME-STREAM-INF" | "EXT-X-SESSION-DATA" | "EXT-X-SESSION-KEY" => {
                self.is_master = true;
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) fn entry(&mut self, url: Url) -> Result<(), HlsError> {
        if self.master.variants.len() >= MOST {
            return Err(HlsError::TooMany("variants"));
        }
        let open = self.open.take().ok_or(HlsError::Entry)?;
        self.master.variants.push(Variant {
            url,
            bandwidth: open.bandwidth,
            size: open.size,
            fps: open.fps,
            codecs: open.codecs,
            sounds: open.sounds,
        });
        Ok(())
    }

    /// `None` when it is none.
    pub(super) fn finish(self) -> Result<Option<Master>, HlsError> {
        if !self.is_master {
            return Ok(None);
        }
        if self.open.is_some() || self.master.variants.is_empty() {
            return Err(HlsError::Entry);
        }
        Ok(Some(self.master))
    }

    fn sound(
        &mut self,
        attributes: &Attributes<'_>,
        addresses: &mut Addresses<'_>,
    ) -> Result<(), HlsError> {
        if self.master.sounds.len() >= MOST {
            return Err(HlsError::TooMany("renditions"));
        }
        let group = attributes.text("GROUP-ID");
        self.master.sounds.push(Rendition {
            group: group.ok_or(HlsError::Tag("EXT-X-MEDIA"))?.to_owned(),
            url: addresses.of(attributes)?,
            is_default: attributes.is_yes("DEFAULT"),
        });
        Ok(())
    }
}

fn open(attributes: &Attributes<'_>) -> Result<Open, HlsError> {
    let size = attributes.text("RESOLUTION").and_then(|text| {
        let (width, height) = text.split_once('x')?;
        Some((side(width)?, side(height)?))
    });
    let fps = attributes.text("FRAME-RATE").and_then(|text| {
        let whole = text.split('.').next()?;
        let rounds_up = text.split('.').nth(1).is_some_and(|rest| rest >= "5");
        let whole = side(whole)?;
        whole.checked_add(rounds_up.into())
    });
    let codecs = attributes.text("CODECS").unwrap_or_default();
    let codecs = codecs.split(',').map(str::trim);
    Ok(Open {
        bandwidth: attributes
            .number("BANDWIDTH")
            .ok_or(HlsError::Tag("EXT-X-STREAM-INF"))?,
        size,
        fps,
        codecs: codecs
            .filter(|codec| !codec.is_empty())
            .map(str::to_owned)
            .collect(),
        sounds: attributes.text("AUDIO").map(str::to_owned),
    })
}

/// A number of pixels, or of pictures.
fn side(text: &str) -> Option<u32> {
    let side = super::attributes::number(text)?;
    u32::try_from(side)
        .ok()
        .filter(|_| (1..=MAX_SIDE).contains(&side))
}
