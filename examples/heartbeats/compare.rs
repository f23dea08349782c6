//! The same run on async-io, in a second process, and both side by side.

use std::io::{self, Read};
use std::process::{Command, Stdio};
use std::thread;

use comfy_table::{CellAlignment, Table};
use serde::Serialize;

use super::options::{On, Options};
use super::report::{Report, per};
use super::stop::Stop;
use super::table::NO_BEAT;
use super::text::{columns, count, lines, micros, seconds, table, wrapped};

/// Both reports: what `--json` prints.
#[derive(Serialize)]
pub struct Comparison<'a> {
    pub async_wheel: &'a Report,
    pub async_io: &'a Report,
}

/// Runs the same on async-io. Ends it if `stop` is set. `None` if it fails and has said why.
pub fn run_peer(options: &Options, stop: &Stop) -> Result<Option<Report>, String> {
    let why = |error: io::Error| format!("cannot run the process on async-io: {error}");
    let program = std::env::current_exe().map_err(why)?;
    let mut child = Command::new(program)
        .args(options.arguments(On::AsyncIo))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(why)?;
    let mut output = child.stdout.take().expect("it was piped");
    let reading = thread::spawn(move || {
        let mut text = String::new();
        output.read_to_string(&mut text).map(|_| text)
    });
    stop.wait_unless(|| reading.is_finished());
    // It ends now, if it has not ended yet.
    drop(child.stdin.take());
    let text = reading.join().map_err(|_| "a thread panicked".to_owned())?.map_err(why)?;
    let status = child.wait().map_err(why)?;
    match serde_json::from_str(&text) {
        Ok(report) => Ok(Some(report)),
        Err(_) if status.code() == Some(2) => Ok(None),
        Err(error) => Err(format!("the process on async-io ended with {status}: {error}")),
    }
}

impl Comparison<'_> {
    /// Returns the table, in lines that fit the terminal.
    pub fn text(&self) -> String {
        self.text_of_width(columns())
    }

    fn text_of_width(&self, columns: u16) -> String {
        let reports = [self.async_wheel, self.async_io];
        let mut rows = table(columns);
        rows.add_row(["", &reports[0].runtime, &reports[1].runtime, "ratio"]);
        add_rows(&mut rows, reports);
        rows.column_iter_mut()
            .skip(1)
            .for_each(|column| column.set_cell_alignment(CellAlignment::Right));
        let mut parts = vec![
            lines(rows),
            wrapped("ratio: async-io / async-wheel; they ran one after the other", columns),
        ];
        parts.extend(reports.map(|report| {
            let verdict = report.evidence().map(|evidence| evidence.short_line());
            let verdict = verdict.unwrap_or_else(|| NO_BEAT.to_owned());
            wrapped(&format!("{}: {verdict}", report.runtime), columns)
        }));
        parts.extend(reports.into_iter().filter(|report| report.interrupted).map(|report| {
            let after = seconds(report.seconds);
            wrapped(&format!("{} was interrupted after {after}", report.runtime), columns)
        }));
        parts.join("\n")
    }
}

fn add_rows(rows: &mut Table, reports: [&Report; 2]) {
    let mut row = |name: &str, value: &dyn Fn(&Report) -> Option<f64>, text: fn(f64) -> String| {
        let values = reports.map(value);
        let ratio = match values {
            [Some(wheel), Some(io)] if wheel > 0.0 => format!("{:.2}", io / wheel),
            _ => "-".to_owned(),
        };
        let [wheel, io] = values.map(|value| value.map_or_else(|| "-".to_owned(), text));
        rows.add_row([name.to_owned(), wheel, io, ratio]);
    };
    let mut counts = |name: &str, value: fn(&Report) -> u64| {
        row(name, &|report| Some(value(report) as f64), |value| count(value.round() as u64));
    };
    counts("connections lost", |report| report.lost);
    counts("beats answered", |report| report.beats_answered);
    counts("beats not sent, for lack of time", |report| report.beats_skipped);
    counts("timers fired early", |report| report.early);
    counts("timers armed a second", |report| report.armed_per_second().round() as u64);
    let beats = |value: fn(&Report) -> u64| {
        move |report: &Report| (report.beats_answered > 0).then(|| value(report) as f64)
    };
    let late = |value: f64| micros(value.round() as u64);
    row("lateness of beats, p50", &beats(|report| report.beat_late_us.p50), late);
    row("lateness of beats, p99", &beats(|report| report.beat_late_us.p99), late);
    row("lateness of beats, max", &beats(|report| report.beat_late_us.max), late);
    row("round trip, p50", &beats(|report| report.round_trip_us.p50), late);
    row("round trip, p99", &beats(|report| report.round_trip_us.p99), late);
    row("lateness of idle timeouts, p50", &idle_late, late);
    row("lateness of a sleep, p99", &beats(|report| report.sleep_late_us.p99), late);
    row("processor time", &|report| Some(report.cpu_seconds), seconds);
    let each = |report: &Report| per(report.cpu_seconds * 1e6, report.beats_answered as f64);
    row("processor time a beat", &|report| Some(each(report)), late);
}

fn idle_late(report: &Report) -> Option<f64> {
    report.idle_late_us.filter(|_| report.idle_fired > 0).map(|late| late.p50 as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::tests::long;

    #[test]
    fn long_comparison_fits_80_columns() {
        let (async_wheel, mut async_io) = (&long(), long());
        async_io.runtime = "async-io".to_owned();
        (async_io.shards, async_io.reactor_late_us) = (None, None);
        let comparison = Comparison { async_wheel, async_io: &async_io };
        let text = comparison.text_of_width(80);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        // A line for each row, and four more: none is wrapped.
        assert_eq!(text.lines().count(), 14 + 4, "{text}");
        for columns in [1, 20] {
            comparison.text_of_width(columns);
        }
    }

    #[test]
    fn what_is_not_known_has_no_ratio() {
        let (async_wheel, mut async_io) = (&long(), long());
        (async_io.runtime, async_io.interrupted) = ("async-io".to_owned(), true);
        (async_io.beats_answered, async_io.idle_fired, async_io.beat_late_buckets) =
            (0, 0, Vec::new());
        let text = Comparison { async_wheel, async_io: &async_io }.text_of_width(80);
        for start in ["round trip, p50", "lateness of idle timeouts"] {
            let row = text.lines().find(|line| line.trim_start().starts_with(start)).unwrap();
            assert_eq!(row.split_whitespace().filter(|word| *word == "-").count(), 2, "{text}");
        }
        assert!(text.contains(NO_BEAT) && text.contains("async-io was interrupted"), "{text}");
    }
}
