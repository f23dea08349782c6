//! Bars for each figure beside its peers', and one chart of all ratios with their goals.

use std::ops::Range;
use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::table::{Chart, ROWS, Row, Samples, short};
use crate::workloads::Peer;

/// A chart that was drawn.
pub struct Drawn {
    pub file: &'static str,
    pub title: &'static str,
}

/// Bars of the rows that share a unit.
struct Bars {
    chart: Chart,
    file: &'static str,
    title: &'static str,
    axis: &'static str,
    logarithmic: bool,
}

impl Bars {
    const fn new(
        chart: Chart,
        file: &'static str,
        title: &'static str,
        axis: &'static str,
        logarithmic: bool,
    ) -> Bars {
        Bars { chart, file, title, axis, logarithmic }
    }
}

#[rustfmt::skip]
const BARS: &[Bars] = &[
    Bars::new(Chart::Operations, "operations.svg", "Operations on timers",
        "ns an operation, logarithmic; less is better", true),
    Bars::new(Chart::Expiry, "expiry.svg", "Timers that fire: processor time",
        "ns for each, logarithmic; less is better", true),
    Bars::new(Chart::Lateness, "lateness.svg", "Lateness",
        "µs, logarithmic; less is better", true),
    Bars::new(Chart::Memory, "memory.svg", "Memory",
        "bytes a timer; less is better", false),
    Bars::new(Chart::Churn, "churn.svg", "Churn",
        "millions of timers created, polled and dropped a second; more is better", false),
    Bars::new(Chart::RoundTrips, "round-trips.svg", "Round trips between two threads",
        "µs a round trip; less is better", false),
    Bars::new(Chart::Echo, "echo.svg", "TCP echo with read timeouts",
        "thousands of round trips a second; more is better", false),
    Bars::new(Chart::Served, "served.svg", "TCP echo server, its clients outside",
        "thousands of round trips a second; more is better", false),
    Bars::new(Chart::Calls, "system-calls.svg", "System calls",
        "calls an operation; less is better", false),
    Bars::new(Chart::Queue, "delay-queue.svg", "Delay queue",
        "ns an entry, logarithmic; less is better", true),
];

pub const RATIOS: Drawn =
    Drawn { file: "ratios.svg", title: "async-wheel to its peers: every ratio, and its goal" };

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Plane<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Axis, Axis>>;

const WIDTH: u32 = 1_000;
/// What the names of the rows take.
const NAMES: u32 = 370;
/// What the title, the legend and the lower axis take.
const AROUND: u32 = 116;
const FONT: &str = "sans-serif";
const BLUE: RGBColor = RGBColor(0, 114, 178);
const ORANGE: RGBColor = RGBColor(230, 159, 0);
const GREEN: RGBColor = RGBColor(0, 158, 115);
const GREY: RGBColor = RGBColor(130, 130, 130);

fn color(peer: Peer) -> RGBColor {
    match peer {
        Peer::AsyncWheel => BLUE,
        Peer::AsyncIo => ORANGE,
        Peer::Tokio => GREY,
        Peer::Monoio => GREEN,
    }
}

/// Draws all charts of which there are figures into a directory. The ratios come first.
pub fn write(samples: &Samples, directory: &Path) -> Result<Vec<Drawn>> {
    let mut drawn = Vec::new();
    let rows: Vec<&Row> = ROWS.iter().filter(|row| has_ratio(row, samples)).collect();
    if !rows.is_empty() {
        draw_ratios(&rows, samples, &directory.join(RATIOS.file))?;
        drawn.push(RATIOS);
    }
    for bars in BARS {
        let measured = |row: &&Row| Peer::ALL.iter().any(|&p| samples.figure(row, p).is_some());
        let of_chart = ROWS.iter().filter(|row| row.chart == bars.chart);
        let rows: Vec<&Row> = of_chart.filter(measured).collect();
        if !rows.is_empty() {
            draw_bars(bars, &rows, samples, &directory.join(bars.file))?;
            drawn.push(Drawn { file: bars.file, title: bars.title });
        }
    }
    Ok(drawn)
}

/// A scale from figures to places on an axis, and where the axis is labelled.
struct Scaling {
    logarithmic: bool,
    range: Range<f64>,
    keys: Vec<f64>,
}

impl Scaling {
    /// For figures between these, with room on the right for a label.
    fn new(least: f64, most: f64, logarithmic: bool) -> Scaling {
        if logarithmic {
            let range = (least * 0.8).log10().floor()..most.log10() + 0.3;
            let keys = (range.start as i32..=range.end as i32).map(f64::from).collect();
            Scaling { logarithmic, range, keys }
        } else {
            let most = if most > 0.0 { most } else { 1.0 };
            let step = round_step(most / 6.0);
            let keys = (0..).map(|n| f64::from(n) * step).take_while(|key| *key <= most * 1.1);
            Scaling { logarithmic, range: 0.0..most * 1.15, keys: keys.collect() }
        }
    }

