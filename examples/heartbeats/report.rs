//! The figures at the end, as a table and as JSON.

use std::io::{self, Write};
use std::time::Duration;

use comfy_table::{Table, presets};
use serde_json::{Value, json};

use super::judge::Figures;
use super::options::{Options, Role};
use super::stats::{Durations, Stats};

/// The widest bar of the histogram, in characters.
const WIDTH: u64 = 48;

/// What came of a run.
pub struct Report<'a> {
    stats: &'a Stats,
    role: Role,
    connections: u64,
    seconds: f64,
    cpu: Duration,
    threads: usize,
    shards: usize,
    /// The figures of a server that ran in a process of its own for this one.
    server: Option<Value>,
}

/// The median, the 99th percentile and the maximum, in microseconds.
struct Percentiles {
    p50: u64,
    p99: u64,
    max: u64,
}

impl Percentiles {
    fn of(durations: &Durations) -> Percentiles {
        durations.view(|histogram| Percentiles {
            p50: histogram.value_at_quantile(0.50),
            p99: histogram.value_at_quantile(0.99),
            max: histogram.max(),
        })
    }

    /// The reverse of [`json`](Percentiles::json).
    fn read(value: &Value) -> Percentiles {
        let get = |key| value.get(key).and_then(Value::as_u64).unwrap_or(0);
        Percentiles { p50: get("p50"), p99: get("p99"), max: get("max") }
    }

    fn text(&self) -> String {
        format!("{} / {} / {} µs", self.p50, self.p99, self.max)
    }

    fn json(&self) -> Value {
        json!({ "p50": self.p50, "p99": self.p99, "max": self.max })
    }
}

