//! The figures at the end, and what is wrong with them.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::{Value, json};

use super::ledger::Totals;
use super::lives::Kind;
use super::machine::Holds;
use super::options::Options;
use super::stats::{Durations, Stats};

/// What may be held at the end beyond what was held at the start. Tables grow by doubling and
/// stay, so that bytes vary; but they vary by the size of a table, and the number of blocks by
/// next to nothing, however many connections there were.
const MORE_BLOCKS: u64 = 64;
const MORE_BYTES: u64 = 1 << 20;
/// What the system's allocator keeps, beyond what is in use, is its own affair.
const MORE_RESIDENT: u64 = 16 << 20;

/// One connection in so many may be held up on a busy machine.
const FORGIVEN: u64 = 20;

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

/// Whether what is held now is as little as at the start.
pub fn is_back(start: &Holds, now: &Holds) -> bool {
    over(start, now).is_empty()
}

/// What is held beyond what was held at the start.
fn over(start: &Holds, now: &Holds) -> Vec<String> {
    let resident = |holds: &Holds| holds.resident.unwrap_or(0);
    let held = [
        ("descriptors", start.descriptors.unwrap_or(0), now.descriptors.unwrap_or(0), 0),
        ("blocks of memory", start.blocks, now.blocks, MORE_BLOCKS),
        ("bytes of memory", start.bytes, now.bytes, MORE_BYTES),
        ("resident bytes", resident(start), resident(now), MORE_RESIDENT),
    ];
    held.iter()
        .filter(|(_, start, now, more)| *now > start + more)
        .map(|(what, start, now, _)| format!("{now} {what} are held, {start} were at the start"))
        .collect()
}

impl Report<'_> {
    /// Everything that is not as it should be.
    pub fn complaints(&self) -> Vec<String> {
        let totals = &self.totals;
        let mut complaints = totals.words.clone();
        if !totals.balance() {
            complaints.push(format!(
                "lost: {} connected, {} accepted, {} left, {} ended at the server, {} of them \
                 accounted for by both sides",
                totals.connected, totals.accepted, totals.left, totals.ended, totals.matched,
            ));
        }
        let early = self.stats.early.get();
        if early > 0 {
            complaints.push(format!("{early} timers fired early"));
        }
        // Some peers are held up when the machine is, which the control thread tells, and not
        // otherwise: that beats are late is no excuse, it may be the reactor's doing.
        let limit = self.options.idle / 4;
        let busy = self.noise >= limit;
        let some = if busy { totals.connected / FORGIVEN } else { 0 };
        if self.held_up() > some {
            complaints.push(format!(
                "dropped as idle though they were not, or not in time: {:?}; the control thread \
                 was late by {:?} at most",
                totals.held_up, self.noise,
            ));
        }
        let late = self.stats.beat_late.view(|histogram| histogram.value_at_quantile(0.9));
        let late = Duration::from_micros(late);
        if late >= limit && !busy {
            complaints.push(format!(
                "one beat in ten was late by {late:?} or more, and the control thread by {:?} at \
                 most",
                self.noise,
            ));
        }
        if self.timers > 0 || self.sources != 1 {
            complaints.push(format!(
                "the reactor still has {} timers and {} sources, not 0 and the listener",
                self.timers, self.sources,
            ));
        }
        complaints.extend(over(&self.start, &self.end));
        complaints
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
            row(&format!("  {kind:?}"), format!("{}", self.lives(kind)))?;
        }
        row("  held up by the machine", format!("{}", self.held_up()))?;
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
            .map(|(kind, _)| (format!("{kind:?}"), json!(self.lives(kind))))
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
            "held_up": self.held_up(),
            "early": self.early(),
            "beats_answered": self.stats.beats_answered(),
            "noise_us": self.noise.as_micros() as u64,
            "timers_left": self.timers,
            "sources_left": self.sources,
            "cold": self.cold.json(),
            "start": self.start.json(),
            "end": self.end.json(),
            "complaints": self.complaints(),
        });
        for (name, durations) in self.durations() {
            let [p50, p99, max] = percentiles(durations);
            let name = format!("{}_us", name.replace(' ', "_"));
            figures[name] = json!({ "p50": p50, "p99": p99, "max": max });
        }
        figures
    }

    fn lives(&self, kind: Kind) -> u64 {
        self.totals.lives.get(&kind).copied().unwrap_or(0)
    }

    fn held_up(&self) -> u64 {
        self.totals.held_up.values().sum()
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
