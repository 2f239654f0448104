//! Ids of broadcasts: 26 letters that sort by time, as ULIDs do.

use std::time::Duration;

/// Crockford's alphabet.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Letters of an id: 48 bits of milliseconds, 80 of chance.
const LENGTH: usize = 26;

/// A new id at this Unix time.
pub(super) fn new(now: Duration) -> String {
    let time = now.as_millis() & ((1 << 48) - 1);
    encode((time << 80) | (rand::random::<u128>() >> 48))
}

fn encode(mut value: u128) -> String {
    let mut letters = [0; LENGTH];
    for letter in letters.iter_mut().rev() {
        *letter = ALPHABET[usize::try_from(value & 31).unwrap_or(0)];
        value >>= 5;
    }
    letters.iter().map(|letter| char::from(*letter)).collect()
}

/// Whether a text has the form of an id.
pub(super) fn is_id(text: &str) -> bool {
    text.len() == LENGTH && text.bytes().all(|byte| ALPHABET.contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_one_form_and_sort_by_time() {
        let (first, second) = (new(Duration::from_secs(1)), new(Duration::from_secs(2)));
        assert!(is_id(&first) && is_id(&second) && first < second);
        assert!(!is_id("../../etc/passwd") && !is_id(""));
        assert_eq!(encode(u128::MAX), "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
    }
}
