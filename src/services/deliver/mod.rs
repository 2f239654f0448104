//! Link -> bytes.

mod error;
mod pair;

use std::sync::Arc;

use bytes::Bytes;

use super::archive::Archives;
use super::feed::Feed;
use super::jobs::{Jobs, SlowJobs};
use super::joined::{Joiner, PairId};
use super::origin::{LinkOrigin, Post};
use super::remux::Remuxes;
use super::slideshow::{FileOrigin, Limits, Rendering, Slideshows, Waiter};
use super::sound::{Look, Sounds};
use super::{OriginError, Resolver, ServicesConfig, captions};
use crate::clock::Clock;
use crate::extract::{Extractor, Source};
use crate::links::{Kind, Link, LinkError, Purpose, Sealer};
use crate::media::ffmpeg::Ffmpeg;
use crate::temp::Temp;
use crate::transfer::{
    Admission, Ask, Engine, Engines, Expected, Origin, Permit, ShutdownHandles, Stats, Transfer,
    TransferError,
};

pub use error::DeliverError;

/// A link's bytes, ready to be sent.
#[derive(Debug)]
pub struct Delivery {
    /// What the link says.
    pub link: Link,
    /// Head and body.
    pub transfer: Transfer,
    /// About how many bytes, where nobody knows how many.
    pub estimate: Option<u64>,
}

impl Delivery {
    fn new(link: Link, transfer: Transfer) -> Self {
        Self {
            link,
            transfer,
            estimate: None,
        }
    }
}

/// A small file that was read whole.
#[derive(Debug)]
pub struct TextFile {
    /// What the link says.
    pub link: Link,
    /// The file.
    pub text: Bytes,
}

/// What a link names, ready to be sent.
#[derive(Debug)]
pub enum Delivered {
    /// Bytes as they come.
    Media(Box<Delivery>),
    /// A text.
    Text(Box<TextFile>),
}

/// What a deliverer works with besides the sites; a part that is missing takes its links with it.
#[derive(Clone)]
pub struct Tools {
    /// Joins tracks.
    pub joiner: Joiner,
    /// FFmpeg.
    pub ffmpeg: Option<Ffmpeg>,
    /// Temporary files.
    pub temp: Option<Temp>,
    /// What transfers are made by.
    pub engines: Engines,
    /// How the life cycle ends what runs.
    pub handles: ShutdownHandles,
    /// The time of day.
    pub clock: Clock,
}

/// Delivers what links name. Cheap to clone.
#[derive(Clone)]
pub struct Deliverer {
    resolver: Resolver,
    sealer: Arc<Sealer>,
    engine: Arc<Engine>,
    joiner: Joiner,
    admission: Admission,
    archives: Archives,
    sounds: Sounds,
    slideshows: Slideshows,
    remuxes: Remuxes,
    jobs: Jobs,
    slow: SlowJobs,
}

impl Deliverer {
    /// A deliverer over the same sites and keys as the resolver and the minter.
    pub fn new(
        config: &ServicesConfig,
        resolver: Resolver,
        sealer: Arc<Sealer>,
        tools: Tools,
    ) -> Self {
        let Tools {
            joiner,
            ffmpeg,
            temp,
            engines,
            handles,
            clock,
        } = tools;
        let feed = Feed::new(resolver.clone(), &engines);
        let queue = |places| Admission::new(places, config.max_queue, config.queue_timeout);
        let jobs = Jobs::among(resolver.admission(), queue);
        let slow = SlowJobs::among(&jobs, queue);
        let programs = (ffmpeg.clone(), temp.clone());
        let limits = Limits {
            concurrency: config.slideshow_concurrency,
            max_queue: config.max_queue,
            time_limit: config.slideshow_timeout,
            keep: config.slideshow_keep,
        };
        Self {
            engine: Arc::new(engines.for_clients()),
            admission: queue(config.max_streams),
            archives: Archives::new(feed.clone()),
            sounds: Sounds::new(feed.clone(), programs.clone(), slow.clone()),
            remuxes: Remuxes::new(feed.clone(), programs, slow.clone()),
            slideshows: Slideshows::new(
                feed,
                (ffmpeg, temp),
                &limits,
                jobs.clone(),
                handles,
                clock,
            ),
            jobs,
            slow,
            resolver,
            sealer,
            joiner,
        }
    }

