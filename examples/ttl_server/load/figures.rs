//! The figures of a run, as JSON and as a table, and the medians of several runs.

use std::io::{self, BufRead, Write};

use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Value, json};

use super::watch::Seen;
use crate::Failure;
use crate::options::LoadOptions;

pub struct Figures {
    pub name: String,
    pub keys: u32,
    /// Commands a second, one at a time from each connection, and several at a time.
    pub set: f64,
    pub set_pipelined: f64,
    pub get: f64,
    pub get_pipelined: f64,
    pub end_pipelined: f64,
    /// Bytes a key.
    pub resident_per_key: Option<f64>,
    pub used_per_key: Option<f64>,
    pub seen: Seen,
}

/// A row of the table: its name, its unit, where its figure is, and its digits after the point.
type Row = (&'static str, &'static str, &'static str, usize);

const ROWS: &[Row] = &[
    ("SET", "a second", "/set", 0),
    ("GET", "a second", "/get", 0),
    ("SET, pipelined", "a second", "/set_pipelined", 0),
    ("GET, pipelined", "a second", "/get_pipelined", 0),
    ("PEXPIREAT, pipelined", "a second", "/end_pipelined", 0),
    ("resident memory a key", "bytes", "/resident_per_key", 0),
    ("a key by INFO's used_memory", "bytes", "/used_per_key", 0),
    ("there after the end, p50", "ms", "/late_ms/p50", 2),
    ("there after the end, p99", "ms", "/late_ms/p99", 2),
    ("there after the end, max", "ms", "/late_ms/max", 2),
    ("most keys there after their end", "", "/overdue", 0),
    ("most keys gone before their end", "", "/early", 0),
    ("longest time between two looks", "ms", "/blind_ms", 2),
    ("redis-benchmark: PING", "a second", "/benchmark/PING_MBULK 1", 0),
    ("redis-benchmark: SET", "a second", "/benchmark/SET 1", 0),
    ("redis-benchmark: GET", "a second", "/benchmark/GET 1", 0),
    ("redis-benchmark -P 16: PING", "a second", "/benchmark/PING_MBULK 16", 0),
    ("redis-benchmark -P 16: SET", "a second", "/benchmark/SET 16", 0),
    ("redis-benchmark -P 16: GET", "a second", "/benchmark/GET 16", 0),
];

impl Figures {
    fn json(&self) -> Value {
        let millis = |micros: u64| micros as f64 / 1_000.0;
        let late = &self.seen.late;
        json!({
            "name": self.name,
            "keys": self.keys,
            "set": self.set,
            "get": self.get,
            "set_pipelined": self.set_pipelined,
            "get_pipelined": self.get_pipelined,
            "end_pipelined": self.end_pipelined,
            "resident_per_key": self.resident_per_key,
            "used_per_key": self.used_per_key,
            "late_ms": {
                "p50": millis(late.value_at_quantile(0.5)),
                "p99": millis(late.value_at_quantile(0.99)),
                "max": millis(late.max()),
            },
            "overdue": self.seen.overdue,
            "early": self.seen.early,
            "left": self.seen.left,
            "blind_ms": self.seen.blind.as_secs_f64() * 1_000.0,
        })
    }

    pub fn print(&self, options: &LoadOptions) -> Result<(), Failure> {
        if options.json {
            write(&self.json().to_string())
        } else {
            write(&tabulated(&[self.json()]))
        }
    }

    /// Returns what is wrong with the ends of keys.
    pub fn wrong(&self, options: &LoadOptions) -> Vec<String> {
        let Seen { late, early, left, .. } = &self.seen;
        let mut wrong = Vec::new();
        if *early > 0 {
            wrong.push(format!("{early} keys were gone before their end"));
        }
        if *left > 0 {
            wrong.push(format!("{left} keys were still there in the end"));
        }
        let latest = options.latest.map(|latest| latest.as_micros());
        if latest.is_some_and(|latest| u128::from(late.max()) > latest) {
            wrong.push(format!("a key was there {} µs after its end", late.max()));
        }
        wrong
    }
}

/// Prints the medians of the runs that standard input has.
pub fn table() -> Result<(), Failure> {
    let mut runs = Vec::new();
    for (number, line) in io::stdin().lock().lines().enumerate() {
        let line = line.map_err(|error| format!("cannot read standard input: {error}"))?;
        let run: Value = serde_json::from_str(&line)
            .map_err(|_| format!("line {} is not of `load --json`", number + 1))?;
        if run.get("name").and_then(Value::as_str).is_none() {
            return Err(format!("line {} has no name", number + 1));
        }
        runs.push(run);
    }
    if runs.is_empty() {
        return Err("there are no runs on standard input".to_owned());
    }
    write(&tabulated(&runs))
}

/// Returns the table of runs: a column for each name, with the medians.
fn tabulated(runs: &[Value]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in runs.iter().filter_map(|run| run["name"].as_str()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    table.set_header(["", "unit"].iter().chain(&names));
    for (label, unit, place, digits) in ROWS {
        let of = |name: &str| {
            let of_name = runs.iter().filter(|run| run["name"].as_str() == Some(name));
            median(of_name.filter_map(|run| run.pointer(place)?.as_f64()).collect())
        };
        let figures: Vec<_> = names.iter().map(|name| of(name)).collect();
        if figures.iter().all(Option::is_none) {
            continue;
        }
        let figures = figures
            .into_iter()
            .map(|figure| figure.map_or("-".to_owned(), |figure| shown(figure, *digits)));
        table.add_row([(*label).to_owned(), (*unit).to_owned()].into_iter().chain(figures));
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    let (low, high) = (figures.get(figures.len().checked_sub(1)? / 2)?, figures[figures.len() / 2]);
    Some((low + high) / 2.0)
}

/// Returns a number with commas between thousands.
fn shown(number: f64, digits: usize) -> String {
    let text = format!("{number:.digits$}");
    let whole = text.find('.').unwrap_or(text.len());
    let mut out = String::new();
    for (index, letter) in text.char_indices() {
        if index > 0 && index < whole && (whole - index) % 3 == 0 {
            out.push(',');
        }
        out.push(letter);
    }
    out
}

fn write(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        // Whoever read along has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| format!("cannot write the figures: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::{median, shown};

    /// Hazard: figures that are read as others.
    #[test]
    fn numbers_have_commas_between_thousands() {
        assert_eq!(shown(1_234_567.8, 0), "1,234,568");
        assert_eq!(shown(123.456, 2), "123.46");
        assert_eq!(shown(1_000.0, 1), "1,000.0");
    }

    /// Hazard: one slow run decides.
    #[test]
    fn median_is_the_middle_of_runs() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![1.0, 2.0]), Some(1.5));
    }
}
