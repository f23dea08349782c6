//! The figures of all runs, and what they come to.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use statrs::statistics::{Data, Max, Median, Min};

use super::row::{Row, Saturation};
use crate::workloads::{Peer, Workload};

/// One figure of each run, unless that failed.
type Runs = Vec<Option<f64>>;
type ByRuntime = BTreeMap<String, Runs>;
type ByFigure = BTreeMap<String, ByRuntime>;

/// Figures by workload, by their name, and by runtime.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Samples {
    figures: BTreeMap<String, ByFigure>,
    /// The runtimes that the system has refused, and why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    not_run: BTreeMap<String, String>,
}

/// Several runs of the same.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

impl Summary {
    /// Of ratios: those of the other way round.
    pub fn inverse(self) -> Summary {
        Summary { median: 1.0 / self.median, least: 1.0 / self.most, most: 1.0 / self.least }
    }

    fn of(samples: impl Iterator<Item = f64>) -> Option<Summary> {
        let samples: Vec<f64> = samples.collect();
        if samples.is_empty() {
            return None;
        }
        let data = Data::new(samples);
        Some(Summary { median: data.median(), least: data.min(), most: data.max() })
    }
}

impl Samples {
    /// Notes what came out of the run of that number.
    pub fn add(
        &mut self,
        workload: Workload,
        peer: Peer,
        run: usize,
        figures: &BTreeMap<String, f64>,
    ) {
        let of_workload = self.figures.entry(crate::name(&workload)).or_default();
        for (figure, value) in figures {
            let of_figure = of_workload.entry(figure.clone()).or_default();
            let runs = of_figure.entry(crate::name(&peer)).or_default();
            runs.resize(runs.len().max(run + 1), None);
            runs[run] = Some(*value);
        }
    }

    /// Notes that a runtime was refused. Returns `true` if that is new.
    pub fn not_run(&mut self, peer: Peer, why: &str) -> bool {
        self.not_run.insert(crate::name(&peer), why.to_owned()).is_none()
    }

    pub fn why_not_run(&self, peer: Peer) -> Option<&str> {
        self.not_run.get(&crate::name(&peer)).map(String::as_str)
    }

    /// A figure of each run, in the row's unit.
    fn runs(&self, row: &Row, peer: Peer) -> impl Iterator<Item = Option<f64>> {
        let workload = crate::name(&row.workload_of(peer));
        let figures = self.figures.get(&workload).and_then(|of| of.get(row.figure));
        let runs =
            figures.and_then(|of| of.get(&crate::name(&peer))).map_or(&[][..], Vec::as_slice);
        runs.iter().map(|run| run.map(|figure| figure / row.divisor))
    }

    pub fn figure(&self, row: &Row, peer: Peer) -> Option<Summary> {
        Summary::of(self.runs(row, peer).flatten())
    }

    /// Whether the machine was saturated, by the median of the figure that tells it.
    pub fn is_saturated(&self, row: &Row, peer: Peer) -> bool {
        match row.saturation {
            Saturation::No => false,
            Saturation::Always => true,
            Saturation::Above(figure, limit) => {
                let telling = row.of_figure(figure);
                self.figure(&telling, peer).is_some_and(|figure| figure.median > limit)
            }
        }
    }

    /// This crate's figure by the peer's, run by run. Nothing by nothing is as much.
    pub fn ratio(&self, row: &Row, peer: Peer) -> Option<Summary> {
        let runs = self.runs(row, Peer::AsyncWheel).zip(self.runs(row, peer));
        let ratio = |ours: f64, theirs: f64| if ours == theirs { 1.0 } else { ours / theirs };
        Summary::of(runs.filter_map(|(ours, theirs)| Some(ratio(ours?, theirs?))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::rows::ROWS;

    fn samples(ours: &[f64], theirs: &[f64]) -> Samples {
        let mut samples = Samples::default();
        for (peer, runs) in [(Peer::AsyncWheel, ours), (Peer::Tokio, theirs)] {
            for (run, figure) in runs.iter().enumerate() {
                let figures = BTreeMap::from([(ROWS[0].figure.to_owned(), *figure)]);
                samples.add(ROWS[0].workload, peer, run, &figures);
            }
        }
        samples
    }

    #[test]
    fn a_ratio_is_the_median_of_ratios_not_the_ratio_of_medians() {
        let samples = samples(&[1.0, 10.0, 30.0], &[10.0, 10.0, 10.0]);
        let ratio = samples.ratio(&ROWS[0], Peer::Tokio).unwrap();
        assert_eq!(ratio, Summary { median: 1.0, least: 0.1, most: 3.0 });
        let samples = self::samples(&[1.0, 2.0, 9.0], &[9.0, 1.0, 2.0]);
        let ratio = samples.ratio(&ROWS[0], Peer::Tokio).unwrap();
        assert_eq!(ratio.median, 2.0);
    }

    #[test]
    fn figures_of_nothing_make_ratios_that_can_be_sorted() {
        let samples = samples(&[0.0, 0.0, 4.0, 0.0, 1.0], &[0.0, 2.0, 0.0, 0.0, 1.0]);
        let ratio = samples.ratio(&ROWS[0], Peer::Tokio).unwrap();
        assert_eq!(ratio, Summary { median: 1.0, least: 0.0, most: f64::INFINITY });
    }

    #[test]
    fn a_run_that_failed_takes_no_part_and_shifts_none() {
        let mut samples = samples(&[], &[2.0, 4.0]);
        let figures = BTreeMap::from([(ROWS[0].figure.to_owned(), 8.0)]);
        samples.add(ROWS[0].workload, Peer::AsyncWheel, 1, &figures);
        assert_eq!(samples.ratio(&ROWS[0], Peer::Tokio).unwrap().median, 2.0);
        assert_eq!(samples.figure(&ROWS[0], Peer::AsyncWheel).unwrap().median, 8.0);
        assert!(samples.ratio(&ROWS[0], Peer::AsyncIo).is_none());
    }

    #[test]
    fn row_can_stand_beside_a_workload_of_the_peers() {
        let row = ROWS.iter().find(|row| row.workload == Workload::IntervalsExact).unwrap();
        let mut samples = Samples::default();
        for (workload, peer, figure) in [
            (Workload::IntervalsExact, Peer::AsyncWheel, 2.0),
            (Workload::Intervals, Peer::AsyncWheel, 5.0),
            (Workload::Intervals, Peer::Tokio, 4.0),
        ] {
            samples.add(workload, peer, 0, &BTreeMap::from([(row.figure.to_owned(), figure)]));
        }
        assert!(row.is_of(Peer::Tokio));
        assert_eq!(samples.ratio(row, Peer::Tokio).unwrap().median, 0.5);
    }

    #[test]
    fn figures_come_in_the_unit_of_their_row() {
        let row = ROWS.iter().find(|row| row.unit == "10³/s").unwrap();
        let mut samples = Samples::default();
        let figures = BTreeMap::from([(row.figure.to_owned(), 5_000.0)]);
        samples.add(row.workload, Peer::Tokio, 0, &figures);
        assert_eq!(samples.figure(row, Peer::Tokio).unwrap().median, 5.0);
    }
}