    /// Opens a link and starts its transfer.
    ///
    /// # Errors
    /// [`DeliverError`]; nothing has been sent then.
    pub async fn deliver(&self, token: &str, ask: Ask) -> Result<Delivered, DeliverError> {
        let link = self.sealer.open(Purpose::Media, token).await?;
        let (extractor, source) = self.post_of(&link)?;
        let delivery = match link.kind {
            Kind::Slideshow => {
                let waiter = self.begin(&extractor, source, &link).await?;
                self.deliver_video(link, waiter, ask).await
            }
            Kind::Archive => self.deliver_archive(link, &extractor, source, ask).await,
            Kind::Audio if link.extension == "mp3" => {
                self.deliver_mp3(link, &extractor, source, ask).await
            }
            Kind::Caption => return self.deliver_text(link, &extractor, source).await,
            Kind::Video | Kind::Audio | Kind::Image => {
                self.deliver_file(link, &extractor, source, ask).await
            }
        };
        Ok(Delivered::Media(Box::new(delivery?)))
    }

    /// Opens a slideshow link, renders its video unless there is one, and starts the transfer.
    ///
    /// # Errors
    /// [`DeliverError`]; nothing has been sent then.
    pub async fn deliver_slideshow(&self, token: &str, ask: Ask) -> Result<Delivery, DeliverError> {
        let link = self.sealer.open(Purpose::Slideshow, token).await?;
        let (extractor, source) = self.post_of(&link)?;
        let waiter = self.begin(&extractor, source, &link).await?;
        self.deliver_video(link, waiter, ask).await
    }

    /// Opens a slideshow link and begins to render its video unless there is one. It is given up with the last waiter.
    ///
    /// # Errors
    /// [`DeliverError`].
    pub async fn watch_slideshow(&self, token: &str) -> Result<Waiter, DeliverError> {
        let link = self.sealer.open(Purpose::Slideshow, token).await?;
        let (extractor, source) = self.post_of(&link)?;
        self.begin(&extractor, source, &link).await
    }

    /// The places for transfers.
    pub fn admission(&self) -> &Admission {
        &self.admission
    }

    /// Jobs of FFmpeg that run beside the places for extractions, which count the others.
    pub fn jobs_beside(&self) -> usize {
        self.jobs.beside()
    }

    /// Jobs of FFmpeg that wait for a place.
    pub fn jobs_waiting(&self) -> usize {
        self.slow.waiting()
    }

    /// What became of the transfers since the start.
    pub fn stats(&self) -> Stats {
        self.engine.stats()
    }

    /// Drops what is kept too long, until the server ends.
    pub fn tidy(&self) -> impl Future<Output = ()> + Send + use<> {
        self.slideshows.clone().tidy()
    }

    fn post_of(&self, link: &Link) -> Result<(Arc<dyn Extractor>, Source), LinkError> {
        let extractor = self
            .resolver
            .extractor(&link.site)
            .ok_or(LinkError::Invalid)?;
        let source = extractor.source(&link.id).ok_or(LinkError::Invalid)?;
        Ok((Arc::clone(extractor), source))
    }

    /// What the site says of the post of a link: cached, or asked for.
    async fn post(
        &self,
        extractor: &Arc<dyn Extractor>,
        source: Source,
        link: &Link,
    ) -> Result<Post, OriginError> {
        let extraction = self
            .resolver
            .refresh(extractor, source.clone(), None, link.egress.as_deref())
            .await?;
        Ok(Post {
            extractor: Arc::clone(extractor),
            source,
            extraction,
        })
    }

    async fn begin(
        &self,
        extractor: &Arc<dyn Extractor>,
        source: Source,
        link: &Link,
    ) -> Result<Waiter, DeliverError> {
        let post = self.post(extractor, source, link).await?;
        Ok(self.slideshows.wait_for(post).await.map_err(Arc::new)?)
    }

    /// A file of the site as it is, or two tracks as one.
    async fn deliver_file(
        &self,
        link: Link,
        extractor: &Arc<dyn Extractor>,
        source: Source,
        ask: Ask,
    ) -> Result<Delivery, DeliverError> {
        let permit = self.admission.admit().await?;
        let Some(pair) = PairId::of_link(&link) else {
            let origin = LinkOrigin::find(&self.resolver, extractor, source, &link).await?;
            let transfer = self.start(Arc::new(origin), &link, ask, permit).await?;
            return Ok(Delivery::new(link, transfer));
        };
        self.deliver_pair(link, (extractor, source), &pair, (ask, permit))
            .await
    }

