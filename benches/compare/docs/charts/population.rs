//! What an operation costs beside ten timers and beside ten million.

use std::path::Path;

use anyhow::Result;
use plotters::prelude::*;

use super::axis::{Axis, Scaling, label};
use super::{Drawn, HEAD, MAIN, area, color, error, head, text};
use crate::table::{Chart, ROWS, Row, Samples};
use crate::workloads::Peer;

const DRAWN: Drawn =
    Drawn { file: "population.svg", title: "Cost of an operation over the number of timers" };

/// What is done, as it begins the names of the figures, and as the title of its panel.
const OPERATIONS: [(&str, &str); 4] = [
    ("arm_", "create and poll once"),
    ("push_", "postpone, at random"),
    ("cancel_", "cancel, at random"),
    ("expire_", "expire"),
];

const HEIGHT: u32 = 560;

/// Draws it, if there are figures.
pub fn write(samples: &Samples, directory: &Path) -> Result<Option<Drawn>> {
    let all: Vec<f64> = (MAIN.iter())
        .flat_map(|&peer| OPERATIONS.map(|(figure, _)| points(samples, figure, peer)))
        .flatten()
        .map(|(_, ns)| ns)
        .collect();
    if all.is_empty() {
        return Ok(None);
    }
    let least = all.iter().copied().fold(f64::INFINITY, f64::min);
    let most = all.iter().copied().fold(0.0, f64::max);
    let path = directory.join(DRAWN.file);
    let area = area(&path, HEIGHT)?;
    head(&area, DRAWN.title, &MAIN)?;
    let (_, below) = area.split_vertically(HEAD);
    for ((figure, title), panel) in OPERATIONS.iter().zip(below.split_evenly((2, 2))) {
        let mut plane = ChartBuilder::on(&panel)
            .caption(*title, text(14))
            .margin(6)
            .margin_right(16)
            .x_label_area_size(38)
            .y_label_area_size(58)
            .build_cartesian_2d(
                Axis { range: 0.8..7.2, keys: (1..=7).map(f64::from).collect() },
                Scaling::new(least, most).axis(),
            )
            .map_err(error)?;
        plane
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.12))
            .axis_style(BLACK.mix(0.4))
            .x_desc("timers")
            .y_desc("ns for each")
            .x_label_formatter(&|place| power(*place as usize))
            .y_label_formatter(&|place| label(*place))
            .label_style(text(12))
            .draw()
            .map_err(error)?;
        for peer in MAIN.into_iter().rev() {
            let color = color(peer);
            let points: Vec<(f64, f64)> = points(samples, figure, peer)
                .into_iter()
                .map(|(size, ns)| (size.log10(), ns.log10()))
                .collect();
            let line = PathElement::new(points.clone(), color.mix(0.5).stroke_width(1));
            plane.draw_series([line]).map_err(error)?;
            let dots = points.into_iter().map(|point| Circle::new(point, 4, color.filled()));
            plane.draw_series(dots).map_err(error)?;
        }
    }
    area.present().map_err(error)?;
    Ok(Some(DRAWN))
}

/// Numbers of timers, and the nanoseconds of an operation.
fn points(samples: &Samples, operation: &str, peer: Peer) -> Vec<(f64, f64)> {
    let point = |row: &Row| {
        let size = row.figure.strip_prefix(operation)?.parse().ok()?;
        let ns = samples.figure(row, peer)?.median;
        // What was too little to be told has no place on the axis.
        (ns > 0.0).then_some((size, ns))
    };
    ROWS.iter().filter(|row| row.chart == Chart::Population).filter_map(point).collect()
}

fn power(exponent: usize) -> String {
    let digits = ["⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"];
    match exponent {
        1 => "10".to_owned(),
        _ => format!("10{}", digits[exponent % 10]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_operation_has_rows_from_ten_to_ten_million() {
        for (operation, _) in OPERATIONS {
            let figure =
                |row: &&Row| row.chart == Chart::Population && row.figure.starts_with(operation);
            let sizes = ROWS.iter().filter(figure).map(|row| &row.figure[operation.len()..]);
            let sizes: Vec<f64> = sizes.map(|size| size.parse().unwrap()).collect();
            assert_eq!(sizes, [1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7], "{operation}");
        }
    }
}
