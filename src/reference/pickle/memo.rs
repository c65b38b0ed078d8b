//! The numbered objects of a pickle, in constant memory.
//!
//! A pickle gives nearly every object a number and may ask for any of them later. Python asks for
//! classes, attribute names and texts of one character, over and over; hardly ever for others. So
//! the first objects are held, then those that were asked for once, the shortest texts, and the
//! last few thousand. Python counts numbers up; a pickle that does not is refused.

use std::collections::{HashMap, VecDeque};

/// Numbers that are always held: all that an instruction of two bytes can ask for.
const FIRST: usize = 256;
/// Most objects, and most bytes of them, that are held because they are the last.
const LAST: usize = 4 * 1024;
const LAST_BYTES: usize = 4 * 1024 * 1024;
/// Most objects, and most bytes of them, that are held because they were asked for.
const KEPT: usize = 64 * 1024;
const KEPT_BYTES: usize = 16 * 1024 * 1024;

/// An object that can be numbered.
pub(super) trait Numbered: Clone {
    /// Bytes it takes beside itself.
    fn weight(&self) -> usize;
    /// Whether it is likely to be asked for at any time.
    fn is_shared(&self) -> bool;
}

/// The numbered objects.
#[derive(Debug)]
pub(super) struct Memo<T> {
    first: Vec<Option<T>>,
    last: VecDeque<(u64, T)>,
    last_bytes: usize,
    kept: HashMap<u64, T>,
    kept_bytes: usize,
    count: u64,
}

impl<T: Numbered> Memo<T> {
    pub(super) fn new() -> Self {
        Self {
            first: Vec::new(),
            last: VecDeque::new(),
            last_bytes: 0,
            kept: HashMap::new(),
            kept_bytes: 0,
            count: 0,
        }
    }

    /// How many numbers were given: the next one, where a pickle only counts.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Gives an object this number; false if the numbers do not count up.
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
        if self.last.back().is_some_and(|(last, _)| *last >= number) {
            return false;
        }
        self.count += 1;
        if object.is_shared() {
            self.keep(number, &object);
        }
        self.last_bytes += object.weight();
        self.last.push_back((number, object));
        while self.last.len() > 1 && (self.last.len() > LAST || self.last_bytes > LAST_BYTES) {
            if let Some((_, old)) = self.last.pop_front() {
                self.last_bytes -= old.weight();
            }
        }
        true
    }

    /// The object with this number, if it is still held.
    pub(super) fn get(&mut self, number: u64) -> Option<T> {
        let place = usize::try_from(number).ok()?;
        if place < FIRST {
            return self.first.get(place)?.clone();
        }
        if let Some(object) = self.kept.get(&number) {
            return Some(object.clone());
        }
        let found = self
            .last
            .binary_search_by_key(&number, |(number, _)| *number);
        let object = self.last.get(found.ok()?)?.1.clone();
        self.keep(number, &object);
        Some(object)
    }

    fn keep(&mut self, number: u64, object: &T) {
        let bytes = self.kept_bytes + object.weight();
        if self.kept.len() < KEPT && bytes <= KEPT_BYTES {
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
    fn what_is_asked_for_is_held_and_memory_is_bounded() {
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
        for held in [0, 255, 1500, 99_999, 100_000 - LAST as u64] {
            assert_eq!(memo.get(held), Some(held.to_string()));
        }
        assert_eq!(memo.get(1000).as_deref(), Some("x"));
        for gone in [256, 1501, 100_000, u64::MAX] {
            assert_eq!(memo.get(gone), None);
        }
        for number in 100_000..100_100 {
            assert!(memo.put(number, "x".repeat(1024 * 1024)));
            memo.get(number);
        }
        assert!(memo.last_bytes <= LAST_BYTES && memo.kept_bytes <= KEPT_BYTES);
    }

    #[test]
    fn numbers_count_up() {
        let mut memo = Memo::new();
        assert!(memo.put(u64::from(u32::MAX), "a".to_owned()));
        assert!(!memo.put(300, "b".to_owned()));
        assert!(memo.put(3, "c".to_owned()) && memo.put(3, "d".to_owned()));
        assert_eq!((memo.get(3).as_deref(), memo.count()), (Some("d"), 2));
        assert_eq!(memo.get(2), None);
    }
}
