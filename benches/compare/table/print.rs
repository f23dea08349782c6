//! The tables as text.

use comfy_table::{CellAlignment, Table, presets};
use indicatif::HumanCount;

use super::goal::Goal;
use super::row::Row;
use super::rows::ROWS;
use super::samples::{Samples, Summary};
use crate::workloads::Peer;

/// How many goals there are in the rows that were measured, and how many were met.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub goals: usize,
    pub met: usize,
}

impl Tally {
    /// The goal as text, with whether it was met.
    fn judge(&mut self, goal: Goal, whose: &str, met: bool) -> String {
        self.goals += 1;
        self.met += usize::from(met);
        format!("{whose}{goal} {}", if met { "met" } else { "**missed**" })
    }
}

/// Beside async-io and tokio: the rows that are wanted and of which there is at least one figure.
pub fn table(samples: &Samples, wanted: impl Fn(&Row) -> bool) -> (Table, Tally) {
    const PEERS: [Peer; 2] = [Peer::AsyncIo, Peer::Tokio];
    let mut tally = Tally::default();
    let header = ["work", "unit", "async-wheel", "async-io", "tokio", "to async-io", "to tokio"];
    let mut table = empty(header.iter().chain(&["goals"]).map(|name| (*name).to_owned()));
    for row in ROWS.iter().filter(|row| wanted(row)) {
        let ours = samples.figure(row, Peer::AsyncWheel);
        let theirs = PEERS.map(|peer| samples.figure(row, peer));
        if ours.is_some() || theirs.iter().any(Option::is_some) {
            let mut cells = vec![row.work.to_owned(), row.unit.to_owned()];
            let peers = [Peer::AsyncWheel].into_iter().chain(PEERS);
            cells.extend(peers.map(|peer| figure_text(samples, row, peer)));
            cells.extend(PEERS.map(|peer| ratio_text(samples.ratio(row, peer))));
            cells.push(goals_text(samples, row, &mut tally));
            table.add_row(cells);
        }
    }
    align(&mut table, 2..7);
    (table, tally)
}

/// Beside the [further](Peer::is_further) peers: the rows of which at least one has a figure, or was
/// refused. `None` if there is none.
pub fn table_of_further(samples: &Samples) -> Option<Table> {
    let takes_part = |peer: &Peer| {
        let has_figure = |row| samples.figure(row, *peer).is_some();
        peer.is_further() && (ROWS.iter().any(has_figure) || samples.why_not_run(*peer).is_some())
    };
    let peers: Vec<Peer> = Peer::ALL.into_iter().filter(takes_part).collect();
    let rows = ROWS.iter().filter(|row| {
        let measured = samples.figure(row, Peer::AsyncWheel).is_some();
        let figure = |peer| samples.figure(row, peer).is_some();
        let refused = |peer| row.is_of(peer) && samples.why_not_run(peer).is_some();
        measured && peers.iter().any(|&peer| figure(peer) || refused(peer))
    });
    let rows: Vec<&Row> = rows.collect();
    if rows.is_empty() {
        return None;
    }
    let header = ["work", "unit", "async-wheel"].map(str::to_owned).into_iter();
    let mut table = empty(header.chain(peers.iter().map(heading)));
    for row in rows {
        let mut cells = vec![row.work.to_owned(), row.unit.to_owned()];
        cells.push(figure_text(samples, row, Peer::AsyncWheel));
        cells.extend(peers.iter().map(|&peer| {
            let ratio = samples.ratio(row, peer).filter(|ratio| ratio.median.is_finite());
            let ratio = ratio.map_or(String::new(), |ratio| format!(" ({})", short(ratio.median)));
            figure_text(samples, row, peer) + &ratio
        }));
        table.add_row(cells);
    }
    align(&mut table, 2..3 + peers.len());
    Some(table)
}

/// A peer's name, and how it does its I/O if that is not as usual.
fn heading(peer: &Peer) -> String {
    let name = crate::name(peer);
    match name.ends_with("uring") || !peer.uses_io_uring() {
        true => name,
        false => format!("{name}, io_uring"),
    }
}

pub fn empty(header: impl IntoIterator<Item = String>) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    table.set_header(header);
    table
}

pub fn align(table: &mut Table, columns: std::ops::Range<usize>) {
    for column in columns {
        let column = table.column_mut(column).expect("there are as many");
        column.set_cell_alignment(CellAlignment::Right);
    }
}

