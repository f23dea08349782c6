//! The summary: a sentence for each workload, made of the figures.

use super::subjects::{GROUPS, Group, Subject};
use crate::table::{Chart, ROWS, Row, Samples, Summary, short};
use crate::workloads::Peer;

/// Ratios this near to one are level, and those twice as far whose runs were on both sides of it.
const LEVEL: f64 = 0.05;

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
        format!("ahead of {name} in {ahead} of {rows}, level in {level}, behind in {behind}")
    });
    format!("Of the rows of the tables below, async-wheel is {}.", clauses.join("; "))
}

/// Lists of sentences, each below its heading.
pub fn text(samples: &Samples) -> String {
    let mut parts = Vec::new();
    let mut add = |heading: &str, sentences: Vec<String>| {
        if !sentences.is_empty() {
            let lines: Vec<_> = sentences.iter().map(|line| format!("- {line}")).collect();
            parts.push(format!("### {heading}\n\n{}", lines.join("\n")));
        }
    };
    for Group { heading, subjects } in GROUPS {
        let sentences = subjects.iter().filter_map(|subject| sentence(subject, samples));
        add(heading, sentences.collect());
    }
    let further = Peer::ALL.into_iter().filter(|peer| peer.is_further());
    add("More peers", further.filter_map(|peer| of_peer(peer, samples)).collect());
    parts.join("\n\n")
}

fn sentence(subject: &Subject, samples: &Samples) -> Option<String> {
    let row = subject.row()?;
    let ours = samples.figure(row, Peer::AsyncWheel)?;
    let compared: Vec<_> = [Peer::AsyncIo, Peer::Tokio]
        .into_iter()
        .filter_map(|peer| Some((peer, ratio(samples, row, peer)?)))
        .collect();
    let is = |wanted| compared.iter().any(|(_, ratio)| verdict(*ratio) == wanted);
    let missed = row.own.is_some_and(|goal| !goal.met_by(ours.median));
    let good = match compared.is_empty() {
        true => !missed,
        false => is(Verdict::Ahead) && !is(Verdict::Behind),
    };
    let saturated = match samples.is_saturated(row, Peer::AsyncWheel) {
        true => ", on a saturated machine",
        false => "",
    };
    Some(format!(
        "{}: {}{saturated}{}; {}.",
        subject.name,
        quantity(row, ours.median),
        clauses(row, &compared),
        if good { subject.ahead } else { subject.behind }
    ))
}

/// How a row compares with each peer; the first tells of what the ratios are.
fn clauses(row: &Row, compared: &[(Peer, Summary)]) -> String {
    let mut text = String::new();
    let mut before = None;
    for &(peer, ratio) in compared {
        let (name, verdict) = (crate::name(&peer), verdict(ratio));
        let preposition = match verdict {
            Verdict::Level => "level with",
            Verdict::Ahead => "**ahead** of",
            Verdict::Behind => "**behind**",
        };
        let of_what = match before {
            None => by_how_much(row, ratio),
            Some(_) => short(of_peers(row, ratio)),
        };
        text += &match before {
            Some(before) if before == verdict => format!(" and {name} ({of_what})"),
            _ => format!(", {preposition} {name} ({of_what})"),
        };
        before = Some(verdict);
    }
    text
}

/// A figure with its unit in words.
fn quantity(row: &Row, figure: f64) -> String {
    match row.unit {
        "10⁶/s" => format!("{} million a second", short(figure)),
        "10³/s" => format!("{} thousand a second", short(figure)),
        "µs" if figure >= 1e4 => format!("{} ms", short(figure / 1e3)),
        "ns" if figure >= 1e4 => format!("{} µs", short(figure / 1e3)),
        unit => format!("{} {unit}", short(figure)),
    }
}

/// Of a ratio of which less is better: this crate's figure to the peer's.
fn of_peers(row: &Row, ratio: Summary) -> f64 {
    if row.more_is_better() { 1.0 / ratio.median } else { ratio.median }
}

/// Of a ratio of which less is better.
fn by_how_much(row: &Row, ratio: Summary) -> String {
    let of_what = match row.unit {
        _ if row.more_is_better() => "rate",
        "B" | "MiB" => "memory",
        _ if row.chart == Chart::Lateness => "lateness",
        "" => "number",
        _ => "time",
    };
    format!("{} of its {of_what}", short(of_peers(row, ratio)))
}

