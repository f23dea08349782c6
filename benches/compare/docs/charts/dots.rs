//! Dots for each figure beside its peers', a chart for each unit.

use std::path::Path;

use anyhow::Result;

use super::lines::Lines;
use super::{Drawn, MAIN, measured};
use crate::table::{Chart, Samples};

/// Dots of the rows that share a unit.
struct Dots {
    chart: Chart,
    file: &'static str,
    title: &'static str,
    axis: &'static str,
}

impl Dots {
    const fn new(
        chart: Chart,
        file: &'static str,
        title: &'static str,
        axis: &'static str,
    ) -> Dots {
        Dots { chart, file, title, axis }
    }
}

#[rustfmt::skip]
const DOTS: &[Dots] = &[
    Dots::new(Chart::Operations, "operations.svg", "Operations on timers",
        "ns an operation, logarithmic; less is better"),
    Dots::new(Chart::Expiry, "expiry.svg", "Timers that fire: processor time",
        "ns for each, logarithmic; less is better"),
    Dots::new(Chart::Fired, "fired.svg", "Timers that fire: throughput",
        "thousands of timers a second, logarithmic; more is better"),
    Dots::new(Chart::Lateness, "lateness.svg", "Lateness", "µs, logarithmic; less is better"),
    Dots::new(Chart::Memory, "memory.svg", "Memory", "bytes a timer, logarithmic; less is better"),
    Dots::new(Chart::Churn, "churn.svg", "Churn",
        "millions of timers created, polled and dropped a second, logarithmic; more is better"),
    Dots::new(Chart::RoundTrips, "round-trips.svg", "Round trips between two threads",
        "µs a round trip, logarithmic; less is better"),
    Dots::new(Chart::Echo, "echo.svg", "TCP echo with read timeouts",
        "thousands of round trips a second, logarithmic; more is better"),
    Dots::new(Chart::Served, "served.svg", "TCP echo server, its clients outside",
        "thousands of round trips a second, logarithmic; more is better"),
    Dots::new(Chart::Calls, "system-calls.svg", "System calls",
        "calls an operation, logarithmic; less is better; where there are none is no dot"),
    Dots::new(Chart::Queue, "delay-queue.svg", "Delay queue", "ns an entry, logarithmic; less is better"),
];

pub fn write(samples: &Samples, directory: &Path) -> Result<Vec<Drawn>> {
    let mut drawn = Vec::new();
    for dots in DOTS {
        let rows = measured(|row, peer| {
            let figure = samples.figure(row, peer).filter(|_| row.chart == dots.chart)?;
            Some(figure).filter(|figure| figure.least > 0.0)
        });
        if rows.is_empty() {
            continue;
        }
        let lines = Lines {
            title: dots.title,
            axis: dots.axis,
            rows: &rows,
            peers: &MAIN,
            labelled: true,
            with_one: false,
        };
        lines.draw(&directory.join(dots.file), |row, peer| samples.figure(row, peer))?;
        drawn.push(Drawn { file: dots.file, title: dots.title });
    }
    Ok(drawn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::ROWS;

    #[test]
    fn every_row_that_is_drawn_has_a_chart() {
        let apart = [Chart::Not, Chart::Population];
        let is_drawn = |chart| DOTS.iter().any(|dots| dots.chart == chart);
        assert!(ROWS.iter().all(|row| apart.contains(&row.chart) || is_drawn(row.chart)));
    }
}
