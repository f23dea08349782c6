//! What an operation of the timing wheel costs, beside the structures one would use instead.
//!
//! `cargo bench -p benches --bench wheel` prints one table an operation: a row for each
//! structure, a column for each population, nanoseconds an operation in the cells. With
//! `-- --quick` it only checks, in seconds, that everything runs; its figures mean nothing.
//! Anything else after `--` picks structures by a part of their name.
//!
//! All structures hold the same deadlines, spread evenly over the next 60 seconds, and take
//! turns, round by round, so that a disturbance of the machine meets all of them. A cell is
//! the median over all rounds. The exception is handing out what is due: there a round is a
//! whole minute of the wheel's time, in which every entry comes out once and is put back, and
//! its cell is the time of all the calls by the number of entries, so that each entry pays for
//! every move between levels that it caused. Putting back is not part of it.

mod peers;
mod workload;

use comfy_table::{CellAlignment, Table, presets};

use peers::{DelayQueuePeer, HashWheelPeer, HeapPeer, KestrelPeer, MapPeer, Peer, WheelPeer};
use workload::{Bench, OPERATIONS, Scale};

/// Makes a structure that is filled and ready.
type Build = fn(Scale) -> Box<dyn Bench>;

fn build<P: Peer + 'static>(scale: Scale) -> Box<dyn Bench> {
    Box::new(workload::Runner::<P>::new(scale))
}

const PEERS: &[(&str, Build)] = &[
    (WheelPeer::NAME, build::<WheelPeer>),
    (MapPeer::NAME, build::<MapPeer>),
    (HeapPeer::NAME, build::<HeapPeer>),
    (DelayQueuePeer::NAME, build::<DelayQueuePeer>),
    (HashWheelPeer::NAME, build::<HashWheelPeer>),
    (KestrelPeer::NAME, build::<KestrelPeer>),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let wanted: Vec<&String> = arguments.iter().filter(|a| !a.starts_with('-')).collect();
    // Cargo says what kind of run this is.
    let is_known = |argument: &String| match argument.as_str() {
        "--quick" | "--bench" => true,
        part => !part.starts_with('-') && PEERS.iter().any(|(name, _)| name.contains(part)),
    };
    if let Some(unknown) = arguments.iter().find(|argument| !is_known(argument)) {
        eprintln!("error: {unknown}: wanted are --quick and parts of the names of peers");
        std::process::exit(2);
    }
    let peers: Vec<(&str, Build)> = PEERS
        .iter()
        .copied()
        .filter(|(name, _)| wanted.is_empty() || wanted.iter().any(|part| name.contains(&**part)))
        .collect();
    let scales: Vec<Scale> = if quick {
        vec![Scale::quick(100), Scale::quick(2_000)]
    } else {
        let full = [100, 1_000, 10_000, 100_000, 1_000_000];
        let mut scales: Vec<Scale> = full.into_iter().map(Scale::full).collect();
        scales.push(Scale::without_expiry(10_000_000));
        scales
    };

    // figures[operation][peer][scale]
    let mut figures = vec![vec![vec![None; scales.len()]; peers.len()]; OPERATIONS.len()];
    for (column, &scale) in scales.iter().enumerate() {
        for (row, samples) in measure(scale, &peers).into_iter().enumerate() {
            for (operation, samples) in samples.into_iter().enumerate() {
                figures[operation][row][column] = median(samples);
            }
        }
    }

    println!("ns an operation; medians. Population:");
    for (operation, rows) in OPERATIONS.iter().zip(&figures) {
        let mut table = Table::new();
        table.load_preset(presets::ASCII_MARKDOWN);
        let populations = scales.iter().map(|scale| scale.population.to_string());
        table.set_header(std::iter::once((*operation).to_owned()).chain(populations));
        for ((name, _), cells) in peers.iter().zip(rows) {
            let cells = cells.iter().map(|figure| match figure {
                Some(figure) => format!("{figure:.1}"),
                None => "-".to_owned(),
            });
            table.add_row(std::iter::once((*name).to_owned()).chain(cells));
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        println!("\n{table}");
    }
}

/// Samples of each operation (inner) of each peer (outer) at one population.
fn measure(scale: Scale, peers: &[(&str, Build)]) -> Vec<Vec<Vec<f64>>> {
    let mut samples = vec![vec![Vec::new(); OPERATIONS.len()]; peers.len()];
    let mut benches: Vec<Box<dyn Bench>> = peers.iter().map(|(_, build)| build(scale)).collect();
    for round in 0..scale.rounds {
        eprint!("\rpopulation {}: round {}   ", scale.population, round + 1);
        for (bench, samples) in benches.iter_mut().zip(&mut samples) {
            bench.round(samples);
        }
    }
    eprintln!();
    samples
}

fn median(mut samples: Vec<f64>) -> Option<f64> {
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied()
}
