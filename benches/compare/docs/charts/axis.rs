//! Axes that are labelled at round figures.

use std::ops::Range;

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::Ranged;

use crate::table::short;

/// A logarithmic scale from figures to places on an axis, and where the axis is labelled.
pub struct Scaling {
    pub range: Range<f64>,
    pub keys: Vec<f64>,
}

impl Scaling {
    /// For figures between these, with a little room on both sides: labelled at each power of ten,
    /// or at steps between if there are few.
    pub fn new(least: f64, most: f64) -> Scaling {
        let range = (least / 1.15).log10()..(most * 1.15).log10();
        let steps: &[f64] = match range.end - range.start {
            ..1.0 => &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0],
            ..2.2 => &[1.0, 2.0, 5.0],
            _ => &[1.0],
        };
        let powers = range.start.floor() as i32..=range.end.ceil() as i32;
        let keys = powers
            .flat_map(|power| steps.iter().map(move |step| (step * 10_f64.powi(power)).log10()));
        let keys = keys.filter(|key| range.contains(key)).collect();
        Scaling { range, keys }
    }

    /// With more room on the right: a share of the whole.
    pub fn with_room(mut self, share: f64) -> Scaling {
        self.range.end += (self.range.end - self.range.start) * share;
        self
    }

    pub fn axis(&self) -> Axis {
        Axis { range: self.range.clone(), keys: self.keys.clone() }
    }
}

/// The figure at a place on a logarithmic axis.
pub fn label(place: f64) -> String {
    let figure = 10_f64.powf(place);
    if figure < 1_000.0 { format!("{}", (figure * 1e6).round() / 1e6) } else { short(figure) }
}

/// An axis that is labelled where the caller says.
pub struct Axis {
    pub range: Range<f64>,
    pub keys: Vec<f64>,
}

impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        RangedCoordf64::from(self.range.clone()).map(value, limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.keys.clone()
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_lies_within_its_axis() {
        for (least, most) in [(3.0, 14.2), (0.04, 19.0), (1.0, 1.0), (10.0, 1e7)] {
            let scaling = Scaling::new(least, most).with_room(0.1);
            for figure in [least, most] {
                assert!(scaling.range.contains(&f64::log10(figure)), "{figure}");
            }
            assert!(scaling.keys.iter().all(|key| scaling.range.contains(key)));
            assert!(!scaling.keys.is_empty(), "{least} {most}");
        }
    }

    #[test]
    fn labels_are_round() {
        assert_eq!([-2.0, 0.0, 3.0, 5.0].map(label), ["0.01", "1", "1,000", "100,000"]);
        assert_eq!(label(1.5_f64.log10()), "1.5");
    }
}
