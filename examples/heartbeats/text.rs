//! How numbers are written.

use std::time::Duration;

use comfy_table::{ContentArrangement, Table, presets};
use indicatif::HumanCount;

/// The most columns that are used, and what is used if there is no terminal.
const COLUMNS: u16 = 80;

/// Returns how many columns there are: those of the terminal, but at most 80.
pub fn columns() -> u16 {
    let terminal = console::Term::stdout().size_checked();
    terminal.map_or(COLUMNS, |(_, columns)| columns.clamp(1, COLUMNS))
}

/// Returns an empty table that is no wider than this.
pub fn table(columns: u16) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(columns);
    table
}

/// Returns text in lines that are no longer than this, each indented by one.
pub fn wrapped(text: &str, columns: u16) -> String {
    let mut table = table(columns);
    table.add_row([text]);
    lines(table)
}

/// Returns the lines of a table.
pub fn lines(mut table: Table) -> String {
    if let Some(last) = table.column_iter_mut().last() {
        last.set_padding((1, 0));
    }
    table.trim_fmt()
}

/// Returns a count with separators between the thousands.
pub fn count(count: u64) -> String {
    HumanCount(count).to_string()
}

/// Returns microseconds in the unit that fits, with three digits.
pub fn micros(micros: u64) -> String {
    seconds(Duration::from_micros(micros).as_secs_f64())
}

/// Returns seconds in the unit that fits, with three digits.
pub fn seconds(seconds: f64) -> String {
    match seconds {
        // What would be rounded to the next unit is written in it.
        ..999.5e-6 => format!("{} µs", three_digits(seconds * 1e6)),
        ..999.5e-3 => format!("{} ms", three_digits(seconds * 1e3)),
        _ => format!("{} s", three_digits(seconds)),
    }
}

fn three_digits(value: f64) -> String {
    let digits = match value {
        ..9.995 => 2,
        ..99.95 => 1,
        _ => return count(value.round() as u64),
    };
    let text = format!("{value:.digits$}");
    // Whole microseconds are measured.
    text.strip_suffix(&format!(".{:0digits$}", 0)).map_or_else(|| text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unit_fits_the_size() {
        for (value, text) in [
            (0, "0 µs"),
            (7, "7 µs"),
            (999, "999 µs"),
            (1_000, "1 ms"),
            (1_234, "1.23 ms"),
            (83_456, "83.5 ms"),
            (999_499, "999 ms"),
            (999_999, "1 s"),
            (9_994_000, "9.99 s"),
            (99_960_000, "100 s"),
            (3_600_000_000, "3,600 s"),
        ] {
            assert_eq!(micros(value), text);
        }
    }

    #[test]
    fn thousands_are_separated() {
        assert_eq!([count(999), count(1_000), count(33_857_009)], ["999", "1,000", "33,857,009"]);
    }

    #[test]
    fn narrow_text_is_wrapped() {
        let lines = wrapped("good: late by little", 12);
        assert!(lines.lines().all(|line| line.chars().count() <= 12), "{lines}");
        assert!(lines.lines().count() >= 2, "{lines}");
    }
}
