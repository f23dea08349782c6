//! The ratios of async-wheel's figures to the peers'.

use std::path::Path;

use anyhow::Result;

use super::lines::Lines;
use super::{Drawn, MAIN, measured};
use crate::table::{Chart, Row, Samples};
use crate::workloads::Peer;

pub struct Ratios {
    drawn: Drawn,
    shows: fn(&Row, Peer) -> bool,
}

pub const TO_MAIN: Ratios = Ratios {
    drawn: Drawn { file: "ratios.svg", title: "async-wheel to async-io and to tokio" },
    // Those that have charts of their own are many.
    shows: |row, peer| {
        let apart = [Chart::Not, Chart::Queue, Chart::Population];
        MAIN.contains(&peer) && !apart.contains(&row.chart)
    },
};

pub const TO_FURTHER: Ratios = Ratios {
    drawn: Drawn { file: "peers.svg", title: "async-wheel to more peers" },
    shows: |row, peer| peer.is_further() && row.chart != Chart::Not,
};

const AXIS: &str =
    "ratio to the peer (rates: the peer's to ours), logarithmic; left of 1 is better";

/// Draws the ratios, if there are any.
pub fn write(ratios: Ratios, samples: &Samples, directory: &Path) -> Result<Option<Drawn>> {
    let figure = |row: &Row, peer| {
        let shows = peer != Peer::AsyncWheel && (ratios.shows)(row, peer);
        let ratio = samples.ratio(row, peer).filter(|_| shows)?;
        let ratio = if row.more_is_better() { ratio.inverse() } else { ratio };
        Some(ratio).filter(|ratio| ratio.least > 0.0 && ratio.most.is_finite())
    };
    let rows = measured(figure);
    let takes_part = |peer: &Peer| rows.iter().any(|row| figure(row, *peer).is_some());
    let peers: Vec<Peer> = Peer::ALL.into_iter().filter(takes_part).collect();
    if rows.is_empty() {
        return Ok(None);
    }
    let lines = Lines {
        title: ratios.drawn.title,
        axis: AXIS,
        rows: &rows,
        peers: &peers,
        labelled: false,
        with_one: true,
    };
    lines.draw(&directory.join(ratios.drawn.file), figure)?;
    Ok(Some(ratios.drawn))
}
