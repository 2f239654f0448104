//! One request and its response, from hyper to the router and back, watched from end to end.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::CONTENT_LENGTH;
use http::{Method, Request, Response, Version};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::service::Service;
use tower::ServiceExt;

use super::ClientAddr;
use super::activity::Activity;
use super::protocol::StreamReset;

/// The router as one connection sees it.
#[derive(Debug)]
pub(super) struct Exchanges {
    pub(super) router: Router,
    pub(super) client: ClientAddr,
    pub(super) activity: Arc<Activity>,
}

impl Service<Request<Incoming>> for Exchanges {
    type Response = Response<WatchedBody>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let exchange = Exchange::begin(&self.activity);
        let router = self.router.clone();
        let ends_with_connection = request.version() == Version::HTTP_10;
        let is_head = request.method() == Method::HEAD;
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(self.client);
        Box::pin(async move {
            // Here and not above: the stream's own task runs this.
            if let Some(reset) = StreamReset::of_this_stream() {
                request.extensions_mut().insert(reset);
            }
            let response = router.oneshot(request).await?;
            // HTTP/1.0 knows no chunks: without a length the end of the connection ends the body (RFC 9112 §6.3).
            let is_unframed = ends_with_connection && !is_head && !has_length(&response);
            Ok(response.map(|body| WatchedBody::new(body, exchange, is_unframed)))
        })
    }
}

fn has_length(response: &Response<Body>) -> bool {
    response.headers().contains_key(CONTENT_LENGTH) || response.body().size_hint().exact().is_some()
}

/// Counts as running until dropped.
#[derive(Debug)]
struct Exchange(Arc<Activity>);

impl Exchange {
    fn begin(activity: &Arc<Activity>) -> Self {
        activity.begin();
        Self(Arc::clone(activity))
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// A response body that reports whether the client takes it, and whether it came to its proper end.
#[derive(Debug)]
pub(super) struct WatchedBody {
    body: Body,
    exchange: Exchange,
    has_untaken: bool,
    is_unframed: bool,
}

impl WatchedBody {
    fn new(body: Body, exchange: Exchange, is_unframed: bool) -> Self {
        if is_unframed {
            exchange.0.begin_unframed();
        }
        Self {
            body,
            exchange,
            has_untaken: false,
            is_unframed,
        }
    }

    fn taken(&mut self) {
        if std::mem::take(&mut self.has_untaken) {
            self.exchange.0.take();
        }
    }

    fn ended(&mut self) {
        if std::mem::take(&mut self.is_unframed) {
            self.exchange.0.end_unframed();
        }
    }
}

impl HttpBody for WatchedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.taken();
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(_))) => {
                self.has_untaken = true;
                self.exchange.0.hand_over();
                if self.body.is_end_stream() {
                    self.ended();
                }
            }
            Poll::Ready(None) => self.ended(),
            Poll::Ready(Some(Err(_))) => self.exchange.0.broke_off(),
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for WatchedBody {
    fn drop(&mut self) {
        // An unframed body that is dropped before its end stays counted: the connection must not end cleanly.
        self.taken();
    }
}
