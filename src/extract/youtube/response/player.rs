//! The answer of `player`, and of `reel/reel_item_watch`, which wraps it.

use serde::Deserialize;

use super::Words;
use crate::extract::lenient::{Count, Flag, List, Object, Text};

/// The answer of `reel/reel_item_watch`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::extract::youtube) struct Reel {
    pub(in crate::extract::youtube) player_response: Object<Player>,
}

/// What a client is told about a video.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::extract::youtube) struct Player {
    pub(in crate::extract::youtube) response_context: Object<ResponseContext>,
    pub(in crate::extract::youtube) playability_status: Object<PlayabilityStatus>,
    pub(in crate::extract::youtube) streaming_data: Object<StreamingData>,
    pub(in crate::extract::youtube) video_details: Object<VideoDetails>,
    pub(in crate::extract::youtube) microformat: Object<MicroformatWrap>,
    pub(in crate::extract::youtube) captions: Object<CaptionsWrap>,
}

impl Player {
    /// The facts that only web clients are told.
    pub(in crate::extract::youtube) fn microformat(&self) -> Option<&Microformat> {
        self.microformat
            .as_ref()?
            .player_microformat_renderer
            .as_ref()
    }

    /// The subtitle tracks.
    pub(in crate::extract::youtube) fn caption_tracks(&self) -> &[CaptionTrack] {
        self.captions
            .as_ref()
            .and_then(|wrap| wrap.player_captions_tracklist_renderer.as_ref())
            .map_or(&[], |list| &list.caption_tracks)
    }

    /// The id of the video that the answer speaks of.
    pub(in crate::extract::youtube) fn video_id(&self) -> Option<&str> {
        self.video_details.as_ref()?.video_id.as_deref()
    }
}

/// What stands at the head of every answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::extract::youtube) struct ResponseContext {
    pub(in crate::extract::youtube) visitor_data: Text,
}

/// Any answer, of which only the head is wanted.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::extract::youtube) struct AnyAnswer {
    pub(in crate::extract::youtube) response_context: Object<ResponseContext>,
}

/// Whether the video may be played, and why not.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::extract::youtube) struct PlayabilityStatus {
    pub(in crate::extract::youtube) status: Text,
    pub(in crate::extract::youtube) reason: Text,
    pub(in crate::extract::youtube) messages: List<String>,
    pub(in crate::extract::youtube) error_screen: Object<ErrorScreen>,
    pub(in crate::extract::youtube) desktop_legacy_age_gate_reason: Count,
    pub(in crate::extract::youtube) live_streamability: Object<LiveStreamability>,
}

/// The screen shown instead of the video.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the site's own names")]
pub(in crate::extract::youtube) struct ErrorScreen {
    pub(in crate::extract::youtube) player_error_message_renderer: Object<ErrorMessage>,
    pub(in crate::extract::youtube) player_captcha_view_model: Object<Present>,
    pub(in crate::extract::youtube) player_legacy_desktop_ypc_trailer_renderer: Object<Present>,
    pub(in crate::extract::youtube) player_legacy_desktop_ypc_offer_renderer: Object<Present>,
}

/// An object of which only the presence counts.
#[derive(Debug, Default, Deserialize)]
pub(in crate::extract::youtube) struct Present {}

/// The texts of an error screen.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::extract::youtube) struct ErrorMessage {
    pub(in crate::extract::youtube) reason: Object<Words>,
    pub(in crate::extract::youtube) subreason: Object<Words>,
}

/// What is said about a broadcast.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::extract::youtube) struct LiveStreamability {
    pub(in crate::extract::youtube) live_streamability_renderer: Object<LiveStreamabilityRenderer>,
}

/// The body of [`LiveStreamability`].
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::extract::youtube) struct LiveStreamabilityRenderer {
    pub(in crate::extract::youtube) offline_slate: Object<OfflineSlate>,
}

/// The picture shown before a broadcast.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::extract::youtube) struct OfflineSlate {
    pub(in crate::extract::youtube) live_stream_offline_slate_renderer:
        Object<OfflineSlateRenderer>,
}

/// The body of [`OfflineSlate`].
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::extract::youtube) struct OfflineSlateRenderer {
    pub(in crate::extract::youtube) scheduled_start_time: Count,
}

/// Where the media lie.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::extract::youtube) struct StreamingData {
    pub(in crate::extract::youtube) formats: List<RawFormat>,
    pub(in crate::extract::youtube) adaptive_formats: List<RawFormat>,
    pub(in crate::extract::youtube) server_abr_streaming_url: Text,
    pub(in crate::extract::youtube) hls_manifest_url: Text,
    pub(in crate::extract::youtube) license_infos: List<Present>,
}

