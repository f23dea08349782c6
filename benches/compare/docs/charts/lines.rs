//! A chart with a line for each row and dots on it: what the others but the population's are.

use std::path::Path;

use anyhow::Result;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::{Axis, Scaling, label};
use super::{HEAD, area, color, error, head, text};
use crate::table::{Row, Summary, short};
use crate::workloads::Peer;

/// What the names of the rows take.
const NAMES: u32 = 340;
/// What the axis takes.
const FOOT: u32 = 50;

/// A chart, without its dots.
pub struct Lines<'a> {
    pub title: &'a str,
    pub axis: &'a str,
    pub rows: &'a [&'a Row],
    /// Each has its place in a row, so that dots and labels do not cover each other.
    pub peers: &'a [Peer],
    /// Whether the medians stand beside the dots.
    pub labelled: bool,
    /// Whether one is in the chart, with a line.
    pub with_one: bool,
}

impl Lines<'_> {
    /// Draws it. Figures of zero and below have no place on a logarithmic axis and are left out.
    pub fn draw(&self, path: &Path, figure: impl Fn(&Row, Peer) -> Option<Summary>) -> Result<()> {
        let figure =
            |row: &Row, peer| figure(row, peer).filter(|of| of.least > 0.0 && of.most.is_finite());
        let count = self.rows.len();
        let (height_of_peer, between) = if self.labelled { (13, 12) } else { (7, 10) };
        let of_row = self.peers.len() as u32 * height_of_peer + between;
        let area = area(path, HEAD + FOOT + of_row * count as u32)?;
        head(&area, self.title, self.peers)?;
        let all: Vec<Summary> = self
            .rows
            .iter()
            .flat_map(|row| self.peers.iter().filter_map(|&peer| figure(row, peer)))
            .collect();
        let one = if self.with_one { 1.0 } else { all[0].median };
        let least = all.iter().map(|of| of.least).fold(one, f64::min);
        let most = all.iter().map(|of| of.most).fold(one, f64::max);
        let scaling = Scaling::new(least, most).with_room(if self.labelled { 0.12 } else { 0.0 });

        let keys = (0..count).map(|place| place as f64).collect();
        let places = Axis { range: -0.5..count as f64 - 0.5, keys };
        let mut plane = ChartBuilder::on(&area)
            .margin_top(HEAD as i32)
            .margin_right(14)
            .margin_left(8)
            .margin_bottom(6)
            .x_label_area_size(FOOT - 6)
            .y_label_area_size(NAMES)
            .build_cartesian_2d(scaling.axis(), places)
            .map_err(error)?;
        plane
            .configure_mesh()
            .disable_y_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.12))
            .axis_style(BLACK.mix(0.4))
            .x_desc(self.axis)
            .x_label_formatter(&|place| label(*place))
            .y_label_formatter(&|place| self.rows[count - 1 - *place as usize].work.to_owned())
            .label_style(text(12))
            .axis_desc_style(text(12))
            .draw()
            .map_err(error)?;
        let ends = &scaling.range;
        let between_rows = (1..count).map(|place| {
            let place = place as f64 - 0.5;
            PathElement::new([(ends.start, place), (ends.end, place)], BLACK.mix(0.12))
        });
        plane.draw_series(between_rows).map_err(error)?;
        if self.with_one {
            let line = [(0.0, -0.5), (0.0, count as f64 - 0.5)];
            plane.draw_series([PathElement::new(line, BLACK.stroke_width(1))]).map_err(error)?;
        }

        let step = f64::from(height_of_peer) / f64::from(of_row);
        let middle = (self.peers.len() - 1) as f64 / 2.0;
        for (index, row) in self.rows.iter().enumerate() {
            for (turn, &peer) in self.peers.iter().enumerate() {
                let Some(of) = figure(row, peer) else { continue };
                let y = (count - 1 - index) as f64 + step * (middle - turn as f64);
                let color = color(peer);
                let spread = [(of.least.log10(), y), (of.most.log10(), y)];
                let spread = PathElement::new(spread, color.stroke_width(2));
                plane.draw_series([spread]).map_err(error)?;
                let radius = if self.labelled { 4 } else { 3 };
                let dot = Circle::new((of.median.log10(), y), radius, color.filled());
                plane.draw_series([dot]).map_err(error)?;
                if self.labelled {
                    let style = text(11).pos(Pos::new(HPos::Left, VPos::Center));
                    let label = EmptyElement::at((of.most.log10(), y))
                        + Text::new(short(of.median), (7, 0), style);
                    plane.draw_series([label]).map_err(error)?;
                }
            }
        }
        area.present().map_err(error)
    }
}
