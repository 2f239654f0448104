//! A token provider on loopback, as an operator runs one: `GET /ping` and `POST /get_pot`.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use super::super::media::sha256_hex;

/// What is wrong with the provider.
#[derive(Debug, Clone)]
pub(crate) enum ProviderFault {
    /// It answers with this status.
    Status(u16),
    /// It gives this in place of its answer to `get_pot`.
    Says(String),
    /// It never answers.
    Silent,
}

#[derive(Debug, Default)]
struct Shared {
    fault: Mutex<Option<ProviderFault>>,
    /// What tokens were asked to be bound to.
    bindings: Mutex<Vec<String>>,
    pings: Mutex<usize>,
}

/// The provider, running. It ends when dropped.
pub(crate) struct TokenProvider {
    url: String,
    shared: Arc<Shared>,
    _task: AbortOnDropHandle<()>,
}

impl TokenProvider {
    /// Starts one that makes tokens.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("listener");
        let address = listener.local_addr().expect("listening address");
        let shared = Arc::<Shared>::default();
        let router = Router::new()
            .route("/ping", get(ping))
            .route("/get_pot", post(get_pot))
            .with_state(Arc::clone(&shared));
        let serve = async move { axum::serve(listener, router).await.expect("provider") };
        Self {
            url: format!("http://{address}"),
            shared,
            _task: AbortOnDropHandle::new(super::super::super::task::spawn(serve)),
        }
    }

    /// Part of every token.
    pub(crate) const TOKEN: &str = "c4naryOfAToken";

    /// The token for what it is bound to.
    pub(crate) fn token_for(binding: &str) -> String {
        let digest = &sha256_hex(binding.as_bytes())[..40];
        format!("Mn{}{digest}", Self::TOKEN)
    }

    /// Value of `YOUTUBE_POT_PROVIDER_URL`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Lets something go wrong from now on.
    pub(crate) fn fail(&self, fault: ProviderFault) {
        *self.shared.fault.lock().expect("fault") = Some(fault);
    }

    /// What tokens were asked to be bound to, in order.
    pub(crate) fn bindings(&self) -> Vec<String> {
        self.shared.bindings.lock().expect("bindings").clone()
    }

    /// How often it was asked whether it is there.
    pub(crate) fn pings(&self) -> usize {
        *self.shared.pings.lock().expect("pings")
    }
}

/// What the provider answers when something is wrong with it.
async fn trouble(shared: &Shared, is_ping: bool) -> Option<Response> {
    let fault = shared.fault.lock().expect("fault").clone()?;
    match fault {
        ProviderFault::Status(status) => {
            let status = StatusCode::from_u16(status).expect("a status");
            Some((status, Json(json!({ "error": "no" }))).into_response())
        }
        ProviderFault::Says(_) if is_ping => None,
        ProviderFault::Says(text) => Some(text.into_response()),
        ProviderFault::Silent => std::future::pending().await,
    }
}

async fn ping(State(shared): State<Arc<Shared>>) -> Response {
    *shared.pings.lock().expect("pings") += 1;
    let well = || Json(json!({ "server_uptime": 1.5, "version": "1.2.2" })).into_response();
    trouble(&shared, true).await.unwrap_or_else(well)
}

async fn get_pot(State(shared): State<Arc<Shared>>, Json(body): Json<Value>) -> Response {
    let binding = body["content_binding"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    shared
        .bindings
        .lock()
        .expect("bindings")
        .push(binding.clone());
    let well = || {
        let answer = json!({
            "contentBinding": binding,
            "poToken": TokenProvider::token_for(&binding),
            "expiresAt": "2099-01-01T00:00:00.000Z",
        });
        Json(answer).into_response()
    };
    trouble(&shared, false).await.unwrap_or_else(well)
}
