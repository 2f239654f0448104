//! One connection, from its first byte to its good-bye.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{timeout, timeout_at};

use super::chunk::{ChunkError, ChunkReader, ChunkWriter, Message, kind};
use super::command::{self, Reply, Status};
use super::handshake;
use super::wire::Wire;
use crate::broadcast::flv::{Tag, TagKind};
use crate::broadcast::publisher::amf0::Value;
use crate::broadcast::publisher::{PublishError, Publisher, PublisherStats, Step};
use crate::config::Secret;

/// Each step up to the first media.
const STEP_TIMEOUT: Duration = Duration::from_secs(8);
/// Good-bye.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// Size of our chunks: few heads, and no ingest is known to refuse it.
const CHUNK_SIZE: usize = 4096;
/// How often an ingest shall acknowledge, in bytes: about every second at a usual rate.
const WINDOW: u32 = 250_000;
/// Bytes of answers that wait for a target which asks and doesn't read.
const MAX_ANSWERS: usize = 16 * 1024;
/// Longest message of an ingest that is read; they are a few hundred bytes.
const MAX_MESSAGE: usize = 64 * 1024;

/// Chunk streams, as encoders use them.
const CONTROLS: u8 = 2;
const COMMANDS: u8 = 3;
const SOUND: u8 = 4;
const PICTURES: u8 = 6;

/// Numbers of the commands that are answered.
const CONNECT: f64 = 1.0;
const RELEASE: f64 = 2.0;
const ANNOUNCE: f64 = 3.0;
const CREATE: f64 = 4.0;
const PUBLISH: f64 = 5.0;
const RETRACT: f64 = 6.0;
const DELETE: f64 = 7.0;

/// `UserControl` events (section 7.1.7).
const PING_REQUEST: u16 = 6;
const PING_RESPONSE: u16 = 7;