/// A figure, with a word if the machine was saturated; or why there is none.
fn figure_text(samples: &Samples, row: &Row, peer: Peer) -> String {
    match samples.figure(row, peer) {
        Some(figure) if samples.is_saturated(row, peer) => {
            format!("{} *sat.*", short(figure.median))
        }
        Some(figure) => short(figure.median),
        None if row.is_of(peer) && samples.why_not_run(peer).is_some() => "not run".to_owned(),
        None => "-".to_owned(),
    }
}

fn goals_text(samples: &Samples, row: &Row, tally: &mut Tally) -> String {
    let mut goals = Vec::new();
    let ours = samples.figure(row, Peer::AsyncWheel);
    if let (Some(goal), Some(ours)) = (row.own, ours) {
        goals.push(tally.judge(goal, "", goal.met_by(ours.median)));
    }
    for (peer, goal) in row.goals_against() {
        let theirs = samples.figure(row, peer);
        if let Some(((ours, theirs), ratio)) = ours.zip(theirs).zip(samples.ratio(row, peer)) {
            let met = goal.met(ratio.median, (ours.median, theirs.median));
            goals.push(tally.judge(goal, &format!("{}: ", crate::name(&peer)), met));
        }
    }
    goals.join("; ")
}

/// A ratio, and between what it was from run to run.
fn ratio_text(ratio: Option<Summary>) -> String {
    match ratio.filter(|ratio| ratio.median.is_finite()) {
        Some(ratio) => {
            format!("{} ({}..{})", short(ratio.median), short(ratio.least), short(ratio.most))
        }
        None => "-".to_owned(),
    }
}

/// Three digits that count, or all before the point.
pub fn short(figure: f64) -> String {
    match figure.abs() {
        0.0 => "0".to_owned(),
        less if less < 0.0995 => format!("{figure:.3}"),
        less if less < 9.995 => format!("{figure:.2}"),
        less if less < 99.95 => format!("{figure:.1}"),
        _ => HumanCount(figure.round() as u64).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::workloads::Workload;

    #[test]
    fn figures_have_three_digits_that_count() {
        let figures = [0.0, 0.0123, 0.123, 1.234, 12.34, 123.4, 1234.6, 12345.6, 1234567.0];
        let expected =
            ["0", "0.012", "0.12", "1.23", "12.3", "123", "1,235", "12,346", "1,234,567"];
        assert_eq!(figures.map(short), expected);
    }

    fn samples(workload: Workload, all: &[(Peer, &[(&str, f64)])]) -> Samples {
        let mut samples = Samples::default();
        for (peer, figures) in all {
            let owned = figures.iter().map(|(name, figure)| ((*name).to_owned(), *figure));
            samples.add(workload, *peer, 0, &owned.collect::<BTreeMap<_, _>>());
        }
        samples
    }

    #[test]
    fn saturated_machine_is_told_beside_the_figure() {
        let ours: &[_] = &[("ns", 500.0), ("late_p99_us", 1.0), ("span_ms", 1_020.0)];
        let theirs: &[_] = &[("ns", 900.0), ("late_p99_us", 9.0), ("span_ms", 1_800.0)];
        let all = [(Peer::AsyncWheel, ours), (Peer::Tokio, theirs)];
        let text = table(&samples(Workload::FireBare, &all), |_| true).0.to_string();
        let line = text.lines().find(|line| line.contains("processor time")).unwrap();
        assert!(line.contains("900 *sat.*") && line.contains(" 500 "), "{line}");
    }

    #[test]
    fn refused_runtime_stands_as_not_run() {
        let figures: &[_] = &[("per_s", 9_000.0)];
        let all = [(Peer::AsyncWheel, figures), (Peer::Monoio, figures)];
        let mut samples = samples(Workload::CoreEcho, &all);
        samples.not_run(Peer::Glommio, "io_uring: no");
        let text = table_of_further(&samples).unwrap().to_string();
        assert!(text.lines().next().unwrap().contains("glommio, io_uring"), "{text}");
        let line = text.lines().find(|line| line.contains("a listener for each")).unwrap();
        assert!(line.contains("not run") && line.contains("9.00 *sat.* (1.00)"), "{line}");
    }
}
