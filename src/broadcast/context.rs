//! What everything that belongs to broadcasts shares.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::bus::Bus;
use super::feed::Feeds;
use super::normaliser::{Encoding, NormaliseError};
use super::publisher::{Outlet, Rtmp, Scheme, Srt, SrtOptions, Target};
use super::run::Early;
use super::shelf::Shelves;
use super::splicer::{Slate, SlateError};
use super::{BroadcastConfig, LogLevel, LogRow, LogSource, Notice, Profile, Settings, Store};
use crate::clock::Clock;
use crate::config::Secret;
use crate::lifecycle::Lifecycle;
use crate::links::Sealer;
use crate::media::ffmpeg::Ffmpeg;
use crate::net::TargetDialer;
use crate::services::{
    Account, AccountError, Accounts, Lister, Playout, PlayoutError, ResolveError, Room,
};
use crate::temp::Temp;

/// What broadcasts are made of.
pub struct Parts {
    /// Settings.
    pub config: BroadcastConfig,
    /// What is kept of them.
    pub store: Store,
    /// Seals their keys.
    pub sealer: Arc<Sealer>,
    /// Knows the lists of sites.
    pub lister: Lister,
    /// Finds and opens posts.
    pub playout: Playout,
    /// Both by accounts of the operator's.
    pub accounts: Accounts,
    /// Encodes; without it nothing gets on air.
    pub ffmpeg: Option<Ffmpeg>,
    /// Where items are fetched to; without it all are played as they come.
    pub shelves: Option<Temp>,
    /// Connects to targets.
    pub dialer: Arc<TargetDialer>,
    /// The time of day.
    pub clock: Clock,
    /// Ends what runs.
    pub lifecycle: Lifecycle,
}

/// See the module.
pub(super) struct Context {
    pub(super) parts: Parts,
    pub(super) bus: Bus,
    pub(super) feeds: Arc<Feeds>,
    /// For what is read of live items.
    pub(super) live_room: Room,
    /// Items on disk.
    pub(super) shelves: Shelves,
    /// Items that were fetched before a time on air.
    pub(super) early: Early,
    /// Slates are the same for a profile, and cost a run of the encoder.
    slates: Mutex<HashMap<Profile, Slate>>,
}

/// Why there is no slate.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoSlate {
    /// There is no FFmpeg.
    #[error("there is no ffmpeg")]
    NoFfmpeg,
    /// It fails, for want of an encoder for instance.
    #[error("{}", .0.described())]
    Failed(#[from] NormaliseError),
    /// It wrote something else.
    #[error(transparent)]
    Broken(#[from] SlateError),
}

impl Context {
    pub(super) fn new(parts: Parts) -> Self {
        let context = Self {
            feeds: Feeds::new(parts.lifecycle.clone()),
            live_room: Room::new(LIVE_BYTES),
            shelves: Shelves::new(parts.shelves.clone(), parts.config.shelves.dir.clone()),
            parts,
            bus: Bus::default(),
            early: Early::default(),
            slates: Mutex::default(),
        };
        if let Some(encoding) = context.encoding() {
            let lifecycle = &context.parts.lifecycle;
            lifecycle.spawn(lifecycle.clone().until_soft(check_encoder(encoding)));
        }
        context
    }

    /// Finds posts by the account and the way out of a broadcast.
    ///
    /// # Errors
    /// [`ResolveError::Account`].
    pub(super) async fn playout(&self, settings: &Settings) -> Result<Playout, PlayoutError> {
        let playout = match &settings.account {
            Some(name) => self.account(name).await.map_err(Arc::new)?.playout,
            None => self.parts.playout.clone(),
        };
        let fallback = &self.parts.config.region_fallback;
        Ok(playout.by(settings.proxy.as_deref(), fallback))
    }

    /// Reads lists by the account of a broadcast, and by the way out of this name.
    ///
    /// # Errors
    /// [`ResolveError::Account`].
    pub(super) async fn lister(
        &self,
        settings: &Settings,
        way: Option<&str>,
    ) -> Result<Lister, ResolveError> {
        let lister = match &settings.account {
            Some(name) => self.account(name).await?.lister,
            None => self.parts.lister.clone(),
        };
        Ok(lister.by(way))
    }

    async fn account(&self, name: &str) -> Result<Account, ResolveError> {
        Ok(self.parts.accounts.open(name).await?)
    }

    /// Whether the account of a broadcast can be used, if it names one.
    ///
    /// # Errors
    /// [`AccountError`].
    pub(super) async fn check_account(&self, settings: &Settings) -> Result<(), AccountError> {
        match &settings.account {
            Some(name) => self.parts.accounts.open(name).await.map(drop),
            None => Ok(()),
        }
    }

    pub(super) fn store(&self) -> &Store {
        &self.parts.store
    }

    /// The time of day as it is kept and shown.
    pub(super) fn now(&self) -> String {
        let now = OffsetDateTime::from(self.parts.clock.now());
        let now = now.replace_millisecond(now.millisecond());
        now.unwrap_or(OffsetDateTime::UNIX_EPOCH)
            .format(&Rfc3339)
            .unwrap_or_default()
    }

    /// Writes a row of the log and tells it; secrets must be gone from the message.
    pub(super) fn log(&self, id: &str, level: LogLevel, source: LogSource, about: About<'_>) {
        let row = self.store().log(LogRow {
            id: 0,
            broadcast_id: id.to_owned(),
            created_at: self.now(),
            level,
            source,
            item_id: about.item.map(str::to_owned),
            message: about.message.to_owned(),
        });
        self.bus.tell(id, Notice::Log(row));
    }

    /// The slate of a profile.
    ///
    /// # Errors
    /// [`NoSlate`].
    pub(super) async fn slate(&self, profile: &Profile) -> Result<Slate, NoSlate> {
        let known = {
            let slates = self.slates.lock().unwrap_or_else(PoisonError::into_inner);
            slates.get(profile).cloned()
        };
        if let Some(slate) = known {
            return Ok(slate);
        }
        let slate = self.make_slate(profile).await?;
        let mut slates = self.slates.lock().unwrap_or_else(PoisonError::into_inner);
        if slates.len() >= MAX_SLATES {
            slates.clear();
        }
        slates.insert(profile.clone(), slate.clone());
        Ok(slate)
    }
}

/// Why nothing can be sent to a target.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoOutlet {
    /// There is no such way out.
    #[error("`proxy` names no entry of `EGRESS` of this server")]
    Egress,
    /// Datagrams go no way but the direct one.
    #[error(
        "an SRT target is sent to directly: `proxy` must name a way out that is `direct`, or none"
    )]
    Way,
    /// There is no FFmpeg that can.
    #[error("FFmpeg with the protocol `srt` is needed; `FFMPEG_PATH` names it")]
    Program,
    /// There is no directory for the pipe through which it gets the key.
    #[error("a directory is needed that `STREAM_TEMP_DIR` names")]
    Directory,
    /// The key isn't one of SRT.
    #[error("stream key can't be used with SRT")]
    Key,
}

