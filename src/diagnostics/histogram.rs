//! How late timers were.

use std::time::Duration;

use crate::reactor::BUCKETS;

/// Durations, counted in fixed buckets.
///
/// There are 28. Bucket *i* counts the durations that are less than 2¹⁰⁺ⁱ ns, and not in the bucket
/// before: the first, less than 1.024 µs; the last but one, less than 68.7 s; the last, all longer
/// ones. So a quantile is known up to a factor of two. Each number wraps at 2⁶⁴.
///
/// # Examples
///
/// ```
/// use async_wheel::diagnostics::Histogram;
/// use std::time::Duration;
///
/// let histogram = Histogram::default();
/// assert_eq!(histogram.bounds().next(), Some((Duration::from_nanos(1_024), 0)));
/// assert_eq!(histogram.quantile(0.99), None, "nothing was counted");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Histogram {
    counts: [u64; BUCKETS],
    max: Duration,
}

impl Histogram {
    pub(super) fn new(counts: [u64; BUCKETS], max: Duration) -> Histogram {
        Histogram { counts, max }
    }

    /// Iterates over the buckets, from the shortest durations to the longest: the bound that the
    /// durations of each are less than, and how many there are. The last bound is
    /// [`Duration::MAX`].
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::{Timer, block_on, diagnostics};
    /// use std::time::Duration;
    ///
    /// block_on(async {
    ///     Timer::after(Duration::from_millis(1)).await;
    /// });
    /// let lateness = diagnostics::metrics().total().lateness;
    /// let under_a_millisecond: u64 = lateness
    ///     .bounds()
    ///     .take_while(|(bound, _)| *bound <= Duration::from_millis(1))
    ///     .map(|(_, count)| count)
    ///     .sum();
    /// assert!(under_a_millisecond <= lateness.count());
    /// ```
    pub fn bounds(&self) -> impl ExactSizeIterator<Item = (Duration, u64)> {
        self.counts.iter().enumerate().map(|(bucket, &count)| (upper_bound(bucket), count))
    }

    /// Returns how many durations were counted.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::{Timer, block_on, diagnostics};
    /// use std::time::Duration;
    ///
    /// block_on(async {
    ///     Timer::after(Duration::from_millis(1)).await;
    /// });
    /// let lateness = diagnostics::metrics().total().lateness;
    /// assert_eq!(lateness.count(), 1);
    /// ```
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().fold(0, |sum, count| sum.wrapping_add(*count))
    }

    /// Returns the longest duration of all, exactly.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::{Timer, block_on, diagnostics};
    /// use std::time::Duration;
    ///
    /// block_on(async {
    ///     Timer::after(Duration::from_millis(1)).await;
    /// });
    /// let lateness = diagnostics::metrics().total().lateness;
    /// println!("no timer was later than by {:?}", lateness.max());
    /// assert!(lateness.max() > Duration::ZERO);
    /// ```
    #[must_use]
    pub fn max(&self) -> Duration {
        self.max
    }

    /// Returns a bound that this part of all durations, from 0 to 1, is less than, or not longer
    /// than: that of a bucket, or the longest. `None` if there are none, or it is no such part.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::{Timer, block_on, diagnostics};
    /// use std::time::Duration;
    ///
    /// block_on(async {
    ///     Timer::after(Duration::from_millis(1)).await;
    /// });
    /// let lateness = diagnostics::metrics().total().lateness;
    /// assert_eq!(lateness.quantile(1.0), Some(lateness.max()));
    /// assert_eq!(lateness.quantile(1.1), None);
    /// ```
    #[must_use]
    pub fn quantile(&self, part: f64) -> Option<Duration> {
        let total = self.count();
        if total == 0 || !(0.0..=1.0).contains(&part) {
            return None;
        }
        let wanted = (part * total as f64).ceil().max(1.0) as u64;
        let mut seen = 0_u64;
        for (bound, count) in self.bounds() {
            seen = seen.saturating_add(count);
            if seen >= wanted {
                return Some(bound.min(self.max));
            }
        }
        Some(self.max)
    }

    /// Adds the numbers of another histogram.
    pub(super) fn add(&mut self, other: &Histogram) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count = count.wrapping_add(*more);
        }
        self.max = self.max.max(other.max);
    }
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram { counts: [0; BUCKETS], max: Duration::ZERO }
    }
}

fn upper_bound(bucket: usize) -> Duration {
    if bucket == BUCKETS - 1 { Duration::MAX } else { Duration::from_nanos(1 << (10 + bucket)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantile_is_a_bound_of_its_part() {
        let mut counts = [0; BUCKETS];
        (counts[0], counts[3], counts[BUCKETS - 1]) = (50, 49, 1);
        let histogram = Histogram::new(counts, Duration::from_secs(100));
        assert_eq!(histogram.count(), 100);
        for (part, bound) in [
            (0.0, Duration::from_nanos(1 << 10)),
            (0.5, Duration::from_nanos(1 << 10)),
            (0.51, Duration::from_nanos(1 << 13)),
            (0.99, Duration::from_nanos(1 << 13)),
            (1.0, Duration::from_secs(100)),
        ] {
            assert_eq!(histogram.quantile(part), Some(bound), "{part}");
        }
        for part in [-0.1, 1.1, f64::NAN] {
            assert_eq!(histogram.quantile(part), None, "{part}");
        }
    }

    #[test]
    fn sum_of_histograms_wraps() {
        let mut counts = [0; BUCKETS];
        counts[1] = u64::MAX;
        let one = Histogram::new(counts, Duration::from_nanos(2_000));
        let mut sum = one.clone();
        sum.add(&one);
        assert_eq!(sum.bounds().nth(1), Some((Duration::from_nanos(2_048), u64::MAX - 1)));
        assert_eq!(sum.max(), one.max());
    }
}
