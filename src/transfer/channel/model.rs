//! The channel held against a model, by random steps of both sides.

use std::collections::VecDeque;
use std::task::Poll;

use bytes::Bytes;
use proptest::prelude::*;

use super::tests::Hand;
use super::{Closed, Event, Gauge, Limits, Receiver, Sender, channel};

/// One step of either side.
#[derive(Debug, Clone)]
enum Step {
    Send(usize),
    /// Polls a blocked send again without having been woken.
    Repoll,
    /// Gives a blocked send up.
    GiveUp,
    Take,
    End,
    Fail,
    Abort,
    DropSender,
    DropReceiver,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0_usize..=60).prop_map(Step::Send),
        12 => Just(Step::Take),
        2 => Just(Step::Repoll),
        2 => Just(Step::GiveUp),
        1 => prop_oneof![
            Just(Step::End),
            Just(Step::Fail),
            Just(Step::Abort),
            Just(Step::DropSender),
            Just(Step::DropReceiver)
        ],
    ]
}

/// What a correct channel holds, in the simplest words.
#[derive(Default)]
struct Model {
    queue: VecDeque<u8>,
    pieces: VecDeque<usize>,
    last: Option<Event<u8>>,
}

impl Model {
    fn has_room(&self, limits: &Limits, bytes: usize) -> bool {
        self.pieces.len() < limits.pieces && self.queue.len() + bytes <= limits.bytes
    }

    fn push(&mut self, bytes: &[u8]) {
        self.queue.extend(bytes);
        self.pieces.push_back(bytes.len());
    }

    fn take(&mut self) -> Option<Vec<u8>> {
        let length = self.pieces.pop_front()?;
        Some(self.queue.drain(..length).collect())
    }
}

/// The channel and its model, driven by the same steps. A blocked send is kept as its piece and polled through
/// [`Sender::poll_push`], which is what `send` awaits.
struct Rig {
    limits: Limits,
    sender: Option<Sender<u8>>,
    receiver: Option<Receiver<u8>>,
    model: Model,
    blocked: Option<Bytes>,
    counter: u8,
    pump: Hand,
    body: Hand,
    is_body_waiting: bool,
}

impl Rig {
    fn new(limits: Limits) -> Self {
        let (sender, receiver) = channel(limits, Gauge::default());
        Self {
            limits: limits.normalised(),
            sender: Some(sender),
            receiver: Some(receiver),
            model: Model::default(),
            blocked: None,
            counter: 0,
            pump: Hand::new(),
            body: Hand::new(),
            is_body_waiting: false,
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Send(length) => self.send(*length),
            Step::Repoll => self.poll_blocked(),
            Step::GiveUp => self.blocked = None,
            Step::Take => self.take(),
            Step::End => self.finish(Event::End, |sender| sender.end()),
            Step::Fail => self.finish(Event::Failed(9), |sender| sender.fail(9)),
            Step::Abort => {
                if self.sender.is_some() {
                    self.model.queue.clear();
                    self.model.pieces.clear();
                }
                self.finish(Event::Failed(8), |sender| sender.abort(8));
            }
            Step::DropSender => self.finish(Event::Lost, drop),
            Step::DropReceiver => self.receiver = None,
        }
        self.check_wakes();
    }

    fn send(&mut self, length: usize) {
        let length = length.min(self.limits.piece_bytes);
        if self.blocked.is_some() || self.sender.is_none() || length == 0 {
            return;
        }
        self.counter = self.counter.wrapping_add(1);
        self.blocked = Some(Bytes::from(vec![self.counter; length]));
        self.poll_blocked();
    }

    fn poll_blocked(&mut self) {
        let (Some(sender), Some(piece)) = (&mut self.sender, self.blocked.clone()) else {
            return;
        };
        let mut slice = Some(piece.clone());
        let polled = sender.poll_push(&self.pump.context(), &mut slice);
        if self.receiver.is_none() {
            assert_eq!(polled, Poll::Ready(Err(Closed)));
            self.blocked = None;
        } else if self.model.has_room(&self.limits, piece.len()) {
            assert_eq!(polled, Poll::Ready(Ok(())));
            self.model.push(&piece);
            self.blocked = None;
        } else {
            assert_eq!(polled, Poll::Pending);
        }
    }

    fn take(&mut self) {
        let Some(receiver) = &mut self.receiver else {
            return;
        };
        let polled = receiver.poll_next(&self.body.context());
        self.is_body_waiting = polled.is_pending();
        match (self.model.take(), &self.model.last) {
            (Some(bytes), _) => assert_eq!(polled, Poll::Ready(Event::Piece(bytes.into()))),
            (None, None) => assert_eq!(polled, Poll::Pending),
            (None, Some(last)) => assert_eq!(format!("{polled:?}"), format!("Ready({last:?})")),
        }
    }

    fn finish(&mut self, last: Event<u8>, finish: impl FnOnce(Sender<u8>)) {
        if let Some(sender) = self.sender.take() {
            finish(sender);
            self.blocked = None;
            self.model.last = Some(last);
        }
    }

    /// Whoever waits for something that is there has been woken; nobody sleeps for ever.
    fn check_wakes(&mut self) {
        let has_news = !self.model.pieces.is_empty() || self.model.last.is_some();
        if self.is_body_waiting && has_news && self.receiver.is_some() {
            assert!(self.body.bell.rings() > 0, "the receiver sleeps over news");
            self.is_body_waiting = false;
        }
        if self.blocked.is_some() && (self.model.pieces.is_empty() || self.receiver.is_none()) {
            assert!(
                self.pump.bell.rings() > 0,
                "the sender sleeps over an empty queue"
            );
            self.poll_blocked();
            self.blocked = None;
        }
    }
}

proptest! {
    #[test]
    fn channel_agrees_with_the_model(
        bytes in 1_usize..120,
        pieces in 1_usize..5,
        piece_bytes in 1_usize..60,
        steps in proptest::collection::vec(any_step(), 1..120),
    ) {
        let mut rig = Rig::new(Limits { bytes, pieces, piece_bytes });
        for step in &steps {
            rig.step(step);
        }
    }
}
