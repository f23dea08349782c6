//! Whether the lateness of the beats is good, and what limits it.

use serde::{Deserialize, Serialize};

use super::text;

/// Up to this, 99 % of the beats are on time for a timer with a resolution of a millisecond, which
/// is what timers of runtimes have in general.
const GOOD: u64 = 1_000;
/// Up to this, 99 % of the beats are within about three time slices of a scheduler: no timeout of
/// a protocol notices.
const FAIR: u64 = 10_000;
/// From this share of its processors on, a machine is saturated.
const SATURATED: f64 = 0.9;

/// How good it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    Good,
    Fair,
    Poor,
}

/// What the beats are late by, for the most part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// All processors are busy, with this or with other processes.
    Processors,
    /// The period is shorter than a round trip, and a client waits for its answer.
    Period,
    /// The system takes as long to wake a thread that does nothing but sleep.
    Wakeups,
    /// Threads are busy when timers are due, and find them late.
    BusyThreads,
    /// Timers are found in time, and their tasks wait for a thread.
    WaitingTasks,
    /// Nothing of these: the runtime, whose counters are not known.
    Runtime,
}

/// What a verdict is made of. Lateness is in microseconds, at the 99th percentile.
#[derive(Clone)]
pub struct Evidence {
    pub beats: u64,
    /// A thread that does nothing but sleep.
    pub sleep: u64,
    /// Timers when the reactor found them due. It is known up to a factor of two.
    pub reactor: Option<u64>,
    /// The median of the round trips, and the period.
    pub round_trip: u64,
    pub period: f64,
    /// The shares of the processors that this run and all processes have used.
    pub own: f64,
    pub all: f64,
}

/// A verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    pub grade: Grade,
    pub limit: Limit,
}

impl Evidence {
    pub fn verdict(&self) -> Verdict {
        let grade = if self.beats <= GOOD {
            Grade::Good
        } else if self.beats <= FAIR {
            Grade::Fair
        } else {
            Grade::Poor
        };
        let limit = if self.all >= SATURATED {
            Limit::Processors
        } else if self.round_trip as f64 >= self.period {
            Limit::Period
        } else if self.sleep >= self.beats.div_ceil(2) {
            Limit::Wakeups
        } else {
            match self.reactor {
                // At least half of it is before that.
                Some(reactor) if reactor >= self.beats => Limit::BusyThreads,
                Some(_) => Limit::WaitingTasks,
                None => Limit::Runtime,
            }
        };
        Verdict { grade, limit }
    }

    /// Returns the verdict as a line, with the lateness.
    pub fn line(&self) -> String {
        format!("{}: p99 {} late, {}", self.grade(), text::micros(self.beats), self.limit())
    }

    /// Returns the verdict as a line, without the lateness.
    pub fn short_line(&self) -> String {
        format!("{}, {}", self.grade(), self.limit())
    }

    fn grade(&self) -> &'static str {
        match self.verdict().grade {
            Grade::Good => "good",
            Grade::Fair => "fair",
            Grade::Poor => "poor",
        }
    }

    fn limit(&self) -> String {
        let limit = match self.verdict().limit {
            Limit::Processors => {
                let [all, own] = [self.all, self.own].map(|share| share * 100.0);
                format!("the machine: {all:.0} % busy, {own:.0} % with this")
            }
            Limit::Period => {
                format!("a period shorter than a round trip, {}", text::micros(self.round_trip))
            }
            Limit::Wakeups => {
                format!("how fast the system wakes a thread ({})", text::micros(self.sleep))
            }
            Limit::BusyThreads => "threads that are busy when timers are due".to_owned(),
            Limit::WaitingTasks => "tasks that wait for a thread".to_owned(),
            Limit::Runtime => "the runtime".to_owned(),
        };
        format!("limited by {limit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Evidence = Evidence {
        beats: 80,
        sleep: 70,
        reactor: Some(128),
        round_trip: 30,
        period: 100_000.0,
        own: 0.1,
        all: 0.2,
    };

    #[test]
    fn bounds_divide_the_grades() {
        for (beats, grade) in [
            (0, Grade::Good),
            (GOOD, Grade::Good),
            (GOOD + 1, Grade::Fair),
            (FAIR, Grade::Fair),
            (FAIR + 1, Grade::Poor),
        ] {
            assert_eq!(Evidence { beats, ..IDLE }.verdict().grade, grade, "{beats}");
        }
    }

    #[test]
    fn largest_part_of_lateness_is_the_limit() {
        let late = Evidence { beats: 5_000, ..IDLE };
        for (evidence, limit) in [
            (IDLE, Limit::Wakeups),
            (Evidence { period: 1.0, ..IDLE }, Limit::Period),
            (Evidence { all: 0.95, period: 1.0, ..IDLE }, Limit::Processors),
            (Evidence { sleep: 2_500, ..late.clone() }, Limit::Wakeups),
            (Evidence { reactor: Some(8_192), ..late.clone() }, Limit::BusyThreads),
            (late.clone(), Limit::WaitingTasks),
            (Evidence { reactor: None, ..late }, Limit::Runtime),
        ] {
            assert_eq!(evidence.verdict().limit, limit, "{}", evidence.line());
        }
    }

    #[test]
    fn line_fits_80_columns() {
        let late = Evidence { beats: 999_499, sleep: 83_456, reactor: None, ..IDLE };
        for evidence in [
            IDLE,
            late.clone(),
            Evidence { sleep: 999_499, ..late.clone() },
            Evidence { reactor: Some(83_456), ..late.clone() },
            Evidence { reactor: Some(2_000_000), ..late.clone() },
            Evidence { own: 1.0, all: 1.0, ..late.clone() },
            Evidence { round_trip: 999_499, ..late },
        ] {
            let line = evidence.line();
            assert!(line.chars().count() < 80, "{line}");
        }
    }
}
