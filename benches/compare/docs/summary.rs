//! The summary: a sentence for each workload, made of the figures.

use crate::table::{ROWS, Row, Samples, Summary, short};
use crate::workloads::{Peer, Workload};

/// Ratios this near to one are level, and those twice as far whose runs were on both sides of it.
const LEVEL: f64 = 0.05;

/// What is said of a workload, by one of its rows.
struct Subject {
    name: &'static str,
    workload: Workload,
    figure: &'static str,
    /// Why it is ahead, if it is.
    ahead: &'static str,
    /// What it takes, if it is behind.
    behind: &'static str,
}

impl Subject {
    const fn new(workload: Workload, figure: &'static str, name: &'static str) -> Subject {
        Subject { name, workload, figure, ahead: "", behind: "" }
    }

    const fn because(self, ahead: &'static str, behind: &'static str) -> Subject {
        Subject { ahead, behind, ..self }
    }

    fn row(&self) -> Option<&'static Row> {
        ROWS.iter().find(|row| row.workload == self.workload && row.figure == self.figure)
    }
}

const SUBJECTS: &[Subject] = &[
    Subject::new(Workload::CreateNone, "ns", "Create, poll and drop a timer, none pending")
        .because(
            "an entry is put into a slot, and no thread is woken",
            "the clock, two locks and the count of the waker remain",
        ),
    Subject::new(Workload::CreatePending, "ns", "The same among 10⁶ pending timers").because(
        "an insert appends to the list of a slot, however many are pending",
        "the clock, two locks and the count of the waker remain",
    ),
    Subject::new(Workload::PushRandom, "ns", "Postpone one of 10⁶, at random").because(
        "the deadline is stored in the entry, which moves when its old deadline comes",
        "the handle and the entry are lines of memory that come one after the other",
    ),
    Subject::new(Workload::PushIdle, "random_ns", "Touch one of 10⁶ idle timeouts, at random")
        .because("a touch is a store into the handle", "each timeout is woken once in a limit"),
    Subject::new(Workload::Fire, "ns", "10⁶ tasks' timers within a second, processor time")
        .because(
            "timers expire in batches, and what they wake is fetched ahead",
            "the tasks' memory and the executor are most of it",
        ),
    Subject::new(Workload::Fire, "late_p99_us", "Their lateness, p99").because(
        "the threads wake tasks while timers expire",
        "what is due late waits for the tasks that were due before",
    ),
    Subject::new(
        Workload::FireBare,
        "ns",
        "10⁶ timers within a second without tasks, processor time",
    )
    .because(
        "timers expire in batches, and what they wake is fetched ahead",
        "each waker is a line from memory",
    ),
    Subject::new(Workload::Intervals, "us", "10⁵ heartbeats a second, processor time").because(
        "dense timers share a wake-up",
        "waking the executor's other thread is most of a beat",
    ),
    Subject::new(Workload::Intervals, "late_mean_us", "Their lateness, mean").because(
        "deadlines are exact, and what is dense is coalesced for less than a millisecond",
        "dense timers wait for each other",
    ),
    Subject::new(Workload::Memory, "bytes", "Memory of a pending timer").because(
        "handle and entry are small, and no timer has an allocation of its own",
        "blocks and lists of the wheel are not full",
    ),
    Subject::new(Workload::Churn, "two_per_s", "Two threads that create, poll and drop").because(
        "each thread has a shard of its own",
        "the clock, two locks and the count of the waker remain",
    ),
    Subject::new(Workload::RoundTripTimeout, "us", "A TCP round trip, each read with a timeout")
        .because(
            "a wait is one system call, and a timer costs none",
            "waking a thread is nearly all of it",
        ),
    Subject::new(Workload::Echo100On1, "per_s", "Echo of 100 connections on one thread").because(
        "interest stays registered, and a wait is one system call",
        "reads and writes in the kernel are most of it",
    ),
    Subject::new(Workload::Echo100On2, "per_s", "Echo of 100 connections on two threads").because(
        "interest stays registered, and a wait is one system call",
        "the executor's threads sleep where those of the peer search for work",
    ),
    Subject::new(
        Workload::AcceptEcho1000,
        "per_s",
        "Echo of 1,000 connections that one task accepts",
    )
    .because(
        "a connection goes to the shard of the thread that waits for it",
        "reads and writes in the kernel are most of it",
    ),
    Subject::new(
        Workload::CoreEcho,
        "per_s",
        "Echo of 1,000 connections by a listener for each thread",
    )
    .because(
        "each thread has a shard, and interest stays registered",
        "reads and writes in the kernel are most of it",
    ),
    Subject::new(Workload::Connection, "us", "A connection: accept, echo once, close").because(
        "what is never waited for is never registered",
        "the kernel's part of a connection is nearly all of it",
    ),
    Subject::new(Workload::Wake, "us", "A wake between two threads and back").because(
        "one system call notifies, and none is made where the thread is awake",
        "waking a thread is nearly all of it",
    ),
    Subject::new(Workload::Fallback, "us", "A round trip of threads outside the runtime").because(
        "the fallback thread waits for all shards at once",
        "each event passes through a third thread",
    ),
    Subject::new(Workload::Lateness, "p50_us", "Lateness of a single sleep, p50").because(
        "deadlines are exact, not rounded to milliseconds",
        "waking a thread is nearly all of it",
    ),
    Subject::new(
        Workload::DelayQueue,
        "reset_random_1000000",
        "Reset one of 10⁶ entries of a delay queue",
    )
    .because(
        "entries are small, so that fewer lines come from memory",
        "each entry is a line from memory",
    ),
    Subject::new(
        Workload::DelayQueue,
        "live_1000000",
        "10⁶ entries of a delay queue that expire within a second",
    )
    .because("what is due leaves the wheel in batches", "each entry is a line from memory"),
    Subject::new(
        Workload::InTokioFire2,
        "ns",
        "10⁶ tasks' timers in a tokio program of two workers",
    )
    .because("timers expire in batches", "one worker drives, and wakes the tasks of both"),
];

