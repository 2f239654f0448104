//! The house's own formats as candidates.

use super::{Candidate, Value};
use crate::extract::{DynamicRange, Format};

impl Candidate for Format {
    fn id(&self) -> &str {
        &self.id
    }

    fn has_video(&self) -> bool {
        Format::has_video(self)
    }

    fn has_audio(&self) -> bool {
        Format::has_audio(self)
    }

    fn field(&self, name: &str) -> Value<'_> {
        match name {
            "format_id" => Value::text(&self.id),
            "ext" => Value::text(self.container.extension()),
            "vcodec" => side(self, Format::has_video, first_codec),
            "acodec" => side(self, Format::has_audio, last_codec),
            "width" => self.width.into(),
            "height" => self.height.into(),
            "fps" => self.fps.into(),
            "tbr" => thousands(self.bitrate_bps),
            "vbr" => side_rate(self, Format::has_video, Format::has_audio),
            "abr" => side_rate(self, Format::has_audio, Format::has_video),
            "asr" => self.facts.sample_rate_hz.into(),
            "audio_channels" => self.facts.channels.into(),
            "filesize" => self.filesize.into(),
            "filesize_approx" => self.facts.filesize_approx.into(),
            "protocol" => Value::text("https"),
            "language" => self
                .facts
                .audio
                .as_ref()
                .and_then(|track| track.language.as_deref())
                .into(),
            "dynamic_range" => self.facts.dynamic_range.map(DynamicRange::name).into(),
            _ => Value::Unknown,
        }
    }
}

/// The codec of a side, `none` when there is no such track.
fn side(
    format: &Format,
    is_there: fn(&Format) -> bool,
    codec: fn(&str) -> Option<&str>,
) -> Value<'_> {
    if !is_there(format) {
        return Value::text("none");
    }
    format.facts.codecs.as_deref().and_then(codec).into()
}

/// The codec of the picture, which is written first.
fn first_codec(codecs: &str) -> Option<&str> {
    codecs.split(',').next().map(str::trim)
}

/// The codec of the sound, which is written last.
fn last_codec(codecs: &str) -> Option<&str> {
    codecs.rsplit(',').next().map(str::trim)
}

fn thousands(bits: Option<u64>) -> Value<'static> {
    bits.map(|bits| bits as f64 / 1000.0).into()
}

/// The rate of one side: all of it when it is alone, nothing when it is missing, else unknown.
fn side_rate(
    format: &Format,
    this: fn(&Format) -> bool,
    other: fn(&Format) -> bool,
) -> Value<'static> {
    match (this(format), other(format)) {
        (false, _) => Value::Number(0.0),
        (true, false) => thousands(format.bitrate_bps),
        (true, true) => Value::Unknown,
    }
}