/// Of a peer that takes part in some workloads only.
fn of_peer(peer: Peer, samples: &Samples) -> Option<String> {
    let name = crate::name(&peer);
    let way = if peer.uses_io_uring() { ", on io_uring" } else { "" };
    if let Some(why) = samples.why_not_run(peer) {
        return Some(format!("{name}{way}: not run, since the system refuses it ({why})."));
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
        "{name}{way}: ahead in {ahead} of {rows} rows, level in {level}, behind in {count}{most}."
    ))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::workloads::Workload;

    fn samples(subject: &Subject, all: &[(Peer, f64)]) -> Samples {
        let mut samples = Samples::default();
        for (peer, figure) in all {
            let figures = BTreeMap::from([(subject.figure.to_owned(), *figure)]);
            samples.add(subject.workload, *peer, 0, &figures);
        }
        samples
    }

    fn subjects() -> impl Iterator<Item = &'static Subject> {
        GROUPS.iter().flat_map(|group| group.subjects)
    }

    #[test]
    fn each_subject_has_a_row_and_reasons() {
        for subject in subjects() {
            assert!(subject.row().is_some(), "{}", subject.name);
            assert!(!subject.ahead.is_empty() && !subject.behind.is_empty(), "{}", subject.name);
        }
    }

    #[test]
    fn sentence_follows_the_figures() {
        let pushes = subjects().find(|of| of.workload == Workload::PushRandom).unwrap();
        let figures = [(Peer::AsyncWheel, 100.0), (Peer::AsyncIo, 1_000.0), (Peer::Tokio, 50.0)];
        let line = sentence(pushes, &samples(pushes, &figures)).unwrap();
        assert!(line.contains("**ahead** of async-io (0.10 of its time)"), "{line}");
        assert!(line.contains(", **behind** tokio (2.00)"), "{line}");
        assert!(line.contains(pushes.behind) && !line.contains(pushes.ahead), "{line}");
        let figures = [(Peer::AsyncWheel, 100.0), (Peer::AsyncIo, 102.0), (Peer::Tokio, 125.0)];
        let line = sentence(pushes, &samples(pushes, &figures)).unwrap();
        assert!(line.contains("level with async-io"), "{line}");
        assert!(line.contains(", **ahead** of tokio (0.80)"), "{line}");
        assert!(line.contains(pushes.ahead), "{line}");
        let figures = [(Peer::AsyncWheel, 100.0), (Peer::AsyncIo, 400.0), (Peer::Tokio, 200.0)];
        let line = sentence(pushes, &samples(pushes, &figures)).unwrap();
        assert!(
            line.contains("**ahead** of async-io (0.25 of its time) and tokio (0.50);"),
            "{line}"
        );
    }

    #[test]
    fn figure_without_peers_has_the_reason_of_its_goal() {
        let steps = subjects().find(|of| of.workload == Workload::WheelSteps).unwrap();
        for (figure, why) in [(20.0, steps.ahead), (2e4, steps.behind)] {
            let line = sentence(steps, &samples(steps, &[(Peer::AsyncWheel, figure)])).unwrap();
            assert!(line.contains("20.0 ") && line.contains(why), "{line}");
        }
    }

    #[test]
    fn more_is_better_where_the_figure_is_a_rate() {
        let echo = subjects().find(|of| of.workload == Workload::Echo100On1).unwrap();
        let figures = [(Peer::AsyncWheel, 3e3), (Peer::AsyncIo, 2e3), (Peer::Tokio, 6e3)];
        let line = sentence(echo, &samples(echo, &figures)).unwrap();
        assert!(line.contains("**ahead** of async-io (1.50 of its rate)"), "{line}");
        assert!(line.contains(", **behind** tokio (0.50)"), "{line}");
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
        let pushes = subjects().find(|of| of.workload == Workload::PushRandom).unwrap();
        let figures = [(Peer::AsyncWheel, 100.0), (Peer::AsyncIo, 1_000.0), (Peer::Tokio, 50.0)];
        let line = lead(&samples(pushes, &figures));
        assert!(line.contains("ahead of async-io in 1 of 1, level in 0, behind in 0"), "{line}");
        assert!(line.contains("ahead of tokio in 0 of 1, level in 0, behind in 1"), "{line}");
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
            "### More peers\n\n- compio, on io_uring: not run, since the system refuses it (io_uring: no)."
        );
    }
}