/// One format.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::extract::youtube) struct RawFormat {
    pub(in crate::extract::youtube) itag: Count,
    pub(in crate::extract::youtube) url: Text,
    pub(in crate::extract::youtube) signature_cipher: Text,
    pub(in crate::extract::youtube) mime_type: Text,
    pub(in crate::extract::youtube) bitrate: Count,
    pub(in crate::extract::youtube) average_bitrate: Count,
    pub(in crate::extract::youtube) width: Count,
    pub(in crate::extract::youtube) height: Count,
    pub(in crate::extract::youtube) fps: Count,
    pub(in crate::extract::youtube) quality: Text,
    pub(in crate::extract::youtube) quality_label: Text,
    pub(in crate::extract::youtube) audio_quality: Text,
    pub(in crate::extract::youtube) audio_sample_rate: Count,
    pub(in crate::extract::youtube) audio_channels: Count,
    pub(in crate::extract::youtube) content_length: Count,
    pub(in crate::extract::youtube) approx_duration_ms: Count,
    pub(in crate::extract::youtube) last_modified: Text,
    pub(in crate::extract::youtube) init_range: Object<ByteSpan>,
    pub(in crate::extract::youtube) index_range: Object<ByteSpan>,
    pub(in crate::extract::youtube) color_info: Object<ColorInfo>,
    pub(in crate::extract::youtube) projection_type: Text,
    pub(in crate::extract::youtube) spatial_audio_type: Text,
    pub(in crate::extract::youtube) is_drc: Flag,
    pub(in crate::extract::youtube) audio_track: Object<RawAudioTrack>,
    #[serde(rename = "type")]
    pub(in crate::extract::youtube) stream_type: Text,
    pub(in crate::extract::youtube) target_duration_sec: Count,
    pub(in crate::extract::youtube) drm_families: List<String>,
}

/// First and last byte.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::extract::youtube) struct ByteSpan {
    pub(in crate::extract::youtube) start: Count,
    pub(in crate::extract::youtube) end: Count,
}

/// Colours of a picture.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::extract::youtube) struct ColorInfo {
    pub(in crate::extract::youtube) transfer_characteristics: Text,
}

/// One of several sound tracks.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::extract::youtube) struct RawAudioTrack {
    pub(in crate::extract::youtube) id: Text,
    pub(in crate::extract::youtube) display_name: Text,
    pub(in crate::extract::youtube) audio_is_default: Flag,
}

/// Facts of the video that every client is told.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::extract::youtube) struct VideoDetails {
    pub(in crate::extract::youtube) video_id: Text,
    pub(in crate::extract::youtube) title: Text,
    pub(in crate::extract::youtube) short_description: Text,
    pub(in crate::extract::youtube) author: Text,
    pub(in crate::extract::youtube) channel_id: Text,
    pub(in crate::extract::youtube) length_seconds: Count,
    pub(in crate::extract::youtube) view_count: Count,
    pub(in crate::extract::youtube) keywords: List<String>,
    pub(in crate::extract::youtube) thumbnail: Object<Thumbnails>,
    pub(in crate::extract::youtube) is_live: Flag,
    pub(in crate::extract::youtube) is_live_content: Flag,
    pub(in crate::extract::youtube) is_upcoming: Flag,
    pub(in crate::extract::youtube) is_post_live_dvr: Flag,
}

/// Still pictures.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::extract::youtube) struct Thumbnails {
    pub(in crate::extract::youtube) thumbnails: List<RawThumbnail>,
}

/// One still picture.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::extract::youtube) struct RawThumbnail {
    pub(in crate::extract::youtube) url: Text,
    pub(in crate::extract::youtube) width: Count,
    pub(in crate::extract::youtube) height: Count,
}

/// Wrapper of [`Microformat`].
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::extract::youtube) struct MicroformatWrap {
    player_microformat_renderer: Object<Microformat>,
}

/// Facts that only web clients are told.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::extract::youtube) struct Microformat {
    pub(in crate::extract::youtube) title: Object<Words>,
    pub(in crate::extract::youtube) description: Object<Words>,
    pub(in crate::extract::youtube) thumbnail: Object<Thumbnails>,
    pub(in crate::extract::youtube) length_seconds: Count,
    pub(in crate::extract::youtube) owner_profile_url: Text,
    pub(in crate::extract::youtube) owner_channel_name: Text,
    pub(in crate::extract::youtube) external_channel_id: Text,
    pub(in crate::extract::youtube) is_family_safe: Flag,
    pub(in crate::extract::youtube) available_countries: List<String>,
    pub(in crate::extract::youtube) is_unlisted: Flag,
    pub(in crate::extract::youtube) is_shorts_eligible: Flag,
    pub(in crate::extract::youtube) category: Text,
    pub(in crate::extract::youtube) view_count: Count,
    pub(in crate::extract::youtube) like_count: Count,
    pub(in crate::extract::youtube) publish_date: Text,
    pub(in crate::extract::youtube) upload_date: Text,
    pub(in crate::extract::youtube) live_broadcast_details: Object<LiveBroadcastDetails>,
}

/// Times of a broadcast.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::extract::youtube) struct LiveBroadcastDetails {
    pub(in crate::extract::youtube) is_live_now: Flag,
    pub(in crate::extract::youtube) start_timestamp: Text,
}

/// Wrapper of [`CaptionList`].
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::extract::youtube) struct CaptionsWrap {
    player_captions_tracklist_renderer: Object<CaptionList>,
}

/// Subtitle tracks.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct CaptionList {
    caption_tracks: List<CaptionTrack>,
}

/// One subtitle track.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::extract::youtube) struct CaptionTrack {
    pub(in crate::extract::youtube) base_url: Text,
    pub(in crate::extract::youtube) name: Object<Words>,
    pub(in crate::extract::youtube) language_code: Text,
    pub(in crate::extract::youtube) vss_id: Text,
    pub(in crate::extract::youtube) kind: Text,
    pub(in crate::extract::youtube) is_translatable: Flag,
}
