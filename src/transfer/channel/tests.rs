//! The channel step by step, and under two threads.

use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use super::*;

const LIMITS: Limits = Limits {
    bytes: 100,
    pieces: 4,
    piece_bytes: 100,
};

/// A waker that counts.
#[derive(Default)]
pub(super) struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Bell {
    pub(super) fn rings(&self) -> usize {
        self.0.swap(0, Ordering::SeqCst)
    }
}

/// A side of the channel as a task that is polled by hand.
pub(super) struct Hand {
    pub(super) bell: Arc<Bell>,
    waker: Waker,
}

impl Hand {
    pub(super) fn new() -> Self {
        let bell = Arc::new(Bell::default());
        let waker = Waker::from(Arc::clone(&bell));
        Self { bell, waker }
    }

    pub(super) fn context(&self) -> Context<'_> {
        Context::from_waker(&self.waker)
    }

    fn poll<F: Future>(&self, future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut self.context())
    }
}

fn piece(length: usize) -> Bytes {
    Bytes::from(vec![7; length])
}

fn next(receiver: &mut Receiver<u8>, hand: &Hand) -> Poll<Event<u8>> {
    receiver.poll_next(&hand.context())
}

fn send_now(sender: &mut Sender<u8>, piece: Bytes) {
    let hand = Hand::new();
    assert_eq!(hand.poll(pin!(sender.send(piece))), Poll::Ready(Ok(())));
}

#[test]
fn piece_passes_without_a_copy() {
    let (mut sender, mut receiver) = channel::<u8>(LIMITS, Gauge::default());
    let sent = piece(10);
    let address = sent.as_ptr();
    send_now(&mut sender, sent);
    let Poll::Ready(Event::Piece(got)) = next(&mut receiver, &Hand::new()) else {
        panic!("no piece");
    };
    assert_eq!((got.as_ptr(), got.len()), (address, 10));
}

#[test]
fn end_comes_after_the_pieces_and_stays() {
    let (mut sender, mut receiver) = channel::<u8>(LIMITS, Gauge::default());
    send_now(&mut sender, piece(1));
    sender.end();
    let hand = Hand::new();
    assert_eq!(
        next(&mut receiver, &hand),
        Poll::Ready(Event::Piece(piece(1)))
    );
    assert_eq!(next(&mut receiver, &hand), Poll::Ready(Event::End));
    assert_eq!(next(&mut receiver, &hand), Poll::Ready(Event::End));
}

#[test]
fn failure_comes_after_the_pieces() {
    let (mut sender, mut receiver) = channel::<u8>(LIMITS, Gauge::default());
    send_now(&mut sender, piece(1));
    sender.fail(3);
    let hand = Hand::new();
    assert_eq!(
        next(&mut receiver, &hand),
        Poll::Ready(Event::Piece(piece(1)))
    );
    assert_eq!(next(&mut receiver, &hand), Poll::Ready(Event::Failed(3)));
}

#[test]
fn abort_takes_the_pieces_back() {
    let (mut sender, mut receiver) = channel::<u8>(LIMITS, Gauge::default());
    send_now(&mut sender, piece(1));
    sender.abort(3);
    assert_eq!(
        next(&mut receiver, &Hand::new()),
        Poll::Ready(Event::Failed(3))
    );
}

#[test]
fn sender_dropped_is_lost_and_no_end() {
    let (mut sender, mut receiver) = channel::<u8>(LIMITS, Gauge::default());
    let hand = Hand::new();
    assert!(next(&mut receiver, &hand).is_pending());
    send_now(&mut sender, piece(1));
    drop(sender);
    assert!(hand.bell.rings() > 0);
    assert_eq!(
        next(&mut receiver, &hand),
        Poll::Ready(Event::Piece(piece(1)))
    );
    assert_eq!(next(&mut receiver, &hand), Poll::Ready(Event::Lost));
}

#[test]
fn sender_of_a_panicked_task_is_lost() {
    let (mut sender, mut receiver) = channel::<u8>(LIMITS, Gauge::default());
    let panicked = std::thread::spawn(move || {
        send_now(&mut sender, piece(1));
        std::panic::resume_unwind(Box::new("pump"));
    });
    panicked.join().unwrap_err();
    let hand = Hand::new();
    assert_eq!(
        next(&mut receiver, &hand),
        Poll::Ready(Event::Piece(piece(1)))
    );
    assert_eq!(next(&mut receiver, &hand), Poll::Ready(Event::Lost));
}

#[test]
fn full_queue_blocks_until_it_has_run_down_to_half() {
    let (mut sender, mut receiver) = channel::<u8>(LIMITS, Gauge::default());
    for _ in 0..4 {
        send_now(&mut sender, piece(25));
    }
    let hand = Hand::new();
    let reader = Hand::new();
    let mut fifth = pin!(sender.send(piece(25)));
    assert!(hand.poll(fifth.as_mut()).is_pending());
    assert!(next(&mut receiver, &reader).is_ready());
    assert_eq!(hand.bell.rings(), 0);
    assert!(next(&mut receiver, &reader).is_ready());
    assert_eq!(hand.bell.rings(), 1);
    assert_eq!(hand.poll(fifth), Poll::Ready(Ok(())));
    assert!(next(&mut receiver, &reader).is_ready());
    assert_eq!(hand.bell.rings(), 0);
}

