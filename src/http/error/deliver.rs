//! What delivering says, as answers: links whose media can't be had, joined, packed or made.

use std::time::Duration;

use http::StatusCode;

use super::extract::{blocked, net, upstream_error};
use super::{ApiError, internal};
use crate::extract::Block;
use crate::media::Mismatch;
use crate::media::ffmpeg::FfmpegError;
use crate::services::{ArchiveError, DeliverError, OriginError, SlideshowError};
use crate::temp::TempError;
use crate::transfer::TransferError;

/// `Retry-After` when there is no room for temporary files: a rendering gives its own back within seconds.
const NO_ROOM_RETRY: Duration = Duration::from_secs(10);

impl From<DeliverError> for ApiError {
    fn from(error: DeliverError) -> Self {
        match error {
            DeliverError::Link(error) => error.into(),
            DeliverError::Busy(busy) => busy.into(),
            DeliverError::Origin(error) => origin(&error),
            DeliverError::Transfer(error) => transfer(&error),
            DeliverError::Join(fault) => not_joinable(fault),
            DeliverError::Archive(error) => archive(&error),
            DeliverError::Slideshow(error) => Self::from(error.as_ref()),
            DeliverError::Temp(error) => temp(&error),
        }
    }
}

/// Two tracks of which the server can't make the file that a link names.
fn not_joinable(fault: Mismatch) -> ApiError {
    if fault.is_clip_outside() {
        return ApiError::new(
            StatusCode::BAD_REQUEST,
            "clip_out_of_range",
            "The part asked for begins after the end of the video",
        );
    }
    ApiError::new(
        StatusCode::BAD_GATEWAY,
        "extraction_failed",
        format!("Picture and sound of this format can't be joined: {fault}"),
    )
}

impl From<&SlideshowError> for ApiError {
    fn from(error: &SlideshowError) -> Self {
        let failed = |status, code, message: &str| Self::new(status, code, message);
        match error {
            SlideshowError::NotPhotos => not_photos(),
            SlideshowError::NoFfmpeg => failed(
                StatusCode::NOT_IMPLEMENTED,
                "ffmpeg_missing",
                "This server can't make videos: it has no ffmpeg, or no temporary directory",
            ),
            SlideshowError::Picture { number } => picture("slideshow_fetch_failed", *number),
            SlideshowError::Sound => failed(
                StatusCode::BAD_GATEWAY,
                "slideshow_fetch_failed",
                "The sound could not be fetched or is broken",
            ),
            SlideshowError::TimedOut | SlideshowError::Ffmpeg(FfmpegError::TimedOut) => failed(
                StatusCode::GATEWAY_TIMEOUT,
                "slideshow_timeout",
                "Making the video took too long",
            ),
            SlideshowError::Busy(busy) => (*busy).into(),
            SlideshowError::Temp(error) => temp(error),
            _ => failed(
                StatusCode::INTERNAL_SERVER_ERROR,
                "slideshow_failed",
                "The video could not be made",
            ),
        }
    }
}

fn origin(error: &OriginError) -> ApiError {
    match error {
        OriginError::Resolve(error) => ApiError::from(error.as_ref()),
        OriginError::FormatGone => ApiError::format_not_found(),
    }
}

fn not_photos() -> ApiError {
    ApiError::new(
        StatusCode::BAD_REQUEST,
        "not_image_post",
        "Only image posts are supported",
    )
}

fn picture(code: &'static str, number: usize) -> ApiError {
    let message = format!("Image {number} could not be fetched or is broken");
    ApiError::new(StatusCode::BAD_GATEWAY, code, message)
}

fn archive(error: &ArchiveError) -> ApiError {
    match error {
        ArchiveError::NotPhotos => not_photos(),
        ArchiveError::Picture { number } => picture("upstream_error", *number),
        ArchiveError::TimedOut => ApiError::new(
            StatusCode::GATEWAY_TIMEOUT,
            "upstream_timeout",
            "The images could not be read in time",
        ),
        ArchiveError::TooLarge => ApiError::new(
            StatusCode::BAD_GATEWAY,
            "upstream_error",
            "The images are too large for one file",
        ),
    }
}

/// No room: a quota that will be free again is being busy, a full disk is not.
fn temp(error: &TempError) -> ApiError {
    match error {
        TempError::Busy => ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "busy",
            "Server is busy, try again shortly",
        )
        .retry(NO_ROOM_RETRY),
        TempError::Full => ApiError::new(
            StatusCode::INSUFFICIENT_STORAGE,
            "insufficient_storage",
            "The server has no space left for this",
        ),
        _ => internal(),
    }
}

fn unsatisfiable(total: u64) -> ApiError {
    let mut error = ApiError::new(
        StatusCode::RANGE_NOT_SATISFIABLE,
        "range_not_satisfiable",
        format!("Requested range not satisfiable, the file has {total} bytes"),
    );
    error.0.total = Some(total);
    error
}

fn transfer(error: &TransferError<OriginError>) -> ApiError {
    match error {
        TransferError::Unsatisfiable { total } => unsatisfiable(*total),
        TransferError::PreconditionFailed => ApiError::new(
            StatusCode::PRECONDITION_FAILED,
            "precondition_failed",
            "The file is not the one that `If-Match` or `If-Unmodified-Since` names",
        ),
        TransferError::Forbidden => ApiError::new(
            StatusCode::BAD_GATEWAY,
            "upstream_forbidden",
            "The site refuses to deliver this file",
        ),
        TransferError::Gone => ApiError::new(
            StatusCode::BAD_GATEWAY,
            "upstream_gone",
            "The site does not have this file any more",
        ),
        TransferError::RateLimited { retry_after } => blocked(Block::RateLimited, *retry_after),
        TransferError::Net(error) => net(error),
        TransferError::Refresh(OriginError::Resolve(error)) => ApiError::from(error.as_ref()),
        _ => upstream_error(),
    }
}