impl NoOutlet {
    /// The stable word.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Egress => "egress_unknown",
            Self::Way | Self::Program | Self::Directory | Self::Key => "srt_unavailable",
        }
    }
}

impl Context {
    /// The way to a target, by the way out of this name.
    ///
    /// # Errors
    /// [`NoOutlet`].
    pub(super) async fn outlet(
        &self,
        target: Target,
        key: Secret,
        way: Option<&str>,
    ) -> Result<Outlet, NoOutlet> {
        let dialer = self.parts.dialer.by(way).ok_or(NoOutlet::Egress)?;
        let dialer = Arc::new(dialer);
        if target.scheme() != Scheme::Srt {
            return Ok(Outlet::Rtmp(Rtmp::new(dialer, target, key)));
        }
        if !dialer.is_direct() {
            return Err(NoOutlet::Way);
        }
        let options = SrtOptions::parse(key.reveal()).ok_or(NoOutlet::Key)?;
        let ffmpeg = self.parts.ffmpeg.clone().ok_or(NoOutlet::Program)?;
        if !ffmpeg.sends_by("srt").await.unwrap_or(false) {
            return Err(NoOutlet::Program);
        }
        let temp = self.parts.shelves.clone().ok_or(NoOutlet::Directory)?;
        let srt = Srt::new(dialer, (target, options), ffmpeg, temp);
        Ok(Outlet::Srt(Box::new(srt)))
    }

    /// The program as it is run for broadcasts; `None` where there is none.
    pub(super) fn encoding(&self) -> Option<Encoding> {
        Some(Encoding {
            ffmpeg: self.parts.ffmpeg.clone()?,
            config: self.parts.config.encoder.clone(),
            lifecycle: self.parts.lifecycle.clone(),
        })
    }

    async fn make_slate(&self, profile: &Profile) -> Result<Slate, NoSlate> {
        let encoding = self.encoding().ok_or(NoSlate::NoFfmpeg)?;
        let limit = self.parts.config.ffmpeg_timeout;
        if let Some(image) = &encoding.config.slate_image {
            let made = encoding.slate(profile, Some(image), limit).await;
            match made.map(|flv| Slate::parse(&flv, profile.fps)) {
                Ok(Ok(slate)) => return Ok(slate),
                // A picture that can't be decoded keeps nobody off the air.
                failed => tracing::warn!(?failed, "`BROADCAST_SLATE_IMAGE` can't be shown"),
            }
        }
        let flv = encoding.slate(profile, None, limit).await?;
        Ok(Slate::parse(&flv, profile.fps)?)
    }
}

/// Says in the log when the program lacks the encoder that is set: nothing could be started then.
async fn check_encoder(encoding: Encoding) {
    let encoder = encoding.config.video;
    match encoding.ffmpeg.has_encoder(encoder.name()).await {
        Ok(true) => {}
        Ok(false) => tracing::error!(
            %encoder,
            "ffmpeg lacks the encoder of `BROADCAST_VIDEO_ENCODER`: no broadcast can start"
        ),
        Err(error) => tracing::warn!(%error, "encoders of ffmpeg not listed"),
    }
}

/// Bytes of live items that are held at once, of all broadcasts together: on their way to FFmpeg, and what is being read.
/// Three of the largest segments; an ordinary one has a twentieth of that.
const LIVE_BYTES: usize = 96 * 1024 * 1024;
/// Slates that are kept.
const MAX_SLATES: usize = 32;

/// What a row of the log is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct About<'a> {
    /// The item.
    pub(super) item: Option<&'a str>,
    /// What is said.
    pub(super) message: &'a str,
}

impl<'a> From<&'a str> for About<'a> {
    fn from(message: &'a str) -> Self {
        Self {
            item: None,
            message,
        }
    }
}
