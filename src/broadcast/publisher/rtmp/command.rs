//! What is said to an ingest, and what it says.

use bytes::Bytes;

use super::chunk::{ChunkError, Message, kind};
use crate::broadcast::publisher::amf0::Value;
use crate::broadcast::redact::strike;

/// Longest texts of a target that are repeated.
const MAX_CODE: usize = 64;
const MAX_DESCRIPTION: usize = 200;

/// A command message.
pub(super) fn command(stream: u32, values: &[Value]) -> Message {
    Message {
        kind: kind::COMMAND,
        stream,
        timestamp_ms: 0,
        body: Value::write_all(values).into(),
    }
}

/// A message with one number.
pub(super) fn control(kind: u8, number: u32) -> Message {
    Message {
        kind,
        stream: 0,
        timestamp_ms: 0,
        body: Bytes::copy_from_slice(&number.to_be_bytes()),
    }
}

/// `connect` (section 7.2.1.1).
pub(super) fn connect(app: &str, address: &str) -> Message {
    let text = |name: &str, value: &str| (name.to_owned(), Value::text(value));
    let object = Value::Object(vec![
        text("app", app),
        text("type", "nonprivate"),
        // Ingests that look at it know encoders by this beginning.
        text(
            "flashVer",
            concat!(
                "FMLE/3.0 (compatible; serverrs/",
                env!("CARGO_PKG_VERSION"),
                ")"
            ),
        ),
        text("swfUrl", address),
        text("tcUrl", address),
    ]);
    command(0, &[Value::text("connect"), Value::Number(1.0), object])
}

/// A command with a name as its only argument: `releaseStream`, `FCPublish`, `FCUnpublish`.
pub(super) fn named(name: &str, transaction: f64, stream_name: &str) -> Message {
    let values = [
        Value::text(name),
        Value::Number(transaction),
        Value::Null,
        Value::text(stream_name),
    ];
    command(0, &values)
}

/// `createStream` (section 7.2.1.3).
pub(super) fn create_stream(transaction: f64) -> Message {
    let values = [
        Value::text("createStream"),
        Value::Number(transaction),
        Value::Null,
    ];
    command(0, &values)
}

/// `publish` (section 7.2.2.6).
pub(super) fn publish(transaction: f64, stream: u32, key: &str) -> Message {
    let values = [
        Value::text("publish"),
        Value::Number(transaction),
        Value::Null,
        Value::text(key),
        Value::text("live"),
    ];
    command(stream, &values)
}

/// `deleteStream` (section 7.2.2.3).
pub(super) fn delete_stream(transaction: f64, stream: u32) -> Message {
    let values = [
        Value::text("deleteStream"),
        Value::Number(transaction),
        Value::Null,
        Value::Number(f64::from(stream)),
    ];
    command(0, &values)
}

/// What a target said in a command.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Reply {
    /// `_result` to the command with this number.
    Result(f64, Vec<Value>),
    /// `_error` to it.
    Error(f64, Status),
    /// `onStatus`.
    Status(Status),
    /// Anything else.
    Other,
}

/// A status object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) level: String,
    pub(super) code: String,
    pub(super) description: String,
}

impl Reply {
    /// Reads a command message; `secret` is struck from every text.
    pub(super) fn parse(body: &[u8], secret: &str) -> Result<Self, ChunkError> {
        let values = Value::read_all(body).map_err(|_| ChunkError::Malformed)?;
        let (Some(name), Some(transaction)) = (
            values.first().and_then(Value::as_text),
            values.get(1).and_then(Value::as_number),
        ) else {
            return Err(ChunkError::Malformed);
        };
        let status = || {
            let object = values
                .iter()
                .skip(2)
                .find(|value| value.field("code").is_some());
            Status::from_value(object.unwrap_or(&Value::Null), secret)
        };
        Ok(match name {
            "_result" => Self::Result(transaction, values),
            "_error" => Self::Error(transaction, status()),
            "onStatus" => Self::Status(status()),
            _ => Self::Other,
        })
    }
}

impl Status {
    fn from_value(value: &Value, secret: &str) -> Self {
        let text = |name: &str, longest| {
            let text = value.field(name).and_then(Value::as_text).unwrap_or("");
            clean(text, secret, longest)
        };
        Self {
            level: text("level", MAX_CODE),
            code: text("code", MAX_CODE),
            description: text("description", MAX_DESCRIPTION),
        }
    }

