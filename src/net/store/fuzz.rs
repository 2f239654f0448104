//! Replies of Redis, for [`crate::fuzz`].

use std::time::Duration;

use redis::{FromRedisValue, Value, parse_redis_value};

use super::{bounded, paced};

const MAX: usize = 64;
const WINDOW: Duration = Duration::from_secs(60);

/// A reply: whatever it is, what is made of it keeps its bounds.
pub(in crate::net) fn reply(data: &[u8]) {
    let Ok(value) = parse_redis_value(data) else {
        return;
    };
    if let Some(bytes) = read::<Vec<u8>>(&value) {
        let taken = bounded(bytes, MAX);
        assert!(taken.is_none_or(|bytes| (1..=MAX).contains(&bytes.len())));
    }
    if let Some(counted) = read(&value) {
        assert!(paced(counted, WINDOW).ahead <= WINDOW);
    }
    let _token = read::<Option<String>>(&value);
    let _count = read::<u64>(&value);
    let _done = read::<()>(&value);
}

/// As a call reads it; an error that the server sent is none.
fn read<T: FromRedisValue>(value: &Value) -> Option<T> {
    let value = value.clone().extract_error().ok()?;
    T::from_redis_value(value).ok()
}