    fn place(&self, figure: f64) -> f64 {
        if self.logarithmic { figure.log10() } else { figure }
    }

    fn label(&self, place: f64) -> String {
        let figure = if self.logarithmic { 10_f64.powf(place) } else { place };
        if figure < 1_000.0 { format!("{}", (figure * 1e6).round() / 1e6) } else { short(figure) }
    }
}

/// The next of 1, 2, 5, 10 and so on.
fn round_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0];
    power * steps.into_iter().find(|step| power * step >= least).unwrap_or(10.0)
}

/// An axis that is labelled where the caller says.
struct Axis {
    range: Range<f64>,
    keys: Vec<f64>,
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

fn error(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("cannot draw: {error}")
}

fn draw_bars(bars: &Bars, rows: &[&Row], samples: &Samples, path: &Path) -> Result<()> {
    let summaries = rows.iter().flat_map(|row| Peer::ALL.map(|peer| samples.figure(row, peer)));
    let summaries: Vec<_> = summaries.flatten().collect();
    let most = summaries.iter().map(|figure| figure.most).fold(0.0, f64::max);
    let least = summaries.iter().map(|figure| figure.median.min(figure.least.max(1e-3)));
    let scaling = Scaling::new(least.fold(f64::INFINITY, f64::min), most, bars.logarithmic);

    let area = SVGBackend::new(path, (WIDTH, AROUND + 62 * rows.len() as u32)).into_drawing_area();
    let mut plane = plane(&area, bars.title, bars.axis, rows, &scaling)?;
    let takes_part = |peer: &Peer| rows.iter().any(|row| samples.figure(row, *peer).is_some());
    let peers: Vec<Peer> = Peer::ALL.into_iter().filter(takes_part).collect();
    let (step, middle) = (0.81 / peers.len() as f64, (peers.len() - 1) as f64 / 2.0);
    for (index, row) in rows.iter().enumerate() {
        for (turn, &peer) in peers.iter().enumerate() {
            let Some(figure) = samples.figure(row, peer) else { continue };
            let y = (rows.len() - 1 - index) as f64 + step * (middle - turn as f64);
            let half = step * 0.44;
            let (start, end) = (scaling.range.start, scaling.place(figure.median));
            let bar = Rectangle::new([(start, y - half), (end, y + half)], color(peer).filled());
            let spread = [
                (scaling.place(figure.least).max(start), y),
                (scaling.place(figure.most).max(start), y),
            ];
            let style = text(13).pos(Pos::new(HPos::Left, VPos::Center));
            let label = EmptyElement::at((spread[1].0.max(end), y))
                + Text::new(short(figure.median), (6, 0), style);
            plane.draw_series([bar]).map_err(error)?;
            plane.draw_series([PathElement::new(spread, BLACK.stroke_width(1))]).map_err(error)?;
            plane.draw_series([label]).map_err(error)?;
        }
    }
    legend(&area, &peers)?;
    area.present().map_err(error)
}

/// The peers that a row has goals against.
fn goals(row: &Row) -> impl Iterator<Item = (Peer, crate::table::Goal)> {
    let goals = [(Peer::AsyncIo, row.async_io), (Peer::Tokio, row.tokio)];
    goals.into_iter().filter_map(|(peer, goal)| Some((peer, goal?)))
}

/// Whether it has a ratio that can be drawn: none of nothing.
fn has_ratio(row: &Row, samples: &Samples) -> bool {
    row.chart != Chart::Not
        && goals(row)
            .any(|(peer, _)| samples.ratio(row, peer).is_some_and(|ratio| ratio.least > 0.0))
}

/// The ratio as it is drawn: less is better.
fn drawn_ratio(row: &Row, ratio: f64) -> f64 {
    if row.more_is_better() { 1.0 / ratio } else { ratio }
}

fn draw_ratios(rows: &[&Row], samples: &Samples, path: &Path) -> Result<()> {
    let mut all = vec![1.0];
    for row in rows {
        for (peer, goal) in goals(row) {
            let ratio = samples.ratio(row, peer).map(|ratio| [ratio.least, ratio.most]);
            let marks = ratio.into_iter().flatten().chain([goal.limit()]);
            all.extend(marks.map(|mark| drawn_ratio(row, mark)));
        }
    }
    let (least, most) =
        (all.iter().copied().fold(1.0, f64::min), all.iter().copied().fold(1.0, f64::max));
    let scaling = Scaling::new(least, most, true);

    let height = AROUND + 36 * rows.len() as u32;
    let area = SVGBackend::new(path, (WIDTH, height)).into_drawing_area();
    let axis = "ratio to the peer (rates: the peer's to ours), logarithmic; left of 1 is better; \
                the bar is the goal";
    let mut plane = plane(&area, RATIOS.title, axis, rows, &scaling)?;
    let equal = [(0.0, -0.5), (0.0, rows.len() as f64 - 0.5)];
    plane.draw_series([PathElement::new(equal, BLACK.stroke_width(1))]).map_err(error)?;
    for (index, row) in rows.iter().enumerate() {
        for (peer, goal) in goals(row) {
            let Some(ratio) = samples.ratio(row, peer) else { continue };
            let y =
                (rows.len() - 1 - index) as f64 + if peer == Peer::AsyncIo { 0.18 } else { -0.18 };
            let place = |ratio: f64| scaling.place(drawn_ratio(row, ratio));
            let spread = [(place(ratio.least), y), (place(ratio.most), y)];
            let limit = place(goal.limit());
            let limit = [(limit, y - 0.16), (limit, y + 0.16)];
            let color = color(peer);
            plane.draw_series([PathElement::new(spread, color.stroke_width(2))]).map_err(error)?;
            plane.draw_series([PathElement::new(limit, color.stroke_width(4))]).map_err(error)?;
            let point = Circle::new((place(ratio.median), y), 5, color.filled());
            plane.draw_series([point]).map_err(error)?;
        }
    }
    legend(&area, &[Peer::AsyncIo, Peer::Tokio])?;
    area.present().map_err(error)
}

fn text(size: u32) -> TextStyle<'static> {
    (FONT, size).into_font().color(&BLACK)
}