    pub(super) fn is_error(&self) -> bool {
        self.level == "error"
    }

    /// Whether the target ends the stream, whatever level it gives that.
    pub(super) fn is_end(&self) -> bool {
        matches!(
            self.code.as_str(),
            "NetStream.Unpublish.Success" | "NetConnection.Connect.Closed"
        )
    }
}

/// A foreign text that may be shown: without the key and its parts, in one line, of bounded length.
fn clean(text: &str, secret: &str, longest: usize) -> String {
    // First: what stands within the key would hide it, and be gone afterwards.
    let mut text: String = text.chars().filter(|c| !c.is_control()).collect();
    // A target may repeat the name alone, or what follows `?`, or either in the form of an address.
    let parts = [Some(secret), secret.split('?').next()];
    let query = secret.split_once('?').map(|(_, query)| query);
    for part in parts.into_iter().chain([query]).flatten() {
        text = strike(&text, part);
    }
    text.chars().take(longest).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn status(code: &str, description: &str) -> Vec<u8> {
        let field = |name: &str, value: &str| (name.to_owned(), Value::text(value));
        let object = Value::Object(vec![
            field("level", "error"),
            field("code", code),
            field("description", description),
        ]);
        Value::write_all(&[
            Value::text("onStatus"),
            Value::Number(0.0),
            Value::Null,
            object,
        ])
    }

    #[test]
    fn reply_never_repeats_the_key() {
        let body = status(
            "NetStream.Publish.BadName",
            "stream live-1 (li\u{0}ve-1?sig=abc, sig=abc, live%2D1%3Fsig%3Dabc)\r\n busy",
        );
        let Ok(Reply::Status(status)) = Reply::parse(&body, "live-1?sig=abc") else {
            panic!("no status");
        };
        assert_eq!(status.code, "NetStream.Publish.BadName");
        assert_eq!(status.description, "stream *** (***, ***, ***) busy");
        assert!(status.is_error());
    }

    #[test]
    fn reply_never_repeats_the_key_as_addresses_write_it() {
        let (plain, parts) = ("abc-def_ghi==", "live-1?sig=a/b");
        for (key, told, expected) in [
            (plain, "/live/abc-def_ghi%3D%3D busy", "***"),
            (plain, "/live/abc-def_ghi%253d%253d busy", "***"),
            (parts, "live-1?sig=a%2fb busy", "***"),
            (parts, "?sig%3Da/b busy", "***"),
            (parts, "live%2D1 busy", "*** busy"),
        ] {
            let body = status("NetStream.Publish.BadName", told);
            let Ok(Reply::Status(status)) = Reply::parse(&body, key) else {
                panic!("no status");
            };
            assert_eq!(status.code, "NetStream.Publish.BadName");
            assert_eq!(status.description, expected, "{told}");
        }
    }

    #[test]
    fn reply_texts_are_bounded() {
        let body = status(&"c".repeat(1000), &"d".repeat(1000));
        let Ok(Reply::Status(status)) = Reply::parse(&body, "k") else {
            panic!("no status");
        };
        assert_eq!((status.code.len(), status.description.len()), (64, 200));
    }

    #[test]
    fn reply_kinds_are_told_apart() {
        let parse = |values: &[Value]| Reply::parse(&Value::write_all(values), "k").unwrap();
        let result = [
            Value::text("_result"),
            Value::Number(4.0),
            Value::Null,
            Value::Number(1.0),
        ];
        assert_eq!(parse(&result), Reply::Result(4.0, result.to_vec()));
        let error = [Value::text("_error"), Value::Number(2.0), Value::Null];
        assert_eq!(parse(&error), Reply::Error(2.0, Status::default()));
        assert_eq!(
            parse(&[Value::text("onBWDone"), Value::Number(0.0)]),
            Reply::Other
        );
        assert_eq!(Reply::parse(b"\x05", "k"), Err(ChunkError::Malformed));
    }

    proptest! {
        #[test]
        fn reply_of_any_bytes_never_panics(bytes: Vec<u8>, secret: String) {
            let _ = Reply::parse(&bytes, &secret);
        }
    }
}
