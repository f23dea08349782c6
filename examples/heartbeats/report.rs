//! The figures at the end.

use async_wheel::diagnostics;
use serde::{Deserialize, Serialize};

use super::judge::Figures;
use super::options::{On, Options, Role};
use super::run::Run;
use super::stats::Durations;
use super::verdict::{Evidence, Verdict};

/// What came of a run: of both sides, or of the one that this process is. `--json` prints it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Report {
    /// The name of the crate.
    pub runtime: String,
    pub side: Side,
    /// The run was ended before its time.
    pub interrupted: bool,
    pub connections: u64,
    pub beats_sent: u64,
    pub beats_answered: u64,
    /// Beats that were due before the end and were not sent.
    pub beats_skipped: u64,
    pub beat_late_us: Percentiles,
    pub beat_late_buckets: Vec<Bucket>,
    pub round_trip_us: Percentiles,
    pub idle_fired: u64,
    /// Idle timeouts that should have fired. Only the clients know, at the end of a full run.
    pub idle_expected: Option<u64>,
    /// Only the server knows.
    pub idle_late_us: Option<Percentiles>,
    pub reply_timeouts_armed: u64,
    pub reply_timeouts_fired: u64,
    pub timers_armed: u64,
    /// Timers that fired early.
    pub early: u64,
    /// Connections that ended otherwise than they should.
    pub lost: u64,
    pub period_us: f64,
    pub seconds: f64,
    pub cpu_seconds: f64,
    pub processors: usize,
    /// The share of the machine's processors that all processes used, where the system says it.
    pub machine_busy: Option<f64>,
    pub threads: usize,
    /// async-wheel's.
    pub shards: Option<usize>,
    /// How late async-wheel's reactor found timers due. A quantile is a bound, up to twice as long.
    pub reactor_late_us: Option<Percentiles>,
    /// How late the system woke a thread that did nothing but sleep.
    pub sleep_late_us: Percentiles,
    /// Of beats, if there were any.
    pub verdict: Option<Verdict>,
}

/// Whose figures they are.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    Both,
    Server,
    Clients,
}

/// The median, the 99th percentile and the maximum, in microseconds.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Percentiles {
    pub p50: u64,
    pub p99: u64,
    pub max: u64,
}

impl Percentiles {
    fn of(durations: &Durations) -> Percentiles {
        durations.view(|histogram| Percentiles {
            p50: histogram.value_at_quantile(0.50),
            p99: histogram.value_at_quantile(0.99),
            max: histogram.max(),
        })
    }

    /// Returns those of async-wheel's own counters. `None` if nothing was counted.
    fn of_reactor() -> Option<Percentiles> {
        let lateness = diagnostics::metrics().total().lateness;
        let micros = |part| {
            let bound = lateness.quantile(part)?.as_micros();
            Some(u64::try_from(bound).unwrap_or(u64::MAX))
        };
        Some(Percentiles { p50: micros(0.5)?, p99: micros(0.99)?, max: micros(1.0)? })
    }
}

/// How many durations are longer than the bucket before, and not longer than this.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Bucket {
    pub up_to_us: u64,
    pub count: u64,
}

/// Returns lateness in buckets that double.
fn buckets(durations: &Durations) -> Vec<Bucket> {
    durations.view(|histogram| {
        let values = histogram.iter_log(16, 2.0);
        values
            .map(|value| Bucket {
                up_to_us: value.value_iterated_to(),
                count: value.count_since_last_iteration(),
            })
            .collect()
    })
}

impl Report {
    /// Makes the report of this process. `server` is that of the server, if it ran in a process of
    /// its own for this one.
    pub fn new(options: &Options, run: &Run, server: Option<Report>) -> Report {
        let stats = &run.stats;
        let (side, connections, idle_fired) = match options.role {
            Role::Both => (Side::Both, options.connections as u64, stats.idle_fired.get()),
            Role::Server(_) => (Side::Server, stats.open.get(), stats.idle_fired.get()),
            // The clients see that they were dropped.
            Role::Clients(_) => (Side::Clients, options.connections as u64, stats.dropped.get()),
        };
        let on_wheel = options.runtime == On::AsyncWheel;
        let knows = |known: bool| known.then_some(());
        let mut report = Report {
            runtime: run.runtime.to_owned(),
            side,
            interrupted: run.interrupted,
            connections,
            beats_sent: stats.beats_sent.get(),
            beats_answered: stats.beats_answered(),
            beats_skipped: stats.skipped.get(),
            beat_late_us: Percentiles::of(&stats.beat_late),
            beat_late_buckets: buckets(&stats.beat_late),
            round_trip_us: Percentiles::of(&stats.round_trip),
            idle_fired,
            idle_expected: knows(side != Side::Server && !run.interrupted)
                .map(|()| stats.silent.get()),
            idle_late_us: knows(side != Side::Clients).map(|()| Percentiles::of(&stats.idle_late)),
            reply_timeouts_armed: stats.reply_armed.get(),
            reply_timeouts_fired: stats.reply_fired.get(),
            timers_armed: stats.armed.get(),
            early: stats.early.get(),
            lost: stats.lost.get(),
            period_us: options.period.as_secs_f64() * 1e6,
            seconds: run.time.as_secs_f64(),
            cpu_seconds: run.cpu.as_secs_f64(),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            machine_busy: run.machine_busy,
            threads: options.threads,
            shards: knows(on_wheel).map(|()| diagnostics::shards().len()),
            reactor_late_us: knows(on_wheel).and_then(|()| Percentiles::of_reactor()),
            sleep_late_us: Percentiles::of(&run.sleep_late),
            verdict: None,
        };
        if let Some(server) = server {
            report.add_server(&server);
        }
        report.verdict = report.evidence().map(|evidence| evidence.verdict());
        report
    }

    /// Adds what the server of these clients knows.
    fn add_server(&mut self, server: &Report) {
        self.side = Side::Both;
        self.idle_fired = server.idle_fired;
        self.idle_late_us = server.idle_late_us;
        self.timers_armed += server.timers_armed;
        self.early += server.early;
        self.lost += server.lost;
        self.cpu_seconds += server.cpu_seconds;
    }

    /// Returns the figures that have bounds.
    pub fn figures(&self) -> Figures {
        Figures {
            beats_sent: self.beats_sent,
            beats_answered: self.beats_answered,
            early: self.early,
            lost: self.lost,
            reply_timeouts_fired: self.reply_timeouts_fired,
            idle_fired: self.idle_fired,
            idle_expected: self.idle_expected,
            threads: self.threads,
            shards: self.shards,
            interrupted: self.interrupted,
        }
    }

    /// Returns how many processors were in use.
    pub fn processors_in_use(&self) -> f64 {
        per(self.cpu_seconds, self.seconds)
    }

    pub fn armed_per_second(&self) -> f64 {
        per(self.timers_armed as f64, self.seconds)
    }

    /// Returns what can be said of the lateness; `None` if no beat was due.
    pub fn evidence(&self) -> Option<Evidence> {
        let own = per(self.processors_in_use(), self.processors as f64);
        (self.beat_late_buckets.iter().any(|bucket| bucket.count > 0)).then(|| Evidence {
            beats: self.beat_late_us.p99,
            sleep: self.sleep_late_us.p99,
            reactor: self.reactor_late_us.map(|late| late.p99),
            round_trip: self.round_trip_us.p50,
            period: self.period_us,
            own,
            all: self.machine_busy.unwrap_or(0.0).max(own),
        })
    }
}

/// Divides; zero if there is nothing to divide by.
pub fn per(value: f64, by: f64) -> f64 {
    if by > 0.0 { value / by } else { 0.0 }
}