#[test]
fn piece_counts_until_it_is_dropped() {
    let gauge = Gauge::default();
    let (mut sender, mut receiver) = channel::<u8>(LIMITS, gauge.clone());
    for _ in 0..4 {
        send_now(&mut sender, piece(25));
    }
    let hand = Hand::new();
    let reader = Hand::new();
    let taken: Vec<_> = (0..4).map(|_| next(&mut receiver, &reader)).collect();
    let mut fifth = pin!(sender.send(piece(25)));
    assert!(hand.poll(fifth.as_mut()).is_pending());
    let mut taken = taken.into_iter();
    drop(taken.next());
    assert_eq!(hand.bell.rings(), 0);
    drop(taken.next());
    assert_eq!(hand.bell.rings(), 1);
    assert_eq!(hand.poll(fifth), Poll::Ready(Ok(())));
    assert_eq!(gauge.bytes(), 75);
    // What outlives the receiver counts on.
    drop(receiver);
    assert_eq!(gauge.bytes(), 50);
    drop(taken);
    assert_eq!(gauge.bytes(), 0);
}

#[test]
fn piece_taken_back_counts_no_longer() {
    let gauge = Gauge::default();
    let (mut sender, mut receiver) = channel::<u8>(LIMITS, gauge.clone());
    send_now(&mut sender, piece(10));
    send_now(&mut sender, piece(20));
    let taken = next(&mut receiver, &Hand::new());
    sender.abort(1);
    assert_eq!(gauge.bytes(), 10);
    drop(taken);
    assert_eq!(gauge.bytes(), 0);
}

#[test]
fn waiting_receiver_is_woken_once_for_several_pieces() {
    let (mut sender, mut receiver) = channel::<u8>(LIMITS, Gauge::default());
    let hand = Hand::new();
    assert!(next(&mut receiver, &hand).is_pending());
    for _ in 0..3 {
        send_now(&mut sender, piece(1));
    }
    assert_eq!(hand.bell.rings(), 1);
}

#[test]
fn piece_above_the_bounds_is_sliced() {
    let limits = Limits {
        bytes: 10,
        pieces: 2,
        piece_bytes: 4,
    };
    let (mut sender, mut receiver) = channel::<u8>(limits, Gauge::default());
    let hand = Hand::new();
    let mut lengths = Vec::new();
    let mut sending = pin!(sender.send(piece(11)));
    while hand.poll(sending.as_mut()).is_pending() {
        while let Poll::Ready(Event::Piece(got)) = next(&mut receiver, &hand) {
            lengths.push(got.len());
        }
    }
    while let Poll::Ready(Event::Piece(got)) = next(&mut receiver, &hand) {
        lengths.push(got.len());
    }
    assert_eq!(lengths, [4, 4, 3]);
}

#[test]
fn bounds_of_zero_still_pass_everything() {
    let limits = Limits {
        bytes: 0,
        pieces: 0,
        piece_bytes: 0,
    };
    let (mut sender, mut receiver) = channel::<u8>(limits, Gauge::default());
    send_now(&mut sender, piece(1));
    assert_eq!(
        next(&mut receiver, &Hand::new()),
        Poll::Ready(Event::Piece(piece(1)))
    );
}

#[test]
fn receiver_dropped_frees_the_queue_and_wakes_a_blocked_sender() {
    let (mut sender, receiver) = channel::<u8>(LIMITS, Gauge::default());
    let queued = piece(100);
    let watched = queued.clone();
    send_now(&mut sender, queued);
    let (hand, watcher) = (Hand::new(), Hand::new());
    let mut closed = pin!(sender.watch());
    assert!(watcher.poll(closed.as_mut()).is_pending());
    let mut blocked = pin!(sender.send(piece(1)));
    assert!(hand.poll(blocked.as_mut()).is_pending());
    drop(receiver);
    assert_eq!((hand.bell.rings(), watcher.bell.rings()), (1, 1));
    assert_eq!(hand.poll(blocked), Poll::Ready(Err(Closed)));
    assert_eq!(watcher.poll(closed), Poll::Ready(()));
    assert!(watched.is_unique(), "the queue was kept");
}

/// Bytes that tell where they belong.
fn pattern(length: usize) -> Bytes {
    (0..=250_u8).cycle().take(length).collect()
}

async fn collect(mut receiver: Receiver<u8>) -> (Vec<u8>, Event<u8>) {
    let mut got = Vec::new();
    loop {
        match poll_fn(|context| receiver.poll_next(context)).await {
            Event::Piece(piece) => got.extend_from_slice(&piece),
            last => return (got, last),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_threads_pass_every_byte_in_order() {
    for round in 1..=20_usize {
        let limits = Limits {
            bytes: 997 * round,
            pieces: 1 + round % 7,
            piece_bytes: 333 * round,
        };
        let (mut sender, receiver) = channel(limits, Gauge::default());
        let sent = pattern(400_000);
        let mut rest = sent.clone();
        let pump = crate::task::spawn(async move {
            let mut length = round;
            while !rest.is_empty() {
                length = (length * 31 + 7) % 3000 + 1;
                let piece = rest.split_to(length.min(rest.len()));
                sender.send(piece).await.unwrap();
            }
            sender.end();
        });
        let (got, last) = crate::task::spawn(collect(receiver)).await.unwrap();
        pump.await.unwrap();
        assert!(got == sent && last == Event::End);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receiver_gone_at_any_moment_ends_the_sender() {
    for round in 0..500_usize {
        let (mut sender, mut receiver) = channel::<u8>(LIMITS, Gauge::default());
        let closed = sender.watch();
        let pump = crate::task::spawn(async move { while sender.send(piece(40)).await.is_ok() {} });
        for _ in 0..round % 9 {
            poll_fn(|context| receiver.poll_next(context)).await;
        }
        drop(receiver);
        pump.await.unwrap();
        closed.await;
    }
}
