//! The figures at the end, as a table.

use super::report::{Bucket, Percentiles, Report, Side};
use super::text::{columns, count, lines, micros, seconds, table, wrapped};

/// What is said instead of a verdict.
pub const NO_BEAT: &str = "no beat was due";

/// Returns the figures of a run, its lateness as bars, and the verdict, in lines that fit the
/// terminal.
pub fn of(report: &Report) -> String {
    of_width(report, columns())
}

fn of_width(report: &Report, columns: u16) -> String {
    let mut rows = table(columns);
    let mut row = |name: &str, value: String| {
        rows.add_row([name, &value]);
    };
    let beats = report.side != Side::Server;
    if report.interrupted {
        row("interrupted", format!("after {}", seconds(report.seconds)));
    }
    let (connections, lost) = (count(report.connections), count(report.lost));
    row("connections", format!("{connections}, {lost} lost"));
    if beats {
        let (sent, answered) = (count(report.beats_sent), count(report.beats_answered));
        row("beats", format!("{sent} sent, {answered} answered"));
        if report.beats_skipped > 0 {
            row("beats not sent", format!("{}, for lack of time", count(report.beats_skipped)));
        }
        row("lateness of beats", percentiles(&report.beat_late_us));
        row("round trip", percentiles(&report.round_trip_us));
        let (armed, fired) = (report.reply_timeouts_armed, report.reply_timeouts_fired);
        let cancelled = count(armed - fired);
        let (armed, fired) = (count(armed), count(fired));
        row("reply timeouts", format!("{armed} armed, {cancelled} cancelled, {fired} fired"));
    }
    let fired = count(report.idle_fired);
    row(
        "idle timeouts",
        match report.idle_expected {
            Some(0) => format!("{fired} fired, no client fell silent"),
            Some(expected) => format!("{fired} of {} fired", count(expected)),
            None => format!("{fired} fired"),
        },
    );
    if let Some(late) = &report.idle_late_us {
        row("their lateness", percentiles(late));
    }
    row("timers fired early", count(report.early));
    let per_second = count(report.armed_per_second().round() as u64);
    row("timers armed", format!("{}, {per_second} a second", count(report.timers_armed)));
    let (cpu, time) = (seconds(report.cpu_seconds), seconds(report.seconds));
    let (used, processors) = (report.processors_in_use(), report.processors);
    row("processor time", format!("{cpu} in {time}: {used:.2} of {processors} processors"));
    if let Some(shards) = report.shards {
        row("shards in use", shards.to_string());
    }
    row("lateness of a sleep", percentiles(&report.sleep_late_us));
    let mut parts = vec![lines(rows)];
    if beats {
        let first = report.beat_late_buckets.iter().position(|bucket| bucket.count > 0);
        if let Some(first) = first {
            let bars = bars(&report.beat_late_buckets[first..], columns);
            parts.push(format!(" lateness of beats\n{bars}"));
        }
        parts.push(wrapped(&verdict(report), columns));
    }
    parts.join("\n\n")
}

/// Returns the line that says how good the lateness is.
fn verdict(report: &Report) -> String {
    report.evidence().map_or_else(|| NO_BEAT.to_owned(), |evidence| evidence.line())
}

fn percentiles(percentiles: &Percentiles) -> String {
    let Percentiles { p50, p99, max } = *percentiles;
    format!("p50 {}, p99 {}, max {}", micros(p50), micros(p99), micros(max))
}

/// Returns a line for each bucket, with a bar.
fn bars(buckets: &[Bucket], columns: u16) -> String {
    let most = buckets.iter().map(|bucket| bucket.count).max().unwrap_or(0).max(1);
    let texts: Vec<_> =
        buckets.iter().map(|bucket| (micros(bucket.up_to_us), count(bucket.count))).collect();
    let bound_width = texts.iter().map(|(bound, _)| bound.chars().count()).max().unwrap_or(0);
    let count_width = texts.iter().map(|(_, count)| count.len()).max().unwrap_or(0);
    // A space at each end, and those between.
    let width = u64::from(columns).saturating_sub((bound_width + count_width + 6) as u64);
    let lines = buckets.iter().zip(&texts).map(|(bucket, (bound, count))| {
        let cells = (u128::from(bucket.count) * u128::from(width)).div_ceil(u128::from(most));
        let bar = "█".repeat(cells as usize);
        format!(" ≤ {bound:>bound_width$} {count:>count_width$} {bar}").trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::verdict::{Grade, Limit, Verdict};

    const LATE: Percentiles = Percentiles { p50: 123_456, p99: 1_234_567, max: 3_600_000_000 };

    /// A report with numbers as long as they get.
    pub fn long() -> Report {
        Report {
            runtime: "async-wheel".to_owned(),
            side: Side::Both,
            interrupted: false,
            connections: 10_000_000,
            beats_sent: 33_857_009_123,
            beats_answered: 33_857_009_123,
            beats_skipped: 1_234_567_890_123,
            beat_late_us: LATE,
            beat_late_buckets: (4..32)
                .map(|power| Bucket { up_to_us: 1 << power, count: 1_234_567 << (power / 2) })
                .collect(),
            round_trip_us: LATE,
            idle_fired: 10_000_000,
            idle_expected: Some(10_000_000),
            idle_late_us: Some(LATE),
            reply_timeouts_armed: 3_857_009_123,
            reply_timeouts_fired: 0,
            timers_armed: 133_857_009_123,
            early: 0,
            lost: 0,
            period_us: 1.0,
            seconds: 100_000.0,
            cpu_seconds: 12_790_000.0,
            processors: 128,
            machine_busy: Some(1.0),
            threads: 128,
            shards: Some(128),
            reactor_late_us: Some(LATE),
            sleep_late_us: LATE,
            verdict: Some(Verdict { grade: Grade::Poor, limit: Limit::Processors }),
        }
    }

    #[test]
    fn long_rows_fit_80_columns() {
        let text = of_width(&long(), 80);
        let lines: Vec<_> = text.lines().collect();
        assert!(lines.iter().all(|line| line.chars().count() <= 80), "{text}");
        // No row is wrapped: each begins with its name.
        assert!(lines.iter().all(|line| line.is_empty() || line.as_bytes()[1] != b' '), "{text}");
    }

    #[test]
    fn narrow_terminal_wraps_rows() {
        for columns in [1, 2, 10, 20, 40] {
            let text = of_width(&long(), columns);
            let widest = text.lines().map(|line| line.chars().count()).max().unwrap_or(0);
            assert!(columns < 20 || widest <= 30.max(columns.into()), "{columns}: {text}");
        }
    }

    #[test]
    fn report_is_read_as_it_is_written() {
        let text = serde_json::to_string(&long()).unwrap();
        let read: Report = serde_json::from_str(&text).unwrap();
        assert_eq!(of_width(&read, 80), of_width(&long(), 80));
    }
}
