//! The figures at the end, as a table and as JSON.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::{Value, json};

use super::judge::Figures;
use super::ledger::Totals;
use super::lives::Kind;
use super::machine::Holds;
use super::options::Options;
use super::stats::{Durations, Stats};

/// What came of a run.
pub struct Report<'a> {
    pub options: &'a Options,
    pub stats: &'a Stats,
    pub totals: Totals,
    /// What was held before the first connection, after the rehearsal, and at the end.
    pub cold: Holds,
    pub start: Holds,
    pub end: Holds,
    /// Timers and sources that the reactor still has.
    pub timers: usize,
    pub sources: usize,
    /// The most connections that the server had at a time.
    pub most: u64,
    /// How late the control thread was at most.
    pub noise: Duration,
    pub seconds: f64,
}

impl Report<'_> {
    /// Returns the figures that have bounds.
    pub fn figures(&self) -> Figures {
        let late = self.stats.beat_late.view(|histogram| histogram.value_at_quantile(0.9));
        Figures {
            connections: self.options.connections as u64,
            idle: self.options.idle,
            totals: self.totals.clone(),
            most: self.most,
            beats_answered: self.stats.beats_answered(),
            early: self.stats.early.get(),
            late: Duration::from_micros(late),
            noise: self.noise,
            timers: self.timers,
            sources: self.sources,
            start: self.start,
            end: self.end,
        }
    }

    pub fn write_table(&self, out: &mut impl Write) -> io::Result<()> {
        let (totals, options) = (&self.totals, self.options);
        let mut row = |name: &str, value: String| writeln!(out, "{name:<42} {value}");
        let beats = self.stats.beats_answered();
        row("seconds, seed", format!("{:.1}, {}", self.seconds, options.seed))?;
        row("connections at a time, at most", format!("{}", self.most))?;
        row("connections in all", format!("{}", totals.connected))?;
        row("accounted for by both sides", format!("{}", totals.matched))?;
        for (kind, _) in Kind::ALL {
            row(&format!("  {kind:?}"), format!("{}", self.totals.lives(kind)))?;
        }
        row("  held up by the machine", format!("{}", self.totals.held_up()))?;
        row("beats answered", format!("{beats}"))?;
        row("timers fired early", format!("{}", self.early()))?;
        for (name, durations) in self.durations() {
            let [p50, p99, max] = percentiles(durations);
            row(&format!("{name}, p50 / p99 / max"), format!("{p50} / {p99} / {max} µs"))?;
        }
        row("the control thread was late by at most", format!("{:?}", self.noise))?;
        for (name, holds) in [("cold", &self.cold), ("start", &self.start), ("end", &self.end)] {
            let Holds { descriptors, blocks, bytes, resident } = holds;
            let or = |value: &Option<u64>| value.map_or("?".to_owned(), |value| value.to_string());
            let (descriptors, resident) = (or(descriptors), or(&resident.map(|bytes| bytes >> 10)));
            let heap = format!("{blocks} blocks, {bytes} bytes");
            row(
                &format!("held, {name}"),
                format!("{descriptors} descriptors, {heap}, {resident} KiB resident"),
            )?;
        }
        Ok(())
    }

    pub fn json(&self) -> Value {
        let totals = &self.totals;
        let lives: serde_json::Map<String, Value> = Kind::ALL
            .map(|(kind, _)| (format!("{kind:?}"), json!(self.totals.lives(kind))))
            .into_iter()
            .collect();
        let mut figures = json!({
            "seconds": self.seconds,
            "seed": self.options.seed,
            "connections": self.options.connections,
            "most_at_a_time": self.most,
            "connected": totals.connected,
            "accepted": totals.accepted,
            "left": totals.left,
            "ended": totals.ended,
            "accounted_for": totals.matched,
            "lives": lives,
            "held_up": self.totals.held_up(),
            "early": self.early(),
            "beats_answered": self.stats.beats_answered(),
            "noise_us": self.noise.as_micros() as u64,
            "timers_left": self.timers,
            "sources_left": self.sources,
            "cold": self.cold.json(),
            "start": self.start.json(),
            "end": self.end.json(),
            "complaints": self.figures().complaints(),
        });
        for (name, durations) in self.durations() {
            let [p50, p99, max] = percentiles(durations);
            let name = format!("{}_us", name.replace(' ', "_"));
            figures[name] = json!({ "p50": p50, "p99": p99, "max": max });
        }
        figures
    }

    fn early(&self) -> u64 {
        self.totals.early + self.stats.early.get()
    }

    fn durations(&self) -> [(&'static str, &Durations); 3] {
        [
            ("beats late", &self.stats.beat_late),
            ("round trip", &self.stats.round_trip),
            ("idle limits late", &self.stats.idle_late),
        ]
    }
}

fn percentiles(durations: &Durations) -> [u64; 3] {
    durations.view(|histogram| {
        [histogram.value_at_quantile(0.5), histogram.value_at_quantile(0.99), histogram.max()]
    })
}