    async fn deliver_text(
        &self,
        link: Link,
        extractor: &Arc<dyn Extractor>,
        source: Source,
    ) -> Result<Delivered, DeliverError> {
        let _permit = self.admission.admit().await?;
        let text = captions::fetch(&self.resolver, extractor, source, &link).await?;
        Ok(Delivered::Text(Box::new(TextFile { link, text })))
    }

    async fn deliver_video(
        &self,
        mut link: Link,
        waiter: Waiter,
        ask: Ask,
    ) -> Result<Delivery, DeliverError> {
        let rendering: Arc<Rendering> = waiter.finished().await?;
        link.index = u32::try_from(rendering.made_at).ok();
        let origin = Arc::new(FileOrigin::new(rendering));
        let permit = self.admission.admit().await?;
        let transfer = self.run(origin, ask, permit).await?;
        Ok(Delivery::new(link, transfer))
    }

    async fn deliver_archive(
        &self,
        link: Link,
        extractor: &Arc<dyn Extractor>,
        source: Source,
        ask: Ask,
    ) -> Result<Delivery, DeliverError> {
        let permit = self.admission.admit().await?;
        let post = self.post(extractor, source, &link).await?;
        let origin = Arc::new(self.archives.origin(post).await?);
        let transfer = self.run(origin, ask, permit).await?;
        Ok(Delivery::new(link, transfer))
    }

    /// The track itself where it is MP3, else a transcoding of it.
    async fn deliver_mp3(
        &self,
        mut link: Link,
        extractor: &Arc<dyn Extractor>,
        source: Source,
        ask: Ask,
    ) -> Result<Delivery, DeliverError> {
        let permit = self.admission.admit().await?;
        let found = LinkOrigin::find(&self.resolver, extractor, source.clone(), &link).await?;
        let origin = Arc::new(found);
        let look = self.sounds.look(&link, &origin).await?;
        let Some(extension) = self.sounds.native(&look).await else {
            let post = self.post(extractor, source, &link).await?;
            let first = Arc::clone(&look);
            let mut started = self.transcode(&post, &origin, first, &ask, permit).await;
            if started.is_err() && look.is_of_another() {
                let permit = self.admission.admit().await?;
                let look = self.sounds.look(&link, &origin).await?;
                started = self.transcode(&post, &origin, look, &ask, permit).await;
            }
            let transfer = started?;
            return Ok(Delivery::new(link, transfer));
        };
        extension.clone_into(&mut link.extension);
        let transfer = self.start(origin, &link, ask, permit).await?;
        Ok(Delivery::new(link, transfer))
    }

    async fn transcode(
        &self,
        post: &Post,
        origin: &Arc<LinkOrigin>,
        look: Arc<Look>,
        ask: &Ask,
        permit: Permit,
    ) -> Result<Transfer, DeliverError> {
        let origin = Arc::clone(origin);
        let mp3 = self.sounds.transcoded(post, origin, look, ask.is_head);
        Ok(self.run(Arc::new(mp3.await?), ask.clone(), permit).await?)
    }

    async fn start(
        &self,
        origin: Arc<LinkOrigin>,
        link: &Link,
        ask: Ask,
        permit: Permit,
    ) -> Result<Transfer, DeliverError> {
        let started = self.pass(&origin, link, ask.clone(), permit).await;
        let Err(TransferError::Refresh(OriginError::FormatGone)) = started else {
            return Ok(started?);
        };
        let nearest = Arc::new(origin.nearest(link).await?);
        let permit = self.admission.admit().await?;
        Ok(self.pass(&nearest, link, ask, permit).await?)
    }

    async fn pass(
        &self,
        origin: &Arc<LinkOrigin>,
        link: &Link,
        ask: Ask,
        permit: Permit,
    ) -> Result<Transfer, TransferError<OriginError>> {
        let known_length = origin.known_length();
        let expected = match link.kind {
            Kind::Image => Expected::Image,
            Kind::Video | Kind::Audio | Kind::Slideshow | Kind::Archive | Kind::Caption => {
                Expected::Media
            }
        };
        self.engine
            .start(Arc::clone(origin), expected, known_length, ask, permit)
            .await
    }

    /// Sends what is made here.
    async fn run<O>(
        &self,
        origin: Arc<O>,
        ask: Ask,
        permit: Permit,
    ) -> Result<Transfer, TransferError<OriginError>>
    where
        O: Origin<Error = OriginError>,
    {
        let expected = Expected::Media;
        self.engine.start(origin, expected, None, ask, permit).await
    }
}
