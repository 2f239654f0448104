//! Everything the server is made of, built once from the settings.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use bytes::Bytes;
use tracing::{info, warn};

use crate::broadcast::{BroadcastConfig, Broadcasts, Parts, Store};
use crate::clock::Clock;
use crate::config::{Env, HttpConfig, ServerConfig};
use crate::extract::{self, Extractor};
use crate::lifecycle::Lifecycle;
use crate::links::{LinksConfig, Sealer};
use crate::media::ffmpeg::Ffmpeg;
use crate::net::{self, EgressConfig, Egresses, NetError, StoreConfig};
use crate::observe::Requests;
use crate::protect::{self, KeyDigest, MemoryStore, Protect, ProtectConfig, SharedStore};
use crate::services::{
    Accounts, Deliverer, Joiner, Lister, Makes, Minter, Playout, Resolver, ServicesConfig, Shared,
    Sources, Tools,
};
use crate::temp::{Temp, TempConfig};
use crate::transfer::{Engines, ShutdownHandles, TransferConfig};

/// All settings, typed. Made from an [`Env`], whose `finish` then tells every fault at once.
pub struct Settings {
    /// Where and how the server listens.
    pub server: ServerConfig,
    /// The API.
    pub http: HttpConfig,
    /// Keys and limits.
    pub protect: ProtectConfig,
    /// Links and their key.
    pub links: LinksConfig,
    /// The Redis that instances share, if there is one.
    pub store: Option<StoreConfig>,
    /// Limits of the services.
    pub services: ServicesConfig,
    /// Transfers.
    pub transfer: TransferConfig,
    /// The ways out.
    pub net: EgressConfig,
    /// Every site, with its own settings.
    pub extractors: Vec<Arc<dyn Extractor>>,
    /// Temporary files.
    pub temp: TempConfig,
    /// Broadcasts.
    pub broadcast: BroadcastConfig,
    /// `FFMPEG_PATH`, else `ffmpeg` on the `PATH`; `None` when there is none.
    pub ffmpeg: Option<Ffmpeg>,
}

impl Settings {
    /// Asks `env` for everything. Faults are noted in `env`.
    pub fn from_env(env: &mut Env) -> Self {
        env.warn_of_ambiguous();
        let settings = Self::read(env);
        for name in &settings.broadcast.region_fallback {
            if !settings.net.has(name) {
                env.fault(
                    "BROADCAST_REGION_FALLBACK",
                    format_args!("`{name}` is no entry of EGRESS"),
                );
            }
        }
        settings
    }

    fn read(env: &mut Env) -> Self {
        Self {
            server: ServerConfig::from_env(env),
            http: HttpConfig::from_env(env),
            protect: ProtectConfig::from_env(env),
            links: LinksConfig::from_env(env),
            store: StoreConfig::from_env(env),
            services: ServicesConfig::from_env(env),
            transfer: TransferConfig::from_env(env),
            net: EgressConfig::from_env(env),
            extractors: extract::all(env),
            temp: TempConfig::from_env(env),
            broadcast: BroadcastConfig::from_env(env),
            ffmpeg: ffmpeg(env),
        }
    }
}

/// Without it the server runs, and says so: at once where a program was named.
fn ffmpeg(env: &mut Env) -> Option<Ffmpeg> {
    let named = env.path("FFMPEG_PATH");
    let name = named.clone().unwrap_or_else(|| PathBuf::from("ffmpeg"));
    let Some(program) = find_program(env, name) else {
        if let Some(path) = named {
            warn!(path = %path.display(), "no FFmpeg: `FFMPEG_PATH` names no program");
        } else {
            info!("no FFmpeg: there is none on the `PATH`");
        }
        return None;
    };
    Some(Ffmpeg::new(program, env.own_program()))
}

/// A path as it is; a name on the `PATH`.
fn find_program(env: &Env, name: PathBuf) -> Option<PathBuf> {
    if name.components().count() > 1 {
        return is_program(&name).then_some(name);
    }
    let folders = env.search_path();
    folders
        .iter()
        .map(|folder| Path::new(folder).join(&name))
        .find(|candidate| is_program(candidate))
}

/// Whether somebody may run the file; whether it does what is wanted shows when it has run.
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path)
        .is_ok_and(|facts| facts.is_file() && facts.permissions().mode() & 0o111 != 0)
}