/// A connection that publishes.
#[derive(Debug)]
pub struct Session<S> {
    wire: Wire<S>,
    input: BytesMut,
    reader: ChunkReader,
    writer: ChunkWriter,
    key: Secret,
    stream: u32,
    acknowledged: Option<u64>,
    /// After how many bytes the target wants to be told that they came; 0 until it says so.
    window: u64,
    told: u64,
    /// Bytes of answers since all was written last.
    answers: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Session<S> {
    /// Shakes hands over `stream` and asks for `app` at `address` (`tcUrl`), then to publish under `key`.
    ///
    /// # Errors
    /// [`PublishError`], after 32 s at most.
    pub async fn open(
        stream: S,
        app: &str,
        address: &str,
        key: Secret,
    ) -> Result<Self, PublishError> {
        let mut session = Self {
            wire: Wire::new(stream),
            input: BytesMut::new(),
            reader: ChunkReader::new(MAX_MESSAGE),
            writer: ChunkWriter::new(),
            key,
            stream: 0,
            acknowledged: None,
            window: 0,
            told: 0,
            answers: 0,
        };
        within(Step::Handshake, session.shake_hands()).await?;
        within(Step::Connect, session.connect(app, address)).await?;
        within(Step::CreateStream, session.create_stream()).await?;
        within(Step::Publish, session.publish()).await?;
        Ok(session)
    }

    async fn shake_hands(&mut self) -> Result<(), PublishError> {
        handshake::hello(&mut self.wire.out);
        self.collect(handshake::ANSWER).await?;
        let answer = self.input.split_to(handshake::ANSWER);
        let echo = handshake::echo(&answer).ok_or(ChunkError::Version)?;
        self.wire.out.extend_from_slice(echo);
        self.collect(handshake::ECHO).await?;
        // What it holds is not looked at: servers differ in how they answer ours.
        self.input.advance(handshake::ECHO);
        Ok(())
    }

    /// Waits until that many bytes have come.
    async fn collect(&mut self, count: usize) -> Result<(), PublishError> {
        self.wire.begin_write();
        while self.input.len() < count {
            self.wire.turn(&mut self.input, Step::Handshake).await?;
        }
        Ok(())
    }

    async fn connect(&mut self, app: &str, address: &str) -> Result<(), PublishError> {
        self.put(COMMANDS, &command::connect(app, address));
        self.result_of(CONNECT, Step::Connect).await?;
        // Not before: encoders say it here, and ingests expect nothing in front of the first command.
        self.put(CONTROLS, &command::control(kind::WINDOW_SIZE, WINDOW));
        let size = u32::try_from(CHUNK_SIZE).unwrap_or(u32::MAX);
        self.put(CONTROLS, &command::control(kind::SET_CHUNK_SIZE, size));
        self.writer.set_chunk_size(CHUNK_SIZE);
        Ok(())
    }

    async fn create_stream(&mut self) -> Result<(), PublishError> {
        let key = self.key.clone();
        // Not in the specification, and unknown to some: their answers are not waited for.
        self.put(
            COMMANDS,
            &command::named("releaseStream", RELEASE, key.reveal()),
        );
        self.put(
            COMMANDS,
            &command::named("FCPublish", ANNOUNCE, key.reveal()),
        );
        self.put(COMMANDS, &command::create_stream(CREATE));
        let values = self.result_of(CREATE, Step::CreateStream).await?;
        let number = values.iter().skip(2).find_map(Value::as_number);
        let number = number
            .filter(|number| number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(number));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a whole number in range, as was just checked"
        )]
        let number = number.ok_or(ChunkError::Malformed)? as u32;
        self.stream = number;
        Ok(())
    }

    async fn publish(&mut self) -> Result<(), PublishError> {
        let message = command::publish(PUBLISH, self.stream, self.key.reveal());
        self.put(SOUND, &message);
        loop {
            match self.reply(Step::Publish).await? {
                Reply::Status(status) if status.code == "NetStream.Publish.Start" => return Ok(()),
                Reply::Status(status) if status.is_error() => {
                    return Err(rejected(Step::Publish, status));
                }
                Reply::Error(to, status) if is_same(to, PUBLISH) => {
                    return Err(rejected(Step::Publish, status));
                }
                _ => {}
            }
        }
    }

    async fn result_of(
        &mut self,
        transaction: f64,
        step: Step,
    ) -> Result<Vec<Value>, PublishError> {
        loop {
            match self.reply(step).await? {
                Reply::Result(to, values) if is_same(to, transaction) => return Ok(values),
                Reply::Error(to, status) if is_same(to, transaction) => {
                    return Err(rejected(step, status));
                }
                Reply::Status(status) if status.is_error() => return Err(rejected(step, status)),
                _ => {}
            }
        }
    }

    /// The next command of the target; what goes between is dealt with.
    async fn reply(&mut self, step: Step) -> Result<Reply, PublishError> {
        loop {
            self.reader.push(&self.input.split());
            while let Some(message) = self.reader.next_message()? {
                if let Some(reply) = self.take(&message)? {
                    // The rest is read by the next call.
                    return Ok(reply);
                }
            }
            self.wire.turn(&mut self.input, step).await?;
        }
    }

    /// Deals with what has come while media goes out.
    fn listen(&mut self) -> Result<(), PublishError> {
        self.reader.push(&self.input.split());
        while let Some(message) = self.reader.next_message()? {
            match self.take(&message)? {
                Some(Reply::Status(status)) if status.is_error() => {
                    return Err(rejected(Step::Send, status));
                }
                Some(Reply::Status(status)) if status.is_end() => {
                    return Err(PublishError::Closed(Step::Send));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Answers what a target asks; gives its commands.
    fn take(&mut self, message: &Message) -> Result<Option<Reply>, PublishError> {
        let mut body = &message.body[..];
        let malformed = |_| ChunkError::Malformed;
        match message.kind {
            kind::ACKNOWLEDGEMENT => self.acknowledge(body.try_get_u32().map_err(malformed)?),
            kind::WINDOW_SIZE => self.window = u64::from(body.try_get_u32().map_err(malformed)?),
            kind::PEER_BANDWIDTH => {
                // Asks to be told our window again (section 5.4.5); the limit itself is TCP's business.
                self.answer(&command::control(kind::WINDOW_SIZE, WINDOW))?;
            }
            kind::USER_CONTROL if body.starts_with(&PING_REQUEST.to_be_bytes()) => {
                body.advance(2);
                self.answer(&pong(body.try_get_u32().map_err(malformed)?))?;
            }
            kind::COMMAND => return Ok(Some(Reply::parse(body, self.key.reveal())?)),
            _ => {}
        }
        let untold = self.wire.received.saturating_sub(self.told);
        if self.window > 0 && untold >= self.window {
            self.told = self.wire.received;
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the number wraps by its definition"
            )]
            let count = self.told as u32;
            self.answer(&command::control(kind::ACKNOWLEDGEMENT, count))?;
        }
        Ok(None)
    }

    /// Follows the 32 bits of the target's count over their end.
    fn acknowledge(&mut self, count: u32) {
        let known = self.acknowledged.unwrap_or(0);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the low 32 bits are what is compared"
        )]
        let step = count.wrapping_sub(known as u32);
        // A count that goes back is an old one.
        if step.cast_signed() >= 0 {
            self.acknowledged = Some(known.saturating_add(step.into()));
        }
    }

    fn answer(&mut self, message: &Message) -> Result<(), ChunkError> {
        if self.wire.is_idle() {
            self.answers = 0;
        }
        let before = self.wire.out.len();
        self.put(CONTROLS, message);
        let put = self.wire.out.len().saturating_sub(before);
        self.answers = self.answers.saturating_add(put);
        if self.answers > MAX_ANSWERS {
            return Err(ChunkError::Flood);
        }
        Ok(())
    }

    fn put(&mut self, on: u8, message: &Message) {
        self.wire.begin_write();
        self.writer.write(on, message, &mut self.wire.out);
    }

    /// Writes all that waits.
    async fn drain(&mut self) -> Result<(), PublishError> {
        while !self.wire.is_idle() {
            self.wire.turn(&mut self.input, Step::Send).await?;
            self.listen()?;
        }
        Ok(())
    }

    async fn say_goodbye(&mut self) -> Result<Infallible, PublishError> {
        let key = self.key.clone();
        self.put(
            COMMANDS,
            &command::named("FCUnpublish", RETRACT, key.reveal()),
        );
        self.put(COMMANDS, &command::delete_stream(DELETE, self.stream));
        self.drain().await?;
        self.wire.shut_down().await?;
        // Read up to the end: a connection that is closed over unread bytes is torn down, and what was said last is
        // lost.
        loop {
            self.wire.turn(&mut self.input, Step::Send).await?;
            self.input.clear();
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Publisher for Session<S> {
    async fn send(&mut self, tag: &Tag) -> Result<(), PublishError> {
        let (on, kind, body) = match tag.kind {
            TagKind::Audio => (SOUND, kind::AUDIO, tag.data.clone()),
            TagKind::Video => (PICTURES, kind::VIDEO, tag.data.clone()),
            TagKind::Script => (SOUND, kind::DATA, set_data_frame(&tag.data)),
        };
        let message = Message {
            kind,
            stream: self.stream,
            timestamp_ms: tag.timestamp_ms,
            body,
        };
        self.put(on, &message);
        self.drain().await
    }

    async fn wait_until(&mut self, until: Instant) -> Result<(), PublishError> {
        loop {
            // What came along with the last answer has not been looked at yet.
            self.listen()?;
            let turn = self.wire.turn(&mut self.input, Step::Send);
            match timeout_at(until.into(), turn).await {
                // A target that talks without end doesn't hold up what is due.
                Ok(result) if Instant::now() < until => result?,
                Ok(result) => return result,
                Err(_elapsed) => return Ok(()),
            }
        }
    }

    fn stats(&self) -> PublisherStats {
        PublisherStats {
            sent_bytes: self.wire.sent,
            acknowledged_bytes: self.acknowledged,
        }
    }

    async fn close(mut self) {
        // Ends with the connection, or with our patience.
        let _ = timeout(CLOSE_TIMEOUT, self.say_goodbye()).await;
    }
}

fn pong(time: u32) -> Message {
    let mut message = command::control(kind::USER_CONTROL, time);
    message.body = [&PING_RESPONSE.to_be_bytes()[..], &message.body]
        .concat()
        .into();
    message
}

/// Named values with the word in front that makes an ingest keep them for its viewers.
fn set_data_frame(data: &[u8]) -> bytes::Bytes {
    let mut body = Vec::new();
    Value::text("@setDataFrame").write(&mut body);
    body.extend_from_slice(data);
    body.into()
}

fn is_same(a: f64, b: f64) -> bool {
    (a - b).abs() < 0.5
}

fn rejected(step: Step, status: Status) -> PublishError {
    PublishError::Rejected {
        step,
        code: status.code,
        description: status.description,
    }
}

async fn within<T>(
    step: Step,
    what: impl Future<Output = Result<T, PublishError>>,
) -> Result<T, PublishError> {
    timeout(STEP_TIMEOUT, what)
        .await
        .unwrap_or(Err(PublishError::Timeout(step)))
}
