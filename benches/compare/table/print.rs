//! The table as text.

use comfy_table::{CellAlignment, Table, presets};
use indicatif::HumanCount;

use super::goal::Goal;
use super::rows::{ROWS, Row};
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
    fn judge(&mut self, goal: Goal, met: bool) -> String {
        self.goals += 1;
        self.met += usize::from(met);
        format!("{goal} {}", if met { "met" } else { "**missed**" })
    }
}

/// The rows of which there is at least one figure.
pub fn table(samples: &Samples) -> (Table, Tally) {
    let mut table = Table::new();
    let mut tally = Tally::default();
    table.load_preset(presets::ASCII_MARKDOWN);
    table.set_header([
        "work",
        "unit",
        "async-wheel",
        "async-io",
        "tokio",
        "monoio",
        "to async-io",
        "goal",
        "to tokio",
        "goal",
        "to monoio",
        "goal",
    ]);
    for row in ROWS {
        let figures = Peer::ALL.map(|peer| samples.figure(row, peer));
        if figures.iter().any(Option::is_some) {
            table.add_row(cells(samples, row, figures, &mut tally));
        }
    }
    for column in 2..12 {
        let column = table.column_mut(column).expect("there are twelve");
        column.set_cell_alignment(CellAlignment::Right);
    }
    (table, tally)
}

fn cells(
    samples: &Samples,
    row: &Row,
    figures: [Option<Summary>; 4],
    tally: &mut Tally,
) -> Vec<String> {
    let [ours, ..] = figures;
    let text = |figure: Option<Summary>| figure.map_or("-".to_owned(), |f| short(f.median));
    let mut cells = vec![row.work.to_owned(), row.unit.to_owned()];
    cells.extend(figures.map(text));
    if let (Some(goal), Some(ours)) = (row.own, ours) {
        let judgement = tally.judge(goal, goal.met_by(ours.median));
        cells[2] = format!("{} ({judgement})", cells[2]);
    }
    for (peer, goal, theirs) in [
        (Peer::AsyncIo, row.async_io, figures[1]),
        (Peer::Tokio, row.tokio, figures[2]),
        (Peer::Monoio, row.monoio, figures[3]),
    ] {
        let ratio = samples.ratio(row, peer);
        cells.push(ratio_text(ratio));
        let (Some(goal), Some(ratio)) = (goal, ratio) else {
            cells.push(String::new());
            continue;
        };
        let medians = ours.zip(theirs).map(|(ours, theirs)| (ours.median, theirs.median));
        let met = medians.is_some_and(|medians| goal.met(ratio.median, medians));
        cells.push(tally.judge(goal, met));
    }
    cells
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
    use super::short;

    #[test]
    fn figures_have_three_digits_that_count() {
        let figures = [0.0, 0.0123, 0.123, 1.234, 12.34, 123.4, 1234.6, 12345.6, 1234567.0];
        let expected =
            ["0", "0.012", "0.12", "1.23", "12.3", "123", "1,235", "12,346", "1,234,567"];
        assert_eq!(figures.map(short), expected);
    }
}
