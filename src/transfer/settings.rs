//! Settings of transfers, read from the environment.

use std::time::Duration;

use super::channel::Limits;
use crate::config::Env;

/// Bytes between upstream and client by default: enough to keep a fast client busy over one turn of the upstream
/// (reliability R3.2).
const BUFFER_BYTES: usize = 256 * 1024;
/// Least buffer: one read of a connection.
const MIN_BUFFER_BYTES: usize = 16 * 1024;
/// Largest buffer.
const MAX_BUFFER_BYTES: usize = 64 * 1024 * 1024;
/// Bytes by default that all transfers together hold so: up to 128 have the whole of theirs, 2,000 have 16 KiB each.
const BUFFER_TOTAL_BYTES: usize = 32 * 1024 * 1024;
/// Largest sum.
const MAX_BUFFER_TOTAL_BYTES: usize = 64 * 1024 * 1024 * 1024;
/// Pieces in the buffer by default.
const QUEUE_PIECES: usize = 20;
/// Largest number of pieces.
const MAX_QUEUE_PIECES: usize = 4096;
/// Cap of a piece by default: a quarter of the buffer, so that a large read doesn't wait for an empty queue.
const PIECE_BYTES: usize = 64 * 1024;
/// Least cap of a piece: the h2 frame and TLS record overhead grows below.
const MIN_PIECE_BYTES: usize = 1024;
/// Seconds by default after which a client that takes nothing is given up (README ruling 27).
const CLIENT_STALL_SECONDS: u64 = 60;
/// Bytes per second by default that a client must take (reliability R2.1).
const CLIENT_MIN_RATE: usize = 1024;
/// Largest such rate: what the slowest lines of today carry easily.
const MAX_CLIENT_MIN_RATE: usize = 1024 * 1024;

/// Settings of transfers.
#[derive(Debug, Clone)]
pub struct TransferConfig {
    /// `STREAM_BUFFER_BYTES`, bytes, 262144: what may wait between upstream and client of one transfer.
    pub buffer_bytes: usize,
    /// `STREAM_BUFFER_TOTAL_BYTES`, 33554432: what may wait so in all; shared out evenly while many transfers run, at
    /// least 16 KiB each.
    pub buffer_total_bytes: usize,
    /// `QUEUE_SIZE`, 20: how many pieces may wait there.
    pub queue_pieces: usize,
    /// `CHUNK_SIZE`, bytes, 65536: pieces pass as they arrive, larger ones are sliced without copying.
    pub piece_bytes: usize,
    /// `CLIENT_STALL_TIMEOUT`, seconds, 60: a client that takes nothing for so long while the buffer is full is cut off.
    pub client_stall: Duration,
    /// `CLIENT_MIN_RATE`, bytes per second, 1024: a client that takes less on average over 120 s, counted while the
    /// buffer is full, is cut off; 0 for no limit.
    pub client_min_rate: u64,
}

impl Default for TransferConfig {
    fn default() -> Self {
        Self {
            buffer_bytes: BUFFER_BYTES,
            buffer_total_bytes: BUFFER_TOTAL_BYTES,
            queue_pieces: QUEUE_PIECES,
            piece_bytes: PIECE_BYTES,
            client_stall: Duration::from_secs(CLIENT_STALL_SECONDS),
            client_min_rate: CLIENT_MIN_RATE as u64,
        }
    }
}

impl TransferConfig {
    /// Reads `STREAM_BUFFER_BYTES`, `STREAM_BUFFER_TOTAL_BYTES`, `QUEUE_SIZE`, `CHUNK_SIZE`, `CLIENT_STALL_TIMEOUT`, `CLIENT_MIN_RATE`.
    pub fn from_env(env: &mut Env) -> Self {
        Self {
            buffer_bytes: env.count(
                "STREAM_BUFFER_BYTES",
                BUFFER_BYTES,
                MIN_BUFFER_BYTES,
                MAX_BUFFER_BYTES,
            ),
            buffer_total_bytes: env.count(
                "STREAM_BUFFER_TOTAL_BYTES",
                BUFFER_TOTAL_BYTES,
                MIN_BUFFER_BYTES,
                MAX_BUFFER_TOTAL_BYTES,
            ),
            queue_pieces: env.count("QUEUE_SIZE", QUEUE_PIECES, 1, MAX_QUEUE_PIECES),
            piece_bytes: env.count("CHUNK_SIZE", PIECE_BYTES, MIN_PIECE_BYTES, MAX_BUFFER_BYTES),
            client_stall: env.seconds("CLIENT_STALL_TIMEOUT", CLIENT_STALL_SECONDS, 1),
            client_min_rate: env.count("CLIENT_MIN_RATE", CLIENT_MIN_RATE, 0, MAX_CLIENT_MIN_RATE)
                as u64,
        }
    }

    pub(super) fn limits(&self) -> Limits {
        Limits {
            bytes: self.buffer_bytes,
            pieces: self.queue_pieces,
            piece_bytes: self.piece_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_unset_are_the_defaults() {
        let mut env = Env::default();
        let config = TransferConfig::from_env(&mut env);
        assert_eq!(
            format!("{config:?}"),
            format!("{:?}", TransferConfig::default())
        );
        let names = [
            "STREAM_BUFFER_BYTES",
            "STREAM_BUFFER_TOTAL_BYTES",
            "QUEUE_SIZE",
            "CHUNK_SIZE",
            "CLIENT_STALL_TIMEOUT",
            "CLIENT_MIN_RATE",
        ];
        assert_eq!(env.asked(), names);
        env.finish().unwrap();
    }

    #[test]
    fn settings_out_of_bounds_are_faults() {
        let pairs = [
            ("STREAM_BUFFER_BYTES", "1"),
            ("STREAM_BUFFER_TOTAL_BYTES", "16383"),
            ("QUEUE_SIZE", "0"),
            ("CHUNK_SIZE", "many"),
            ("CLIENT_STALL_TIMEOUT", "0"),
            ("CLIENT_MIN_RATE", "1048577"),
        ];
        let mut env = Env::from_pairs(pairs);
        TransferConfig::from_env(&mut env);
        assert_eq!(env.finish().unwrap_err().faults.len(), 6);
    }
}