/// An empty chart with a place for each row, the first at the top.
fn plane<'a, 'b>(
    area: &'a Area<'b>,
    title: &str,
    axis: &str,
    rows: &[&Row],
    scaling: &Scaling,
) -> Result<Plane<'a, 'b>> {
    area.fill(&WHITE).map_err(error)?;
    let keys = (0..rows.len()).map(|place| place as f64).collect();
    let places = Axis { range: -0.5..rows.len() as f64 - 0.5, keys };
    let mut plane = ChartBuilder::on(area)
        .caption(title, text(20))
        .margin(14)
        .margin_top(8)
        .x_label_area_size(44)
        .y_label_area_size(NAMES)
        .build_cartesian_2d(
            Axis { range: scaling.range.clone(), keys: scaling.keys.clone() },
            places,
        )
        .map_err(error)?;
    plane
        .configure_mesh()
        .disable_y_mesh()
        .light_line_style(TRANSPARENT)
        .x_desc(axis)
        .x_label_formatter(&|place| scaling.label(*place))
        .y_label_formatter(&|place| rows[rows.len() - 1 - *place as usize].work.to_owned())
        .label_style(text(14))
        .draw()
        .map_err(error)?;
    let line = |place: usize| {
        let place = place as f64 - 0.5;
        let ends = [(scaling.range.start, place), (scaling.range.end, place)];
        PathElement::new(ends, BLACK.mix(0.1))
    };
    plane.draw_series((1..rows.len()).map(line)).map_err(error)?;
    Ok(plane)
}

/// Which color is whose, at the top on the right.
fn legend(area: &Area<'_>, peers: &[Peer]) -> Result<()> {
    for (index, &peer) in peers.iter().enumerate() {
        let x = WIDTH as i32 - 110 * (peers.len() - index) as i32;
        let square = Rectangle::new([(x, 14), (x + 12, 26)], color(peer).filled());
        area.draw(&square).map_err(error)?;
        let name = Text::new(crate::name(&peer), (x + 18, 13), text(14));
        area.draw(&name).map_err(error)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_that_is_drawn_has_a_chart() {
        let has_bars = |row: &&Row| BARS.iter().any(|bars| bars.chart == row.chart);
        assert!(ROWS.iter().filter(|row| row.chart != Chart::Not).all(|row| has_bars(&row)));
    }

    #[test]
    fn every_figure_lies_within_its_axis() {
        for (least, most, logarithmic) in
            [(0.0, 0.0, false), (3.0, 14.2, false), (0.04, 19.0, true), (1.0, 1.0, true)]
        {
            let scaling = Scaling::new(least, most, logarithmic);
            for figure in [least, most] {
                assert!(scaling.range.contains(&scaling.place(figure)), "{figure}");
            }
            assert!(scaling.keys.iter().all(|key| scaling.range.contains(key)));
            assert!(scaling.keys.len() > 1, "{least} {most} {logarithmic}");
        }
    }

    #[test]
    fn steps_are_round() {
        assert_eq!([0.9, 1.9, 2.5, 30.0].map(round_step), [1.0, 2.0, 5.0, 50.0]);
    }
}
