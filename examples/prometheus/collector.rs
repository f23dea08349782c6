//! The metrics of async-wheel as a collector of `prometheus-client`.

use std::fmt::{Error, Result};
use std::time::Duration;

use async_wheel::diagnostics::{self, FallbackMetrics, Histogram, Metrics, ShardMetrics};
use prometheus_client::collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

/// Reads the metrics once for each scrape.
#[derive(Debug)]
pub struct Collector;

impl collector::Collector for Collector {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result {
        encode(&diagnostics::metrics(), encoder)
    }
}

/// A number of a shard.
type Number<S> = fn(&S) -> u64;

/// The counters of a shard, each with its name and its help. The encoder adds `_total` to the names,
/// and a full stop to the help.
const COUNTERS: [(&str, &str, Number<ShardMetrics>); 12] = [
    ("timers_armed", "Timers that began to wait", |shard| shard.timers.armed),
    ("timers_fired", "Timers that fired", |shard| shard.timers.fired),
    ("timers_cancelled", "Timers that were dropped or cleared while they waited", |shard| {
        shard.timers.cancelled
    }),
    ("timers_postponed", "Timers that got another deadline while they waited", |shard| {
        shard.timers.postponed
    }),
    ("timers_cascaded", "Moves of timers to finer slots of the wheel", |shard| {
        shard.timers.cascaded
    }),
    ("rounds", "Rounds of whichever thread", |shard| shard.rounds),
    ("events", "Events of sources that were dispatched", |shard| shard.events),
    ("wakes", "Wakers that were collected by rounds", |shard| shard.wakes),
    ("seat_acquired", "Times that a thread acquired the seat", |shard| shard.seat.acquired),
    ("seat_promoted", "Times that a waiting thread was promoted", |shard| shard.seat.promoted),
    ("source_registrations", "Sources that were registered", |shard| shard.sources.registrations),
    ("source_migrations", "Sources that moved here from another shard", |shard| {
        shard.sources.migrations
    }),
];

