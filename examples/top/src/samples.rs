//! Two looks at the metrics, and what happened between them.

use std::time::{Duration, Instant};

use async_wheel::diagnostics::{self, FallbackMetrics, Metrics, ShardMetrics};

/// The last two looks.
pub struct Samples {
    before: Metrics,
    now: Metrics,
    at: Instant,
    /// The time between them, in seconds.
    seconds: f64,
}

impl Samples {
    /// Two looks at once: nothing happened between them.
    pub fn new() -> Samples {
        let now = diagnostics::metrics();
        Samples { before: now.clone(), now, at: Instant::now(), seconds: 0.0 }
    }

    /// Looks again.
    pub fn take(&mut self) {
        let (now, at) = (diagnostics::metrics(), Instant::now());
        self.seconds = (at - self.at).as_secs_f64();
        self.before = std::mem::replace(&mut self.now, now);
        self.at = at;
    }

    /// Returns the last look.
    pub fn now(&self) -> &Metrics {
        &self.now
    }

    /// Returns how often a second the counter of all shards went up.
    pub fn rate(&self, count: impl Fn(&ShardMetrics) -> u64) -> f64 {
        self.per_second(count(&self.before.total()), count(&self.now.total()))
    }

    /// Returns the same of one shard.
    pub fn rate_of(&self, shard: usize, count: impl Fn(&ShardMetrics) -> u64) -> f64 {
        let of = |metrics: &Metrics| metrics.shards.get(shard).map_or(0, &count);
        self.per_second(of(&self.before), of(&self.now))
    }

    /// Returns the same of the fallback thread.
    pub fn rate_of_fallback(&self, count: impl Fn(&FallbackMetrics) -> u64) -> f64 {
        self.per_second(count(&self.before.fallback), count(&self.now.fallback))
    }

    fn per_second(&self, before: u64, now: u64) -> f64 {
        if self.seconds <= 0.0 {
            return 0.0;
        }
        // Counters wrap.
        now.wrapping_sub(before) as f64 / self.seconds
    }

    /// Returns how many timers fired between the two looks, by the bound of their lateness.
    pub fn lateness(&self) -> Vec<(Duration, u64)> {
        let (before, now) = (self.before.total().lateness, self.now.total().lateness);
        let pairs = now.bounds().zip(before.bounds());
        pairs.map(|((bound, now), (_, before))| (bound, now.wrapping_sub(before))).collect()
    }
}

/// Returns a bound that this part of the durations is less than.
pub fn quantile(buckets: &[(Duration, u64)], part: f64) -> Option<Duration> {
    let all = buckets.iter().fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
    let wanted = ((part * all as f64).ceil() as u64).max(1);
    let mut seen = 0_u64;
    buckets
        .iter()
        .find(|(_, count)| {
            seen = seen.saturating_add(*count);
            seen >= wanted
        })
        .map(|(bound, _)| *bound)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two looks a second apart, at one shard.
    fn samples(before: u64, now: u64) -> Samples {
        let metrics = |armed| {
            let mut metrics = Metrics::default();
            metrics.shards.push(ShardMetrics::default());
            metrics.shards[0].timers.armed = armed;
            metrics.fallback.scans = armed;
            metrics
        };
        Samples { before: metrics(before), now: metrics(now), at: Instant::now(), seconds: 1.0 }
    }

    #[test]
    fn rates_survive_wrapping_counters() {
        let samples = samples(u64::MAX - 4, 5);
        assert_eq!(samples.rate(|shard| shard.timers.armed), 10.0);
        assert_eq!(samples.rate_of(0, |shard| shard.timers.armed), 10.0);
        assert_eq!(samples.rate_of(1, |shard| shard.timers.armed), 0.0, "there is no such shard");
        assert_eq!(samples.rate_of_fallback(|thread| thread.scans), 10.0);
    }

    #[test]
    fn two_looks_at_once_have_no_rate() {
        let samples = Samples { seconds: 0.0, ..samples(0, 7) };
        assert_eq!(samples.rate(|shard| shard.timers.armed), 0.0);
    }

    #[test]
    fn quantile_is_bound_of_its_bucket() {
        let second = Duration::from_secs(1);
        let buckets = [(second, 98), (2 * second, 1), (3 * second, 1)];
        assert_eq!(quantile(&buckets, 0.5), Some(second));
        assert_eq!(quantile(&buckets, 0.99), Some(2 * second));
        assert_eq!(quantile(&buckets, 1.0), Some(3 * second));
        assert_eq!(quantile(&[(second, 0)], 0.5), None);
    }
}
