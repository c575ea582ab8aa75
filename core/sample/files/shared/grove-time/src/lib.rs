//! Days and spans of a growing season, without clocks or zones.

use std::collections::BTreeMap;
use std::fmt;

/// A day of a season, counted from its first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub u32);

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "day {}", self.0)
    }
}

/// Values by day.
#[derive(Clone, Debug, Default)]
pub struct Calendar<T> {
    days: BTreeMap<Day, Vec<T>>,
}

impl<T: Clone> Calendar<T> {
    pub fn new() -> Self {
        Self { days: BTreeMap::new() }
    }

    pub fn note(&mut self, day: Day, value: T) {
        self.days.entry(day).or_default().push(value);
    }

    pub fn on(&self, day: Day) -> &[T] {
        self.days.get(&day).map_or(&[], Vec::as_slice)
    }

    pub fn between(&self, first: Day, last: Day) -> impl Iterator<Item = (Day, &T)> {
        self.days.range(first..=last).flat_map(|(day, all)| all.iter().map(move |value| (*day, value)))
    }

    /// Folds `width` days into one value each.
    pub fn windows<U>(&self, width: u32, mut fold: impl FnMut(Day, Vec<T>) -> U) -> Vec<U> {
        let mut windows: BTreeMap<u32, Vec<T>> = BTreeMap::new();
        for (day, values) in &self.days {
            windows.entry(day.0 / width.max(1)).or_default().extend(values.iter().cloned());
        }
        windows.into_iter().map(|(n, values)| fold(Day(n * width), values)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_cover_every_day_once() {
        let mut calendar = Calendar::new();
        (0..10).for_each(|n| calendar.note(Day(n), n));
        assert_eq!(calendar.windows(4, |_, all| all.len()), [4, 4, 2]);
    }
}