impl<'a> Report<'a> {
    pub fn new(
        options: &Options,
        stats: &'a Stats,
        seconds: f64,
        server: Option<Value>,
    ) -> Report<'a> {
        let connections = match options.role {
            Role::Both | Role::Clients(_) => options.connections as u64,
            Role::Server(_) => stats.open.get(),
        };
        Report {
            stats,
            role: options.role,
            connections,
            seconds,
            cpu: cpu_time::ProcessTime::now().as_duration(),
            threads: options.threads,
            shards: async_wheel::diagnostics::shards().len(),
            server,
        }
    }

    /// A count of the server's, if it ran in a process of its own.
    fn of_server(&self, key: &str) -> Option<u64> {
        self.server.as_ref()?.get(key)?.as_u64()
    }

    fn early(&self) -> u64 {
        self.stats.early.get() + self.of_server("early").unwrap_or(0)
    }

    fn lost(&self) -> u64 {
        self.stats.lost.get() + self.of_server("lost").unwrap_or(0)
    }

    fn armed(&self) -> u64 {
        self.stats.armed.get() + self.of_server("timers_armed").unwrap_or(0)
    }

    fn cpu_seconds(&self) -> f64 {
        let server = self.server.as_ref().and_then(|server| server.get("cpu_seconds")?.as_f64());
        self.cpu.as_secs_f64() + server.unwrap_or(0.0)
    }

    fn idle_late(&self) -> Percentiles {
        let there = self.server.as_ref().and_then(|server| server.get("idle_late_us"));
        match there {
            Some(late) => Percentiles::read(late),
            None => Percentiles::of(&self.stats.idle_late),
        }
    }

    /// Idle timeouts that fired, as far as this side can see: the clients see that they were
    /// dropped.
    fn idle_fired(&self) -> u64 {
        match self.role {
            Role::Both | Role::Server(_) => self.stats.idle_fired.get(),
            Role::Clients(_) => {
                self.of_server("idle_fired").unwrap_or_else(|| self.stats.dropped.get())
            }
        }
    }

    /// Idle timeouts that should have fired. Only the clients know.
    fn idle_expected(&self) -> Option<u64> {
        match self.role {
            Role::Both | Role::Clients(_) => Some(self.stats.silent.get()),
            Role::Server(_) => None,
        }
    }

    /// Returns the figures that have bounds.
    pub fn figures(&self) -> Figures {
        Figures {
            beats_sent: self.stats.beats_sent.get(),
            beats_answered: self.stats.beats_answered(),
            early: self.early(),
            lost: self.lost(),
            reply_timeouts_fired: self.stats.reply_fired.get(),
            idle_fired: self.idle_fired(),
            idle_expected: self.idle_expected(),
            threads: self.threads,
            shards: self.shards,
        }
    }

    /// Writes the table, and the histogram below it.
    pub fn write_table(&self, out: &mut impl Write) -> io::Result<()> {
        let stats = self.stats;
        let mut table = Table::new();
        table.load_preset(presets::NOTHING);
        let mut row = |name: &str, value: String| {
            table.add_row([name, &value]);
        };
        row("connections", format!("{}, {} lost", self.connections, self.lost()));
        if !matches!(self.role, Role::Server(_)) {
            let (sent, answered) = (stats.beats_sent.get(), stats.beats_answered());
            row("beats", format!("{sent} sent, {answered} answered"));
            let (late, trip) =
                (Percentiles::of(&stats.beat_late), Percentiles::of(&stats.round_trip));
            row("lateness of beats, p50 / p99 / max", late.text());
            row("round trip, p50 / p99 / max", trip.text());
            let (armed, fired) = (stats.reply_armed.get(), stats.reply_fired.get());
            let cancelled = armed - fired;
            row("reply timeouts", format!("{armed} armed, {cancelled} cancelled, {fired} fired"));
        }
        let expected = self.idle_expected().map(|expected| format!(" of {expected} expected"));
        let expected = expected.unwrap_or_default();
        row("idle timeouts fired", format!("{}{expected}", self.idle_fired()));
        if !matches!(self.role, Role::Clients(_)) || self.server.is_some() {
            row("lateness of idle timeouts, p50 / p99 / max", self.idle_late().text());
        }
        row("timers fired early", self.early().to_string());
        let per_second = self.armed() as f64 / self.seconds;
        row("timers armed", format!("{} ({per_second:.0} a second)", self.armed()));
        let cpu = self.cpu_seconds();
        let share = 100.0 * cpu / self.seconds;
        row("processor time", format!("{cpu:.2} s in {:.2} s ({share:.0} %)", self.seconds));
        row("shards in use", self.shards.to_string());
        writeln!(out, "{table}")?;
        if !matches!(self.role, Role::Server(_)) {
            writeln!(out, "\n lateness of beats\n{}", histogram(&stats.beat_late))?;
        }
        Ok(())
    }

    pub fn json(&self) -> Value {
        let stats = self.stats;
        json!({
            "connections": self.connections,
            "beats_sent": stats.beats_sent.get(),
            "beats_answered": stats.beats_answered(),
            "beat_late_us": Percentiles::of(&stats.beat_late).json(),
            "round_trip_us": Percentiles::of(&stats.round_trip).json(),
            "idle_fired": self.idle_fired(),
            "idle_expected": self.idle_expected(),
            "reply_timeouts_armed": stats.reply_armed.get(),
            "reply_timeouts_fired": stats.reply_fired.get(),
            "cpu_seconds": self.cpu_seconds(),
            "seconds": self.seconds,
            "early": self.early(),
            "lost": self.lost(),
            "idle_late_us": self.idle_late().json(),
            "timers_armed": self.armed(),
            "shards": self.shards,
        })
    }
}

/// Bars for lateness in buckets that double.
fn histogram(durations: &Durations) -> String {
    let buckets: Vec<(u64, u64)> = durations.view(|histogram| {
        let values = histogram.iter_log(16, 2.0);
        values
            .map(|value| (value.value_iterated_to(), value.count_since_last_iteration()))
            .collect()
    });
    let most = buckets.iter().map(|(_, count)| *count).max().unwrap_or(0).max(1);
    let lines = buckets.iter().map(|(up_to, count)| {
        let bar = "█".repeat((count * WIDTH).div_ceil(most) as usize);
        format!(" ≤ {up_to:>8} µs {count:>9} {bar}")
    });
    lines.collect::<Vec<_>>().join("\n")
}
