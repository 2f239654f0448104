//! The API without a listener: the command line resolves, names files and words errors exactly as the routes do.

use http::StatusCode;

use super::error::ApiError;
use super::{headers, routes};
use crate::app::App;
use crate::extract::Extraction;
use crate::services::{DeliverError, Delivery};

pub(crate) use routes::resolve::{Answer, Asked};

/// Why a request is refused, in the words of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// Status that the route would answer with.
    pub(crate) status: StatusCode,
    /// The stable machine word.
    pub(crate) code: String,
    /// The sentence for people.
    pub(crate) message: String,
}

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        let facts = error.facts(None);
        let text = |name: &str| facts[name].as_str().unwrap_or_default().to_owned();
        let status = facts["code"]
            .as_u64()
            .and_then(|code| u16::try_from(code).ok());
        let status = status.and_then(|code| StatusCode::from_u16(code).ok());
        Self {
            status: status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            code: text("error_code"),
            message: text("message"),
        }
    }
}

/// What `POST /resolve` answers.
///
/// # Errors
/// [`Refused`].
pub(crate) async fn resolve(app: &App, asked: &Asked) -> Result<Answer, Refused> {
    Ok(routes::resolve::answer(app, asked).await?)
}

/// What `GET /stream` answers when there are no bytes.
pub(crate) fn undelivered(error: DeliverError) -> Refused {
    ApiError::from(error).into()
}

/// What is said of a format that the post doesn't have.
pub(crate) fn format_not_found() -> Refused {
    ApiError::format_not_found().into()
}

/// What a file of a post is called, without its extension; `number` is that of a picture.
pub(crate) fn saved_stem(post: &Extraction, number: Option<u32>) -> String {
    headers::saved_stem(&post.author.handle, &post.id, number)
}

/// The extension of what is delivered.
pub(crate) fn saved_extension(delivery: &Delivery) -> String {
    let upstream_type = delivery.transfer.head.content_type.as_deref();
    headers::saved_extension(&delivery.link, upstream_type)
}