/// How a figure compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Ahead,
    Level,
    Behind,
}

/// By a ratio of which less is better.
fn verdict(ratio: Summary) -> Verdict {
    let off = (ratio.median - 1.0).abs();
    let both_sides = ratio.least < 1.0 && ratio.most > 1.0;
    match ratio.median {
        _ if off <= LEVEL || (both_sides && off <= 2.0 * LEVEL) => Verdict::Level,
        median if median < 1.0 => Verdict::Ahead,
        _ => Verdict::Behind,
    }
}

/// The ratio of which less is better, unless there is nothing to divide by.
fn ratio(samples: &Samples, row: &Row, peer: Peer) -> Option<Summary> {
    let ratio = samples.ratio(row, peer)?;
    let ratio = if row.more_is_better() { ratio.inverse() } else { ratio };
    ratio.median.is_finite().then_some(ratio)
}

/// How many rows there are, by how they compare with a peer.
#[derive(Default)]
struct Tally {
    rows: usize,
    ahead: usize,
    level: usize,
    behind: usize,
}

impl Tally {
    fn of(peer: Peer, samples: &Samples) -> Tally {
        let mut tally = Tally::default();
        for ratio in ROWS.iter().filter_map(|row| ratio(samples, row, peer)) {
            tally.rows += 1;
            *match verdict(ratio) {
                Verdict::Ahead => &mut tally.ahead,
                Verdict::Level => &mut tally.level,
                Verdict::Behind => &mut tally.behind,
            } += 1;
        }
        tally
    }
}

/// How all rows of the tables compare, in a sentence.
pub fn lead(samples: &Samples) -> String {
    let clauses = [Peer::AsyncIo, Peer::Tokio].map(|peer| {
        let Tally { rows, ahead, level, behind } = Tally::of(peer, samples);
        let name = crate::name(&peer);
        format!("beside {name} ahead in {ahead} of {rows}, level in {level}, behind in {behind}")
    });
    format!("All rows of the tables below: {}.", clauses.join("; "))
}

