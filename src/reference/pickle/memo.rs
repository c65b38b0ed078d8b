//! The memo of a pickle, in constant memory.
//!
//! A pickle numbers nearly every object and can refer to any of them later. Python refers often to
//! classes, attribute names and texts of one character, and hardly ever to other objects. So the memo
//! keeps the first objects, those that were referred to before, the shortest texts, and the most
//! recent objects. A pickle whose numbers do not increase is rejected; those of Python do.

use std::collections::{HashMap, VecDeque};

/// Number of objects that are always kept: all that a two-byte instruction can refer to.
const FIRST: usize = 256;
/// Maximum number of the most recent objects, and of their bytes.
const MAX_RECENT: usize = 4 * 1024;
const MAX_RECENT_BYTES: usize = 4 * 1024 * 1024;
/// Maximum number of objects kept because they were referred to, and of their bytes.
const MAX_KEPT: usize = 64 * 1024;
const MAX_KEPT_BYTES: usize = 16 * 1024 * 1024;

/// An object that the memo can contain.
pub(super) trait Numbered: Clone {
    /// Returns the number of heap bytes of the object.
    fn weight(&self) -> usize;
    /// Returns `true` if the pickle is likely to refer to the object at any time.
    fn is_shared(&self) -> bool;
}

/// The numbered objects of a pickle.
#[derive(Debug)]
pub(super) struct Memo<T> {
    first: Vec<Option<T>>,
    recent: VecDeque<(u64, T)>,
    recent_bytes: usize,
    kept: HashMap<u64, T>,
    kept_bytes: usize,
    count: u64,
}

impl<T: Numbered> Memo<T> {
    pub(super) fn new() -> Self {
        Self {
            first: Vec::new(),
            recent: VecDeque::new(),
            recent_bytes: 0,
            kept: HashMap::new(),
            kept_bytes: 0,
            count: 0,
        }
    }

    /// Returns the number of objects, which is the next number if the pickle does not name one.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Adds an object with a number. Returns `false` if the numbers do not increase.
    #[must_use]
    pub(super) fn put(&mut self, number: u64, object: T) -> bool {
        if let Some(place) = usize::try_from(number).ok().filter(|place| *place < FIRST) {
            if self.first.len() <= place {
                self.first.resize(place + 1, None);
            }
            self.count += u64::from(self.first[place].is_none());
            self.first[place] = Some(object);
            return true;
        }
        if self.recent.back().is_some_and(|(last, _)| *last >= number) {
            return false;
        }
        self.count += 1;
        if object.is_shared() {
            self.keep(number, &object);
        }
        self.recent_bytes += object.weight();
        self.recent.push_back((number, object));
        while self.recent.len() > 1
            && (self.recent.len() > MAX_RECENT || self.recent_bytes > MAX_RECENT_BYTES)
        {
            if let Some((_, old)) = self.recent.pop_front() {
                self.recent_bytes -= old.weight();
            }
        }
        true
    }

    /// Returns the object with this number, if it is still kept.
    pub(super) fn get(&mut self, number: u64) -> Option<T> {
        let place = usize::try_from(number).ok()?;
        if place < FIRST {
            return self.first.get(place)?.clone();
        }
        if let Some(object) = self.kept.get(&number) {
            return Some(object.clone());
        }
        let found = self
            .recent
            .binary_search_by_key(&number, |(number, _)| *number);
        let object = self.recent.get(found.ok()?)?.1.clone();
        self.keep(number, &object);
        Some(object)
    }

    fn keep(&mut self, number: u64, object: &T) {
        let bytes = self.kept_bytes + object.weight();
        if self.kept.len() < MAX_KEPT && bytes <= MAX_KEPT_BYTES {
            self.kept_bytes = bytes;
            self.kept.insert(number, object.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Numbered for String {
        fn weight(&self) -> usize {
            self.len()
        }

        fn is_shared(&self) -> bool {
            self.len() < 2
        }
    }

    #[test]
    fn referenced_objects_are_kept_and_memory_is_bounded() {
        let mut memo = Memo::new();
        for number in 0..100_000_u64 {
            let text = if number == 1000 {
                "x".into()
            } else {
                number.to_string()
            };
            assert_eq!(memo.count(), number);
            assert!(memo.put(number, text));
            if number == 2000 {
                assert_eq!(memo.get(1500).as_deref(), Some("1500"));
            }
        }
        for kept in [0, 255, 1500, 99_999, 100_000 - MAX_RECENT as u64] {
            assert_eq!(memo.get(kept), Some(kept.to_string()));
        }
        assert_eq!(memo.get(1000).as_deref(), Some("x"));
        for gone in [256, 1501, 100_000, u64::MAX] {
            assert_eq!(memo.get(gone), None);
        }
        for number in 100_000..100_100 {
            assert!(memo.put(number, "x".repeat(1024 * 1024)));
            memo.get(number);
        }
        assert!(memo.recent_bytes <= MAX_RECENT_BYTES && memo.kept_bytes <= MAX_KEPT_BYTES);
    }

    #[test]
    fn numbers_must_increase() {
        let mut memo = Memo::new();
        assert!(memo.put(u64::from(u32::MAX), "a".to_owned()));
        assert!(!memo.put(300, "b".to_owned()));
        assert!(memo.put(3, "c".to_owned()) && memo.put(3, "d".to_owned()));
        assert_eq!((memo.get(3).as_deref(), memo.count()), (Some("d"), 2));
        assert_eq!(memo.get(2), None);
    }
}