/// What handlers share.
pub struct App {
    pub(crate) http: HttpConfig,
    pub(crate) server: ServerConfig,
    pub(crate) protect: Protect,
    /// What `/metrics` wants to be shown.
    pub(crate) metrics_token: Option<KeyDigest>,
    /// What links begin with; no trailing slash.
    pub(crate) base_url: String,
    pub(crate) resolver: Resolver,
    pub(crate) lister: Lister,
    pub(crate) minter: Minter,
    pub(crate) joiner: Joiner,
    pub(crate) deliverer: Deliverer,
    /// `None` while nobody is allowed to use them.
    pub(crate) broadcasts: Option<Broadcasts>,
    pub(crate) broadcast: BroadcastConfig,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) clock: Clock,
    pub(crate) started: Instant,
    pub(crate) port: u16,
    pub(crate) max_queue: usize,
    pub(crate) ffmpeg: Option<Ffmpeg>,
    pub(crate) temp: Option<Temp>,
    /// What `/openapi.json` answers; set by the router, which knows the routes.
    pub(crate) document: OnceLock<Bytes>,
    /// What broadcasts fetched ahead.
    pub(crate) shelves: Option<Temp>,
    /// What came of requests.
    pub(crate) requests: Requests,
}

impl App {
    /// Builds every service. `port` is the one that is really listened on.
    ///
    /// # Errors
    /// [`NetError`] when TLS can't be set up.
    #[expect(clippy::too_many_lines, reason = "a list: every service once")]
    pub fn new(settings: Settings, port: u16, lifecycle: Lifecycle) -> Result<Arc<Self>, NetError> {
        let clock = Clock::System;
        let metrics_token = settings.http.metrics_token.as_ref();
        warn_of_key(&settings.links);
        let sealer = Arc::new(Sealer::new(&settings.links, clock));
        warm_up(&sealer, &lifecycle);
        let dialer = settings
            .net
            .target_dialer(settings.broadcast.targets.clone())?;
        let dialer = Arc::new(dialer);
        let (instance, ttl) = (settings.server.instance_name(), settings.services.cache_ttl);
        let egresses = Egresses::new(settings.net)?;
        lifecycle.spawn(lifecycle.clone().until_soft(egresses.clone().watch()));
        let store = settings.store.map(|config| connected(config, &lifecycle));
        let counts = counts(store.as_ref(), &sealer);
        let sources = Sources {
            extractors: settings.extractors,
            egresses,
            shared: store
                .map(|store| Shared::new(store, Arc::clone(&sealer), clock, ttl, instance)),
        };
        let resolver = Resolver::new(&settings.services, sources, &lifecycle);
        let handles = ShutdownHandles {
            tracker: lifecycle.tracker.clone(),
            cancel: lifecycle.hard.clone(),
        };
        let engines = Engines::new(settings.transfer, handles.clone());
        let ffmpeg = settings.ffmpeg.clone();
        if let Some(ffmpeg) = &ffmpeg {
            lifecycle.spawn(lifecycle.clone().until_soft(ffmpeg.clone().examine()));
        }
        let temp_dir = temp(&settings.temp, "TEMP_DIR", &lifecycle);
        let can_remux = ffmpeg.is_some() && temp_dir.is_some();
        let joiner = Joiner::new(&settings.services, &engines, resolver.clone(), can_remux);
        let playout = Playout::new(resolver.clone(), joiner.clone(), &engines);
        let tools = Tools {
            joiner: joiner.clone(),
            ffmpeg: settings.ffmpeg.clone(),
            temp: temp_dir.clone(),
            engines,
            handles,
            clock,
        };
        let deliverer = Deliverer::new(
            &settings.services,
            resolver.clone(),
            Arc::clone(&sealer),
            tools,
        );
        lifecycle.spawn(lifecycle.clone().until_soft(deliverer.tidy()));
        let lister = Lister::new(&settings.services, resolver.clone(), &lifecycle);
        let accounts = Accounts::new(
            settings.broadcast.cookies_dir.clone(),
            &settings.services,
            (resolver.clone(), playout.clone()),
            &lifecycle,
        );
        // Only where somebody may use it: the directory is made at once.
        let token = settings.broadcast.token.as_ref();
        let shelves =
            token.and_then(|_| temp(&settings.broadcast.shelves, "STREAM_TEMP_DIR", &lifecycle));
        let kept = shelves.clone();
        let parts = |store| Parts {
            config: settings.broadcast.clone(),
            store,
            sealer: Arc::clone(&sealer),
            lister: lister.clone(),
            playout,
            accounts,
            ffmpeg: ffmpeg.clone(),
            shelves,
            dialer,
            clock,
            lifecycle: lifecycle.clone(),
        };
        let broadcasts = broadcasts(&settings.broadcast, parts, &lifecycle);
        let makes = Makes {
            ffmpeg: ffmpeg.clone(),
            has_temp: temp_dir.is_some(),
        };
        Ok(Arc::new(Self {
            base_url: settings.server.public_url(port),
            protect: Protect::new(settings.protect, clock, counts),
            metrics_token: metrics_token.map(|token| KeyDigest::of(token.reveal().as_bytes())),
            http: settings.http,
            lister,
            resolver,
            minter: Minter::new(sealer, makes),
            joiner,
            deliverer,
            broadcasts,
            broadcast: settings.broadcast,
            lifecycle,
            clock,
            started: Instant::now(),
            port,
            max_queue: settings.services.max_queue,
            ffmpeg,
            temp: temp_dir,
            shelves: kept,
            server: settings.server,
            document: OnceLock::new(),
            requests: Requests::default(),
        }))
    }
}