/// The counters of a shard that have a second label: name, help, label, and the values of the label.
type Labelled =
    (&'static str, &'static str, &'static str, &'static [(&'static str, Number<ShardMetrics>)]);

const LABELLED: [Labelled; 2] = [
    (
        "wakeups",
        "Sleeps in the poller, by what ended them",
        "cause",
        &[
            ("event", |shard| shard.wakeups.event),
            ("deadline", |shard| shard.wakeups.deadline),
            ("notification", |shard| shard.wakeups.notification),
            ("spurious", |shard| shard.wakeups.spurious),
        ],
    ),
    (
        "notifications",
        "Deadlines that came in while a thread slept, by whether it was notified",
        "outcome",
        &[("sent", |shard| shard.notifications.sent), ("saved", |shard| shard.notifications.saved)],
    ),
];

/// What goes up and down.
const GAUGES: [(&str, &str, Number<ShardMetrics>); 2] = [
    ("timers_pending", "Timers that wait now", |shard| shard.timers.pending),
    ("sources_registered", "Sources that are registered now", |shard| shard.sources.registered),
];

/// The counters of the fallback thread, which has no shard.
const FALLBACK: [(&str, &str, Number<FallbackMetrics>); 4] = [
    ("fallback_scans", "Looks of the fallback thread at all shards", |thread| thread.scans),
    ("fallback_services", "Rounds that the fallback thread has run", |thread| thread.services),
    ("fallback_undriven", "Scans that found work left undone", |thread| thread.undriven),
    ("fallback_sleeps", "Sleeps of the fallback thread", |thread| thread.sleeps),
];

/// Encodes all of them, each name once with the samples of all shards.
fn encode(metrics: &Metrics, mut encoder: DescriptorEncoder<'_>) -> Result {
    let shards = || metrics.shards.iter().enumerate().map(|(index, it)| (index.to_string(), it));
    for (name, help, number) in COUNTERS {
        let name = format!("async_wheel_{name}");
        let mut metric = encoder.encode_descriptor(&name, help, None, MetricType::Counter)?;
        for (index, shard) in shards() {
            let labels = [("shard", index.as_str())];
            ConstCounter::new(number(shard)).encode(metric.encode_family(&labels)?)?;
        }
    }
    for (name, help, label, values) in LABELLED {
        let name = format!("async_wheel_{name}");
        let mut metric = encoder.encode_descriptor(&name, help, None, MetricType::Counter)?;
        for (index, shard) in shards() {
            for (value, number) in values {
                let labels = [("shard", index.as_str()), (label, value)];
                ConstCounter::new(number(shard)).encode(metric.encode_family(&labels)?)?;
            }
        }
    }
    for (name, help, number) in GAUGES {
        let name = format!("async_wheel_{name}");
        let mut metric = encoder.encode_descriptor(&name, help, None, MetricType::Gauge)?;
        for (index, shard) in shards() {
            let labels = [("shard", index.as_str())];
            ConstGauge::new(number(shard)).encode(metric.encode_family(&labels)?)?;
        }
    }
    for (name, help, number) in FALLBACK {
        let name = format!("async_wheel_{name}");
        let metric = encoder.encode_descriptor(&name, help, None, MetricType::Counter)?;
        ConstCounter::new(number(&metrics.fallback)).encode(metric)?;
    }
    encode_lateness(metrics, encoder)
}

fn encode_lateness(metrics: &Metrics, mut encoder: DescriptorEncoder<'_>) -> Result {
    let (name, help) = ("async_wheel_timer_lateness", "How late timers fired");
    let unit = Some(&Unit::Seconds);
    let mut metric = encoder.encode_descriptor(name, help, unit, MetricType::Histogram)?;
    for (index, shard) in metrics.shards.iter().enumerate() {
        let labels = [("shard", index.to_string())];
        let (buckets, count) = buckets(&shard.lateness);
        // The sum of all lateness is not counted, and not made up.
        let sum = f64::NAN;
        let mut metric = metric.encode_family(&labels)?;
        metric.encode_histogram::<[(&str, &str); 0]>(sum, count, &buckets, None)?;
    }
    let (name, help) = ("async_wheel_timer_lateness_max", "How late a timer fired at most");
    let mut metric = encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?;
    for (index, shard) in metrics.shards.iter().enumerate() {
        let labels = [("shard", index.to_string())];
        let longest = shard.lateness.max().as_secs_f64();
        ConstGauge::new(longest).encode(metric.encode_family(&labels)?)?;
    }
    Ok::<(), Error>(())
}

/// Returns the buckets with their bounds in seconds, and the number of all that is in them. That
/// stays at its maximum if more were counted, since the encoder adds the buckets up.
fn buckets(lateness: &Histogram) -> (Vec<(f64, u64)>, u64) {
    capped(lateness.bounds())
}

fn capped(bounds: impl Iterator<Item = (Duration, u64)>) -> (Vec<(f64, u64)>, u64) {
    let mut all = 0_u64;
    let buckets = bounds.map(|(bound, count)| {
        let count = count.min(u64::MAX - all);
        all += count;
        let bound = if bound == Duration::MAX { f64::INFINITY } else { bound.as_secs_f64() };
        (bound, count)
    });
    (buckets.collect(), all)
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::prometheus_text;
    use prometheus_client::registry::Registry;

    use super::*;

    /// Shards that have counted up to the maximum.
    #[derive(Debug)]
    struct AtMaximum;

    impl collector::Collector for AtMaximum {
        fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result {
            let mut metrics = Metrics::default();
            let mut shard = ShardMetrics::default();
            (shard.timers.armed, shard.timers.pending) = (u64::MAX, u64::MAX);
            metrics.shards = vec![shard.clone(), shard];
            metrics.fallback.scans = u64::MAX;
            encode(&metrics, encoder)
        }
    }

    #[test]
    fn numbers_at_their_maximum_are_encoded() {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(AtMaximum));
        let mut text = String::new();
        prometheus_text::encode(&mut text, &registry).unwrap();
        for line in [
            "async_wheel_timers_armed_total{shard=\"1\"} 18446744073709551615",
            "async_wheel_timers_pending{shard=\"0\"} 18446744073709551615",
            "async_wheel_fallback_scans_total 18446744073709551615",
            "async_wheel_wakeups_total{shard=\"0\",cause=\"event\"} 0",
            "async_wheel_timer_lateness_seconds_bucket{shard=\"0\",le=\"1.024e-06\"} 0",
            "async_wheel_timer_lateness_seconds_bucket{shard=\"0\",le=\"+Inf\"} 0",
            "async_wheel_timer_lateness_seconds_sum{shard=\"0\"} NaN",
            "async_wheel_timer_lateness_max_seconds{shard=\"0\"} 0.0",
        ] {
            assert!(text.lines().any(|it| it == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn sum_of_buckets_stays_at_maximum() {
        let second = Duration::from_secs(1);
        let bounds = [(second, u64::MAX - 1), (2 * second, 5), (Duration::MAX, 7)];
        let (buckets, count) = capped(bounds.into_iter());
        assert_eq!(buckets, [(1.0, u64::MAX - 1), (2.0, 1), (f64::INFINITY, 0)]);
        assert_eq!(count, u64::MAX);
    }
}