/// A list of sentences.
pub fn text(samples: &Samples) -> String {
    let mut lines = Vec::new();
    lines.extend(SUBJECTS.iter().filter_map(|subject| sentence(subject, samples)));
    let further = Peer::ALL.into_iter().filter(|peer| peer.is_further());
    lines.extend(further.filter_map(|peer| of_peer(peer, samples)));
    lines.iter().map(|line| format!("- {line}")).collect::<Vec<_>>().join("\n")
}

fn sentence(subject: &Subject, samples: &Samples) -> Option<String> {
    let row = subject.row()?;
    let mut verdicts = Vec::new();
    let mut clauses = Vec::new();
    for peer in [Peer::AsyncIo, Peer::Tokio] {
        let Some(ratio) = ratio(samples, row, peer) else { continue };
        let name = crate::name(&peer);
        let verdict = verdict(ratio);
        verdicts.push(verdict);
        clauses.push(match verdict {
            Verdict::Level => format!("level with {name} ({})", by_how_much(row, ratio)),
            Verdict::Ahead => format!("**ahead** of {name} ({})", by_how_much(row, ratio)),
            Verdict::Behind => format!("**behind** {name} ({})", by_how_much(row, ratio)),
        });
    }
    if clauses.is_empty() {
        return None;
    }
    let why = if verdicts.contains(&Verdict::Behind) {
        subject.behind
    } else if verdicts.contains(&Verdict::Ahead) {
        subject.ahead
    } else {
        subject.behind
    };
    let ours = samples.figure(row, Peer::AsyncWheel)?;
    let unit = row.unit;
    let saturated = match samples.is_saturated(row, Peer::AsyncWheel) {
        true => ", on a saturated machine",
        false => "",
    };
    Some(format!(
        "{}, {} {unit}{saturated}: {}: {why}.",
        subject.name,
        short(ours.median),
        clauses.join(", ")
    ))
}

/// Of a ratio of which less is better.
fn by_how_much(row: &Row, ratio: Summary) -> String {
    match row.more_is_better() {
        true => format!("{} of its rate", short(1.0 / ratio.median)),
        false if row.unit == "B" => format!("{} of its memory", short(ratio.median)),
        false => format!("{} of its time", short(ratio.median)),
    }
}

