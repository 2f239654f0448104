//! The API over HTTP: the only room that knows axum (with `server`, which carries it).
//!
//! [`router`] is the table of contents. Routes come with their description (`openapi`), so none is undocumented.

use std::any::Any;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

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
mod openapi;
mod routes;
mod swagger;
mod wire;

/// What handlers share.
pub(crate) type AppState = Arc<App>;

/// Every route, and the layers around them.
pub fn router(app: AppState) -> Router {
    let (routes, mut document) = routes(&app).split_for_parts();
    let (of_broadcasts, more) = routes::broadcasts::router().split_for_parts();
    document.merge(more);
    // Set once: a second router of the same app has the same routes.
    let _ = app.document.set(openapi::text(&document).into());
    surrounded(routes.fallback(routes::not_found), &app)
        .layer(cors::layer(&app.http))
        .merge(broadcasts(&app, of_broadcasts))
        .layer(from_fn_with_state(Arc::clone(&app), finish::finish))
        .with_state(app)
}

/// The routes of broadcasts, which pages of other origins may use only where the operator names them.
fn broadcasts(app: &AppState, routes: Router<AppState>) -> Router<AppState> {
    let guard = from_fn_with_state(Arc::clone(app), routes::broadcasts::guard);
    let routes = surrounded(routes, app).layer(guard);
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

/// Every route with its description.
fn routes(app: &AppState) -> OpenApiRouter<AppState> {
    let document = openapi::document(&app.base_url);
    let routes = OpenApiRouter::with_openapi(document)
        .merge(guarded(app, Class::Resolve, resolving()))
        .merge(guarded(app, Class::Media, delivering()))
        .merge(operating());
    if app.http.has_docs {
        return routes.merge(documenting());
    }
    routes
}

/// Routes that ask a site.
fn resolving() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(routes::resolve::resolve))
        .routes(routes!(routes::resolve::by_first_name))
        .routes(routes!(routes::playlist::list))
}

/// Routes that deliver what a link names.
fn delivering() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(routes::media::stream))
        .routes(routes!(routes::media::download))
        .routes(routes!(routes::slideshow::deliver))
}

/// Routes for whoever runs the server.
fn operating() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(routes::index::show))
        .routes(routes!(routes::health::show))
        .routes(routes!(routes::probes::live))
        .routes(routes!(routes::probes::ready))
        .routes(routes!(routes::metrics::show))
}

/// Routes about the routes.
fn documenting() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(routes::docs::document))
        .routes(routes!(routes::docs::page))
        .routes(routes!(routes::docs::file))
}

/// Routes behind keys and limits.
fn guarded(
    app: &AppState,
    class: Class,
    routes: OpenApiRouter<AppState>,
) -> OpenApiRouter<AppState> {
    let door = guard::Door {
        app: Arc::clone(app),
        class,
    };
    routes.route_layer(from_fn_with_state(door, guard::admit))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_route_has_a_label_for_figures() {
        let all = resolving()
            .merge(delivering())
            .merge(operating())
            .merge(documenting())
            .merge(routes::broadcasts::router());
        let (_, document) = all.split_for_parts();
        let paths: BTreeSet<_> = document.paths.paths.keys().map(String::as_str).collect();
        assert_eq!(paths, BTreeSet::from(finish::ROUTES));
    }

    #[test]
    fn routes_behind_keys_are_those_that_keys_may_be_for() {
        let (_, document) = resolving().merge(delivering()).split_for_parts();
        let paths: BTreeSet<_> = document.paths.paths.keys().map(String::as_str).collect();
        assert_eq!(paths, BTreeSet::from(crate::protect::KEYED_ROUTES));
    }

    /// The paths that a router knows, as its `Debug` shows them: `RouteId(1): "/a"`.
    fn paths_of(router: &Router) -> BTreeSet<String> {
        let shown = format!("{router:?}");
        let parts = shown.split("RouteId(").skip(1);
        let paths = parts.filter_map(|part| part.split('"').nth(1));
        // The path of the answer to what is no route is axum's own.
        let own = paths.filter(|path| path.starts_with('/') && !path.contains("private__axum"));
        own.map(str::to_owned).collect()
    }

    #[tokio::test]
    async fn every_path_of_the_router_is_in_the_document() {
        let undescribed = Router::new().route("/undescribed", axum::routing::get(async || ()));
        assert!(paths_of(&undescribed).contains("/undescribed"));
        let folder = tempfile::tempdir().unwrap();
        let temp = folder.path().to_string_lossy().into_owned();
        let mut env = crate::config::Env::from_pairs([("TEMP_DIR", temp)]);
        let settings = crate::app::Settings::from_env(&mut env);
        env.finish().unwrap();
        let lifecycle = crate::lifecycle::Lifecycle::new();
        let app = App::new(settings, 1, lifecycle).unwrap();
        let known = paths_of(&router(Arc::clone(&app)));
        let document: serde_json::Value =
            serde_json::from_slice(app.document.get().unwrap()).unwrap();
        let documented = document["paths"].as_object().unwrap().keys();
        assert_eq!(known, documented.cloned().collect());
    }
}
