//! Metrics as a table.

use std::fmt::{Formatter, Result};
use std::time::Duration;

use super::metrics::{Metrics, ShardMetrics};

/// The most shards that have a column of their own: so many fit into 80 columns beside the sum.
const MOST_COLUMNS: usize = 3;

/// Writes a table with a row for each number and a column for the sum, and for each shard if they
/// fit; then how late timers were.
pub(super) fn write(metrics: &Metrics, f: &mut Formatter<'_>) -> Result {
    let total = metrics.total();
    let shards = match metrics.shards.len() {
        2..=MOST_COLUMNS => &*metrics.shards,
        _ => &[],
    };
    write!(f, "{:<24} {:>14}", "", "all shards")?;
    for index in 0..shards.len() {
        write!(f, " {:>12}", format!("shard {index}"))?;
    }
    writeln!(f)?;
    let columns: Vec<_> = shards.iter().map(rows).collect();
    for (row, (name, number)) in rows(&total).into_iter().enumerate() {
        write!(f, "{name:<24} {:>14}", grouped(number))?;
        for column in &columns {
            write!(f, " {:>12}", grouped(column[row].1))?;
        }
        writeln!(f)?;
    }
    for (name, number) in metrics.fallback.rows() {
        writeln!(f, "{:<24} {:>14}", format!("fallback {name}"), grouped(number))?;
    }
    let lateness = |part| total.lateness.quantile(part).unwrap_or_default();
    for (name, late) in [
        ("lateness p50, below", lateness(0.5)),
        ("lateness p99, below", lateness(0.99)),
        ("lateness max", total.lateness.max()),
    ] {
        writeln!(f, "{name:<24} {:>14}", readable(late))?;
    }
    Ok(())
}

/// The rows of a shard, each with its name.
fn rows(shard: &ShardMetrics) -> Vec<(String, u64)> {
    let group = |name: &'static str, rows: Vec<(&'static str, u64)>| {
        rows.into_iter().map(move |(row, number)| (format!("{name} {row}"), number))
    };
    let mut rows: Vec<_> = group("timers", shard.timers.rows()).collect();
    rows.extend(
        [("rounds", shard.rounds), ("events", shard.events), ("wakes", shard.wakes)]
            .map(|(name, number)| (name.to_owned(), number)),
    );
    rows.extend(group("wakeups", shard.wakeups.rows()));
    rows.extend(group("notifications", shard.notifications.rows()));
    rows.extend(group("seat", shard.seat.rows()));
    rows.extend(group("sources", shard.sources.rows()));
    rows
}

/// A number with a space between each three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}

/// A duration to three digits or so.
fn readable(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    match nanos {
        0..1_000 => format!("{nanos} ns"),
        1_000..1_000_000 => format!("{:.1} µs", nanos as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} ms", nanos as f64 / 1e6),
        _ => format!("{:.1} s", duration.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_three() {
        let pairs = [(0, "0"), (999, "999"), (1_000, "1 000"), (1_234_567, "1 234 567")];
        for (number, text) in pairs {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn durations_have_fitting_units() {
        let pairs = [(7, "7 ns"), (1_500, "1.5 µs"), (2_000_000, "2.0 ms"), (1 << 36, "68.7 s")];
        for (nanos, text) in pairs {
            assert_eq!(readable(Duration::from_nanos(nanos)), text);
        }
    }

    #[test]
    fn table_fits_80_columns() {
        for shards in [0, 1, 2, 3, 64] {
            let shards = vec![ShardMetrics::default(); shards];
            let mut metrics = Metrics { shards, ..Metrics::default() };
            if let Some(shard) = metrics.shards.first_mut() {
                shard.rounds = 1_000_000_000;
            }
            let table = metrics.to_string();
            assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
            assert!(table.contains("1 000 000 000") || metrics.shards.is_empty());
        }
    }
}