/// Of a peer that takes part in some workloads only.
fn of_peer(peer: Peer, samples: &Samples) -> Option<String> {
    let name = crate::name(&peer);
    let way = if peer.uses_io_uring() { ", on io_uring" } else { "" };
    if let Some(why) = samples.why_not_run(peer) {
        return Some(format!("Beside {name}{way}: not run, since the system refuses it ({why})."));
    }
    let Tally { rows, ahead, level, .. } = Tally::of(peer, samples);
    if rows == 0 {
        return None;
    }
    let behind = |row: &'static Row| {
        let ratio = ratio(samples, row, peer)?;
        (verdict(ratio) == Verdict::Behind).then_some((row, ratio))
    };
    let mut behind: Vec<_> = ROWS.iter().filter_map(behind).collect();
    behind.sort_by(|(_, one), (_, other)| other.median.total_cmp(&one.median));
    let count = behind.len();
    let name_of =
        |(row, ratio): (&Row, Summary)| format!("{} ({})", row.work, by_how_much(row, ratio));
    let most: Vec<_> = behind.into_iter().take(3).map(name_of).collect();
    let most = if count > 0 { format!(", most in: {}", most.join("; ")) } else { String::new() };
    Some(format!(
        "Beside {name}{way}: ahead in {ahead} of {rows} rows, level in {level}, behind in {count}{most}."
    ))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn samples(subject: &Subject, all: &[(Peer, f64)]) -> Samples {
        let mut samples = Samples::default();
        for (peer, figure) in all {
            let figures = BTreeMap::from([(subject.figure.to_owned(), *figure)]);
            samples.add(subject.workload, *peer, 0, &figures);
        }
        samples
    }

    #[test]
    fn each_subject_has_a_row_and_reasons() {
        for subject in SUBJECTS {
            assert!(subject.row().is_some(), "{}", subject.name);
            assert!(!subject.ahead.is_empty() && !subject.behind.is_empty(), "{}", subject.name);
        }
    }

    #[test]
    fn sentence_follows_the_figures() {
        let pushes = SUBJECTS.iter().find(|of| of.workload == Workload::PushRandom).unwrap();
        let figures = [(Peer::AsyncWheel, 100.0), (Peer::AsyncIo, 1_000.0), (Peer::Tokio, 50.0)];
        let line = sentence(pushes, &samples(pushes, &figures)).unwrap();
        assert!(line.contains("**ahead** of async-io (0.10 of its time)"), "{line}");
        assert!(line.contains("**behind** tokio (2.00 of its time)"), "{line}");
        assert!(line.contains(pushes.behind) && !line.contains(pushes.ahead), "{line}");
        let figures = [(Peer::AsyncWheel, 100.0), (Peer::AsyncIo, 102.0), (Peer::Tokio, 125.0)];
        let line = sentence(pushes, &samples(pushes, &figures)).unwrap();
        assert!(line.contains("level with async-io"), "{line}");
        assert!(line.contains("**ahead** of tokio (0.80 of its time)"), "{line}");
        assert!(line.contains(pushes.ahead), "{line}");
    }

    #[test]
    fn more_is_better_where_the_figure_is_a_rate() {
        let echo = SUBJECTS.iter().find(|of| of.workload == Workload::Echo100On1).unwrap();
        let figures = [(Peer::AsyncWheel, 3e3), (Peer::AsyncIo, 2e3), (Peer::Tokio, 6e3)];
        let line = sentence(echo, &samples(echo, &figures)).unwrap();
        assert!(line.contains("**ahead** of async-io (1.50 of its rate)"), "{line}");
        assert!(line.contains("**behind** tokio (0.50 of its rate)"), "{line}");
    }

    #[test]
    fn further_peer_has_what_is_worst_first() {
        let mut samples = Samples::default();
        for (workload, theirs) in [(Workload::CreateNone, 80.0), (Workload::PushOne, 20.0)] {
            for (peer, ns) in [(Peer::AsyncWheel, 100.0), (Peer::Monoio, theirs)] {
                samples.add(workload, peer, 0, &BTreeMap::from([("ns".to_owned(), ns)]));
            }
        }
        let line = of_peer(Peer::Monoio, &samples).unwrap();
        assert!(
            line.contains("ahead in 0 of 2 rows, level in 0, behind in 2, most in: postpone"),
            "{line}"
        );
    }

    #[test]
    fn lead_counts_each_row_once() {
        let pushes = SUBJECTS.iter().find(|of| of.workload == Workload::PushRandom).unwrap();
        let figures = [(Peer::AsyncWheel, 100.0), (Peer::AsyncIo, 1_000.0), (Peer::Tokio, 50.0)];
        let line = lead(&samples(pushes, &figures));
        assert!(
            line.contains("beside async-io ahead in 1 of 1, level in 0, behind in 0"),
            "{line}"
        );
        assert!(line.contains("beside tokio ahead in 0 of 1, level in 0, behind in 1"), "{line}");
    }

    #[test]
    fn runs_on_both_sides_of_one_are_level_if_near() {
        let of = |median, least, most| verdict(Summary { median, least, most });
        assert_eq!(of(0.92, 0.85, 1.1), Verdict::Level);
        assert_eq!(of(0.92, 0.85, 0.95), Verdict::Ahead);
        assert_eq!(of(0.85, 0.5, 1.5), Verdict::Ahead);
        assert_eq!(of(1.04, 1.03, 1.05), Verdict::Level);
        assert_eq!(of(1.2, 1.1, 1.3), Verdict::Behind);
    }

    #[test]
    fn refused_peer_is_said_to_be_refused() {
        let mut samples = Samples::default();
        samples.not_run(Peer::Compio, "io_uring: no");
        let line = text(&samples);
        assert_eq!(
            line,
            "- Beside compio, on io_uring: not run, since the system refuses it (io_uring: no)."
        );
    }
}
