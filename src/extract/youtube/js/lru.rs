//! A small map that forgets what was not used for the longest time.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// At most `capacity` values, the least recently used of which goes first.
#[derive(Debug)]
pub(super) struct Lru<K, V> {
    capacity: usize,
    /// Counts uses; at one per nanosecond it lasts 584 years.
    uses: u64,
    values: HashMap<K, (u64, V)>,
    order: BTreeMap<u64, K>,
}

impl<K: Clone + Eq + Hash, V> Lru<K, V> {
    /// An empty map for `capacity` values, at least one.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            uses: 0,
            values: HashMap::new(),
            order: BTreeMap::new(),
        }
    }

    /// The value of `key`, which counts as a use.
    pub(super) fn get(&mut self, key: &K) -> Option<&mut V> {
        let (used, value) = self.values.get_mut(key)?;
        if let Some(key) = self.order.remove(used) {
            self.uses += 1;
            *used = self.uses;
            self.order.insert(self.uses, key);
        }
        Some(value)
    }

    /// Keeps `value`, in the place of an older one with the same key.
    pub(super) fn insert(&mut self, key: K, value: V) {
        self.remove(&key);
        if self.values.len() >= self.capacity
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.values.remove(&oldest);
        }
        self.uses += 1;
        self.order.insert(self.uses, key.clone());
        self.values.insert(key, (self.uses, value));
    }

    /// Changes the value of `key`, which is the default before its first change.
    pub(super) fn update(&mut self, key: &K, change: impl FnOnce(&mut V))
    where
        V: Default,
    {
        let mut value = self.remove(key).unwrap_or_default();
        change(&mut value);
        self.insert(key.clone(), value);
    }

    /// Forgets one value and gives it back.
    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        let (used, value) = self.values.remove(key)?;
        self.order.remove(&used);
        Some(value)
    }

    /// All values, the least recently used first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.order
            .values()
            .filter_map(|key| Some((key, &self.values.get(key)?.1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn least_recently_used_goes_first() {
        let mut lru = Lru::new(2);
        lru.insert("a", 1);
        lru.insert("b", 2);
        assert_eq!(lru.get(&"a"), Some(&mut 1));
        lru.insert("c", 3);
        assert_eq!(lru.get(&"b"), None);
        assert_eq!(lru.iter().collect::<Vec<_>>(), [(&"a", &1), (&"c", &3)]);
    }

    #[test]
    fn replaced_and_removed_values_leave_no_trace() {
        let mut lru = Lru::new(2);
        for value in 0..10 {
            lru.insert("a", value);
        }
        lru.insert("b", 0);
        assert_eq!(lru.get(&"a"), Some(&mut 9));
        assert_eq!(lru.remove(&"a"), Some(9));
        lru.update(&"b", |value| *value += 5);
        assert_eq!(lru.get(&"b"), Some(&mut 5));
        assert_eq!(lru.iter().count(), 1);
        assert_eq!((lru.values.len(), lru.order.len()), (1, 1));
    }
}
