//! The API over HTTP: the only room that knows axum (with `server`, which carries it).
//!
//! [`router`] is the table of contents.

use std::any::Any;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;

use crate::app::App;
use crate::protect::Class;

mod cors;
mod error;
mod facts;
mod fields;
mod finish;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
mod guard;
mod headers;
mod json;
mod listing;
pub(crate) mod offline;
mod routes;
mod wire;

/// What handlers share.
pub(crate) type AppState = Arc<App>;

/// Every route, and the layers around them.
pub fn router(app: AppState) -> Router {
    let public = Router::new()
        .route("/", get(routes::index::show))
        .route("/health", get(routes::health::show))
        .route("/livez", get(routes::probes::live))
        .route("/readyz", get(routes::probes::ready))
        .route("/metrics", get(routes::metrics::show))
        .merge(guarded(&app, Class::Resolve, resolving()))
        .merge(guarded(&app, Class::Media, delivering()))
        .fallback(routes::not_found);
    surrounded(public, &app)
        .layer(cors::layer(&app.http))
        .merge(broadcasts(&app))
        .layer(from_fn_with_state(Arc::clone(&app), finish::finish))
        .with_state(app)
}

/// The routes of broadcasts, which pages of other origins may use only where the operator names them.
fn broadcasts(app: &AppState) -> Router<AppState> {
    let guard = from_fn_with_state(Arc::clone(app), routes::broadcasts::guard);
    let routes = surrounded(routes::broadcasts::router(), app).layer(guard);
    match &app.broadcast.cors_origins {
        Some(origins) => routes.layer(cors::broadcast_layer(origins)),
        None => routes,
    }
}

/// What every route has around it.
fn surrounded(routes: Router<AppState>, app: &AppState) -> Router<AppState> {
    let counting = Arc::clone(app);
    let catch = move |panic: Box<dyn Any + Send>| {
        counting.requests.panicked();
        error::panicked(panic.as_ref())
    };
    routes
        .method_not_allowed_fallback(routes::method_not_allowed)
        .layer(DefaultBodyLimit::disable())
        .layer(axum::middleware::from_fn(finish::target_limit))
        .layer(CatchPanicLayer::custom(catch))
}

/// Routes that ask a site.
fn resolving() -> Router<AppState> {
    Router::new()
        .route("/tiktok", post(routes::resolve::resolve))
        .route("/resolve", post(routes::resolve::resolve))
        .route("/playlist", post(routes::playlist::list))
}

/// Routes that deliver what a link names.
fn delivering() -> Router<AppState> {
    Router::new()
        .route("/stream", get(routes::media::deliver))
        .route("/download", get(routes::media::deliver))
        .route("/download-slideshow", get(routes::slideshow::deliver))
}

/// Routes behind keys and limits.
fn guarded(app: &AppState, class: Class, routes: Router<AppState>) -> Router<AppState> {
    let state = guard::Door {
        app: Arc::clone(app),
        class,
    };
    routes.route_layer(from_fn_with_state(state, guard::admit))
}
