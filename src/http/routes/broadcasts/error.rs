//! What of broadcasts goes wrong, as answers.

use http::StatusCode;
use serde_json::{Value, json};

use crate::broadcast::{BroadcastError, FieldFault, StoreError};
use crate::http::error::ApiError;

impl From<BroadcastError> for ApiError {
    fn from(error: BroadcastError) -> Self {
        let told = |status, code, message: &str| Self::new(status, code, message);
        match error {
            BroadcastError::NotFound => not_found(),
            BroadcastError::Invalid(faults) => invalid(&faults),
            BroadcastError::Playlist(error) => Self::from(error.as_ref()),
            BroadcastError::Running(field) => running(field.as_deref()),
            BroadcastError::NotRunning => told(
                StatusCode::CONFLICT,
                "broadcast_not_running",
                "This broadcast is not on air",
            ),
            BroadcastError::Draining => told(
                StatusCode::SERVICE_UNAVAILABLE,
                "busy",
                "The server is stopping",
            ),
            BroadcastError::TooMany(most) => told(
                StatusCode::CONFLICT,
                "too_many_broadcasts",
                &format!(
                    "{most} broadcasts are on air, which is what `BROADCAST_MAX_RUNNING` allows"
                ),
            ),
            BroadcastError::KeyUnreadable => told(
                StatusCode::CONFLICT,
                "stream_key_unreadable",
                "The stream key was sealed under another `ENCRYPTION_KEY`: set it again",
            ),
            BroadcastError::TargetForbidden(reason) => told(
                StatusCode::UNPROCESSABLE_ENTITY,
                "target_forbidden",
                &reason,
            ),
            BroadcastError::TooManyFollowers => told(
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_followers",
                "Too many follow this broadcast already",
            ),
            BroadcastError::NoServerKey => told(
                StatusCode::CONFLICT,
                "encryption_key_missing",
                "`ENCRYPTION_KEY` is not set: stream keys could not be read again after the next start. Set it, to the \
                 value that it had where keys are stored already",
            ),
            BroadcastError::Store(error) => store(&error),
        }
    }
}

fn running(field: Option<&str>) -> ApiError {
    let message = match field {
        Some(field) => format!("`{field}` can't be changed while the broadcast is on air"),
        None => "The broadcast is on air: stop it first".to_owned(),
    };
    ApiError::new(StatusCode::CONFLICT, "broadcast_running", message)
}

fn not_found() -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        "broadcast_not_found",
        "No such broadcast",
    )
}

/// One sentence about all fields, and each by itself.
fn invalid(faults: &[FieldFault]) -> ApiError {
    let one = |fault: &FieldFault| match fault.field {
        "" => fault.message.clone(),
        field => format!("`{field}` {}", fault.message),
    };
    let message = faults.iter().map(one).collect::<Vec<_>>().join("; ");
    let detail = |fault: &FieldFault| {
        let place = ["body", fault.field];
        let place: Vec<&str> = place.into_iter().filter(|part| !part.is_empty()).collect();
        json!({"type": "value_error", "loc": place, "msg": one(fault)})
    };
    let details: Vec<Value> = faults.iter().map(detail).collect();
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_field", message).detail(details.into())
}

fn store(error: &StoreError) -> ApiError {
    tracing::error!(%error, "broadcast not answered");
    let message = match error {
        StoreError::Unusable { reason, .. } => format!("The database can't be used: {reason}"),
        StoreError::Full => {
            "There is no room on the disk for the database: nothing is changed until there is"
                .to_owned()
        }
        _ => "The database of broadcasts failed, try again shortly".to_owned(),
    };
    ApiError::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "broadcast_unavailable",
        message,
    )
}
