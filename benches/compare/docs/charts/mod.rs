//! The charts: costs over the number of timers, ratios, and dots for each figure beside its peers'.

mod axis;
mod dots;
mod lines;
mod population;
mod ratios;

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;

use crate::table::{ROWS, Row, Samples, Summary};
use crate::workloads::Peer;

/// A chart that was drawn.
pub struct Drawn {
    pub file: &'static str,
    pub title: &'static str,
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// All charts are as wide as a page shows them.
const WIDTH: u32 = 800;
/// The peers that all charts show, where they have a figure.
const MAIN: [Peer; 3] = [Peer::AsyncWheel, Peer::AsyncIo, Peer::Tokio];
const FONT: &str = "sans-serif";

/// What was drawn, by its place on the page.
#[derive(Default)]
pub struct Charts {
    pub population: Option<Drawn>,
    pub ratios: Option<Drawn>,
    /// The same to the [further](Peer::is_further) peers.
    pub further: Option<Drawn>,
    /// One for each unit.
    pub dots: Vec<Drawn>,
}

/// Draws all charts of which there are figures into a directory.
pub fn write(samples: &Samples, directory: &Path) -> Result<Charts> {
    Ok(Charts {
        population: population::write(samples, directory)?,
        ratios: ratios::write(ratios::TO_MAIN, samples, directory)?,
        further: ratios::write(ratios::TO_FURTHER, samples, directory)?,
        dots: dots::write(samples, directory)?,
    })
}

fn color(peer: Peer) -> RGBColor {
    match peer {
        Peer::AsyncWheel => RGBColor(0, 114, 178),
        Peer::AsyncIo => RGBColor(230, 159, 0),
        Peer::Tokio => RGBColor(110, 110, 110),
        Peer::TokioAlternative => RGBColor(170, 170, 170),
        Peer::Monoio => RGBColor(0, 158, 115),
        Peer::MonoioUring => RGBColor(120, 200, 170),
        Peer::Compio => RGBColor(204, 121, 167),
        Peer::Glommio => RGBColor(213, 94, 0),
        Peer::PingoraTimeout => RGBColor(86, 180, 233),
        Peer::FuturesTimer => RGBColor(190, 170, 40),
    }
}

fn error(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("cannot draw: {error}")
}

fn text(size: u32) -> TextStyle<'static> {
    (FONT, size).into_font().color(&BLACK)
}

/// An area on white, so that it can be read on a page of any color.
fn area(path: &Path, height: u32) -> Result<Area<'_>> {
    let area = SVGBackend::new(path, (WIDTH, height)).into_drawing_area();
    area.fill(&WHITE).map_err(error)?;
    Ok(area)
}

/// The title at the left, and below it which color is whose.
fn head(area: &Area<'_>, title: &str, peers: &[Peer]) -> Result<()> {
    area.draw(&Text::new(title.to_owned(), (14, 10), text(18))).map_err(error)?;
    let mut x = 14;
    for &peer in peers {
        area.draw(&Circle::new((x + 5, 43), 5, color(peer).filled())).map_err(error)?;
        let name = crate::name(&peer);
        area.draw(&Text::new(name.clone(), (x + 15, 36), text(13))).map_err(error)?;
        x += 32 + 7 * name.len() as i32;
    }
    Ok(())
}

/// What [`head`] takes.
const HEAD: u32 = 60;

/// The rows in which one of the peers has such a figure.
fn measured(figure: impl Fn(&Row, Peer) -> Option<Summary>) -> Vec<&'static Row> {
    let is_measured = |row: &&Row| Peer::ALL.iter().any(|&peer| figure(row, peer).is_some());
    ROWS.iter().filter(is_measured).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_a_legend_fit_beside_each_other() {
        let further = Peer::ALL.into_iter().filter(|peer| peer.is_further());
        let width: usize = further.map(|peer| 32 + 7 * crate::name(&peer).len()).sum();
        assert!(width < WIDTH as usize - 14, "{width}");
    }
}
