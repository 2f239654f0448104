//! The ingest's side of one connection.

use std::io;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serverrs::broadcast::flv::{Tag, TagKind};
use serverrs::broadcast::publisher::Step;
use serverrs::broadcast::publisher::amf0::Value;
use serverrs::broadcast::publisher::rtmp::{ChunkReader, ChunkWriter, Message, kind};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{Got, KEPT, Ledger, Manner};

const PACKET: usize = 1536;

struct Side<'a, S> {
    stream: S,
    manner: Manner,
    ledger: &'a Ledger,
    index: usize,
    reader: ChunkReader,
    writer: ChunkWriter,
    received: u64,
    acknowledged: u64,
    window: u64,
    media: usize,
}

/// What a message leads to.
enum Then {
    Go,
    Close,
    Stall,
}

pub(super) async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    manner: Manner,
    ledger: &Ledger,
    index: usize,
) -> io::Result<()> {
    let mut side = Side {
        stream,
        manner,
        ledger,
        index,
        reader: ChunkReader::new(0xff_ffff),
        writer: ChunkWriter::new(),
        received: 0,
        acknowledged: 0,
        window: 0,
        media: 0,
    };
    match manner {
        Manner::Silent(Step::Handshake) => tokio::time::sleep(KEPT).await,
        Manner::Foreign => side.stream.write_all(&[b'5'; 2 * PACKET + 1]).await?,
        _ => side.run().await?,
    }
    Ok(())
}