/// Broadcasts, where a token lets somebody use them.
fn broadcasts(
    config: &BroadcastConfig,
    parts: impl FnOnce(Store) -> Parts,
    lifecycle: &Lifecycle,
) -> Option<Broadcasts> {
    config.token.as_ref()?;
    let store = match Store::open(&config.database) {
        Ok(store) => store,
        Err(error) => {
            warn!(err = %error, "no broadcasts: no thread for their database");
            return None;
        }
    };
    let broadcasts = Broadcasts::new(parts(store));
    lifecycle.spawn(broadcasts.clone().end_following());
    let booted = broadcasts.clone();
    let until_soft = lifecycle.clone();
    lifecycle.spawn(async move {
        booted.boot().await;
        until_soft.until_soft(booted.keep_times()).await;
    });
    Some(broadcasts)
}

/// Where requests are counted.
fn counts(store: Option<&net::Store>, sealer: &Arc<Sealer>) -> Arc<dyn protect::Store> {
    match store {
        Some(store) => Arc::new(SharedStore::new(store.clone(), Arc::clone(sealer))),
        None => Arc::new(MemoryStore::default()),
    }
}

/// The store, connected in the background as long as the server runs.
fn connected(config: StoreConfig, lifecycle: &Lifecycle) -> net::Store {
    let store = net::Store::new(config);
    lifecycle.spawn(lifecycle.clone().until_soft(store.clone().keep()));
    store
}

/// The temporary files, swept from time to time; without them the server runs on, and says so.
fn temp(config: &TempConfig, variable: &str, lifecycle: &Lifecycle) -> Option<Temp> {
    let temp = match Temp::open(config) {
        Ok(temp) => temp,
        Err(error) => {
            warn!(dir = %config.dir.display(), variable, err = %error, "no temporary files: the variable names a directory that can be written to");
            return None;
        }
    };
    let (swept, interval) = (temp.clone(), config.cleanup_interval);
    let sweeping = async move {
        loop {
            tokio::time::sleep(interval).await;
            let temp = swept.clone();
            // It fails only when the process ends.
            let _ = tokio::task::spawn_blocking(move || temp.sweep()).await;
        }
    };
    lifecycle.spawn(lifecycle.clone().until_soft(sweeping));
    Some(temp)
}

fn warn_of_key(links: &LinksConfig) {
    if links.key.is_none() {
        warn!(
            "`ENCRYPTION_KEY` is not set: links die with this process; `serverrs key` prints one"
        );
    }
    if links.is_weak() {
        warn!("a weak `ENCRYPTION_KEY` is accepted by `ALLOW_INSECURE_KEY`: anybody can guess it");
    }
}

/// Derives the key while the server already listens (ruling 32).
fn warm_up(sealer: &Arc<Sealer>, lifecycle: &Lifecycle) {
    let sealer = Arc::clone(sealer);
    lifecycle.spawn(async move { sealer.warm_up().await });
}