impl<S: AsyncRead + AsyncWrite + Unpin> Side<'_, S> {
    async fn run(&mut self) -> io::Result<()> {
        if self.shake_hands().await? {
            return Ok(());
        }
        let mut buffer = [0; 8192];
        loop {
            let count = self.stream.read(&mut buffer).await?;
            if count == 0 || self.is_enough(count) {
                return Ok(());
            }
            self.reader.push(&buffer[..count]);
            while let Some(message) = self.reader.next_message().map_err(io::Error::other)? {
                match self.take(message).await? {
                    Then::Go => {}
                    Then::Close => return Ok(()),
                    Then::Stall => tokio::time::sleep(KEPT).await,
                }
            }
            self.acknowledge().await?;
        }
    }

    /// `true` when that was enough.
    async fn shake_hands(&mut self) -> io::Result<bool> {
        let mut hello = [0; PACKET + 1];
        for half in hello.chunks_mut(1) {
            self.stream.read_exact(half).await?;
            if self.is_enough(1) {
                return Ok(true);
            }
        }
        assert_eq!(hello[0], 3, "version");
        self.stream.write_all(&[3]).await?;
        self.stream.write_all(&[7; PACKET]).await?;
        self.stream.write_all(&hello[1..]).await?;
        let mut echo = [0; PACKET];
        self.stream.read_exact(&mut echo).await?;
        assert_eq!(echo, [7; PACKET], "our own bytes come back");
        Ok(self.is_enough(PACKET))
    }

    fn is_enough(&mut self, count: usize) -> bool {
        self.received += count as u64;
        matches!(self.manner, Manner::CloseAfterBytes(limit) if self.received > limit as u64)
    }

    async fn take(&mut self, message: Message) -> io::Result<Then> {
        let number = || u32::from_be_bytes(message.body[..4].try_into().unwrap());
        match message.kind {
            kind::WINDOW_SIZE => self.window = u64::from(number()),
            kind::USER_CONTROL if message.body[..2] == [0, 7] => {
                assert_eq!(message.body[2..], [0, 0, 3, 9], "the pong repeats the ping");
                self.note(|publication| publication.pongs += 1);
            }
            kind::COMMAND => return self.command(&message.body).await,
            kind::AUDIO | kind::VIDEO | kind::DATA => return Ok(self.media(message)),
            _ => {}
        }
        Ok(Then::Go)
    }

    fn media(&mut self, message: Message) -> Then {
        let kind = TagKind::from_number(message.kind).unwrap();
        let tag = Tag {
            kind,
            timestamp_ms: message.timestamp_ms,
            data: message.body,
        };
        let at = Instant::now();
        self.note(|publication| publication.media.push(Got { tag, at }));
        self.media += 1;
        match self.manner {
            Manner::CloseAfter(limit) if self.media >= limit => Then::Close,
            Manner::StallAfter(limit) if self.media >= limit => Then::Stall,
            _ => Then::Go,
        }
    }

    async fn command(&mut self, body: &[u8]) -> io::Result<Then> {
        let values = Value::read_all(body).map_err(io::Error::other)?;
        let name = values[0].as_text().unwrap().to_owned();
        let transaction = values[1].clone();
        self.note(|publication| publication.commands.push(name.clone()));
        if self.is_silent(&name) {
            return Ok(Then::Go);
        }
        match name.as_str() {
            "connect" => self.connect(&values[2]).await,
            "createStream" => {
                let result = [
                    Value::text("_result"),
                    transaction,
                    Value::Null,
                    Value::Number(1.0),
                ];
                self.say(0, &result).await?;
                Ok(Then::Go)
            }
            "publish" => self.publish(values[3].as_text().unwrap()).await,
            // As servers do that don't know it.
            "releaseStream" => {
                let error = [Value::text("_error"), transaction, Value::Null, Value::Null];
                self.say(0, &error).await?;
                Ok(Then::Go)
            }
            _ => Ok(Then::Go),
        }
    }

    fn is_silent(&self, name: &str) -> bool {
        let Manner::Silent(step) = self.manner else {
            return false;
        };
        step.to_string() == name
    }

    async fn connect(&mut self, object: &Value) -> io::Result<Then> {
        let text = |name| {
            object
                .field(name)
                .and_then(Value::as_text)
                .unwrap_or_default()
                .to_owned()
        };
        self.note(|publication| {
            publication.app = text("app");
            publication.address = text("tcUrl");
        });
        self.control(kind::WINDOW_SIZE, &500_u32.to_be_bytes())
            .await?;
        self.control(kind::PEER_BANDWIDTH, &[0, 0x26, 0x25, 0xa0, 2])
            .await?;
        self.control(kind::SET_CHUNK_SIZE, &333_u32.to_be_bytes())
            .await?;
        self.writer.set_chunk_size(333);
        let is_refused = self.manner == Manner::RefuseApp;
        let (name, code) = if is_refused {
            ("_error", "NetConnection.Connect.Rejected")
        } else {
            ("_result", "NetConnection.Connect.Success")
        };
        let filler = "x".repeat(700);
        let values = [
            Value::text(name),
            Value::Number(1.0),
            Value::Null,
            status(code, &filler),
        ];
        self.say(0, &values).await?;
        Ok(if is_refused { Then::Close } else { Then::Go })
    }

    async fn publish(&mut self, key: &str) -> io::Result<Then> {
        let is_refused = match self.manner {
            Manner::RefuseKey | Manner::RefuseKeyEncoded => true,
            Manner::RefuseKeyOnce => {
                let all = self.ledger.publications.lock().unwrap();
                !all.iter().any(|publication| publication.key == key)
            }
            _ => false,
        };
        self.note(|publication| key.clone_into(&mut publication.key));
        let code = if is_refused {
            "NetStream.Publish.BadName"
        } else {
            "NetStream.Publish.Start"
        };
        let description = match self.manner {
            Manner::RefuseKeyEncoded => format!("{} is not for you", in_address(key)),
            _ => format!("{key} is not for you"),
        };
        let values = [
            Value::text("onStatus"),
            Value::Number(0.0),
            Value::Null,
            status(code, &description),
        ];
        self.say(1, &values).await?;
        if is_refused {
            return Ok(Then::Close);
        }
        self.control(kind::USER_CONTROL, &[0, 6, 0, 0, 3, 9])
            .await?;
        Ok(Then::Go)
    }

    async fn acknowledge(&mut self) -> io::Result<()> {
        let is_due = self.window > 0 && self.received - self.acknowledged >= self.window;
        if !is_due || self.manner == Manner::NeverAcknowledge {
            return Ok(());
        }
        self.acknowledged = self.received;
        let low = u32::try_from(self.received & 0xffff_ffff).unwrap();
        self.control(kind::ACKNOWLEDGEMENT, &low.to_be_bytes())
            .await
    }

    async fn say(&mut self, stream: u32, values: &[Value]) -> io::Result<()> {
        self.write(3, kind::COMMAND, stream, Value::write_all(values).into())
            .await
    }

    async fn control(&mut self, kind: u8, body: &[u8]) -> io::Result<()> {
        self.write(2, kind, 0, Bytes::copy_from_slice(body)).await
    }

    async fn write(&mut self, on: u8, kind: u8, stream: u32, body: Bytes) -> io::Result<()> {
        let message = Message {
            kind,
            stream,
            timestamp_ms: 0,
            body,
        };
        let mut out = BytesMut::new();
        self.writer.write(on, &message, &mut out);
        self.stream.write_all(&out).await?;
        self.stream.flush().await
    }

    fn note(&self, change: impl FnOnce(&mut super::Publication)) {
        self.ledger.note(self.index, change);
    }
}

/// A text as a part of an address, with nothing encoded that need not be (RFC 3986 §2.3).
fn in_address(text: &str) -> String {
    const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'_')
        .remove(b'.')
        .remove(b'~');
    utf8_percent_encode(text, RESERVED).to_string()
}

fn status(code: &str, description: &str) -> Value {
    let is_error = !(code.ends_with("Success") || code.ends_with("Start"));
    let field = |name: &str, value: &str| (name.to_owned(), Value::text(value));
    Value::Object(vec![
        field("level", if is_error { "error" } else { "status" }),
        field("code", code),
        field("description", description),
    ])
}
