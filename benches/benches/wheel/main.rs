//! What an operation of the timing wheel costs, beside the structures one would use instead.
//!
//! `cargo bench -p benches --bench wheel` measures with divan: an operation, a structure, a
//! population, and the time that one operation takes. Parts of names after `--` choose, so that
//! `-- wheel::insert` does two of the operations and `-- WheelPeer` one structure. With `-- --test`
//! it only checks, in seconds, that everything runs.
//!
//! All structures hold the same deadlines, spread evenly over the next 60 seconds. Operations are
//! timed 256 at a time: their entries fit into the nearest cache, as those of the connections that a
//! server is busy with do. To undo what was done is not part of it.
//!
//! To expire is different: an iteration takes a thousandth of a minute of the structure's time, in
//! which a thousandth of the entries come out, and the samples make up the minute. So the *mean* has
//! each move between levels in it; by the number of entries, it is what one of them pays.

mod peers;
mod workload;

use divan::Bencher;
use divan::counter::ItemsCount;

use peers::{DelayQueuePeer, HashWheelPeer, HeapPeer, KestrelPeer, MapPeer, Peer, WheelPeer};
use workload::{Minute, STEPS, Stand};

/// Operations that are timed together.
const BATCH: u32 = 256;

/// What names are parts of, beside the populations.
const NAMES: &[&str] = &[
    "wheel::insert",
    "wheel::insert_after_random_removals",
    "wheel::remove_recent",
    "wheel::remove_random",
    "wheel::reschedule_later",
    "wheel::reschedule_earlier",
    "wheel::next_deadline",
    "wheel::expire_nothing",
    "wheel::expire",
    "DelayQueuePeer",
    "HashWheelPeer",
    "HeapPeer",
    "KestrelPeer",
    "MapPeer",
    "WheelPeer",
];

fn main() {
    let is_known = |argument: &String| match argument.as_str() {
        // Cargo says what kind of run this is.
        "--bench" | "--test" | "--list" => true,
        part => !part.starts_with('-') && NAMES.iter().any(|name| name.contains(part)),
    };
    if let Some(unknown) = std::env::args().skip(1).find(|argument| !is_known(argument)) {
        eprintln!("error: {unknown}: wanted are --test, --list and parts of names");
        std::process::exit(2);
    }
    divan::main();
}

/// Small ones, if nothing is to be measured.
fn populations() -> Vec<usize> {
    match is_test() {
        true => vec![100, 2_000],
        false => vec![100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000],
    }
}

/// A thousandth must be one at least.
fn populations_to_expire() -> Vec<usize> {
    match is_test() {
        true => vec![STEPS, 2 * STEPS],
        false => vec![1_000, 10_000, 100_000, 1_000_000],
    }
}

fn is_test() -> bool {
    std::env::args().any(|argument| argument == "--test")
}

#[divan::bench(
    types = [WheelPeer, MapPeer, HeapPeer, DelayQueuePeer, HashWheelPeer, KestrelPeer],
    args = populations(),
    sample_size = BATCH,
)]
fn insert<P: Peer>(bencher: Bencher, population: usize) {
    let stand = Stand::<P>::shared(population);
    bencher
        .with_inputs(|| stand.borrow_mut().remove_recent_for_deadline())
        .bench_local_values(|deadline| stand.borrow_mut().insert_recent(deadline));
}

#[divan::bench(
    types = [WheelPeer, MapPeer, HeapPeer, DelayQueuePeer, HashWheelPeer, KestrelPeer],
    args = populations(),
    sample_size = BATCH,
)]
fn insert_after_random_removals<P: Peer>(bencher: Bencher, population: usize) {
    let stand = Stand::<P>::shared(population);
    bencher
        .with_inputs(|| stand.borrow_mut().remove_random_for_deadline())
        .bench_local_values(|deadline| stand.borrow_mut().insert(deadline));
}

#[divan::bench(
    types = [WheelPeer, MapPeer, HeapPeer, DelayQueuePeer, HashWheelPeer, KestrelPeer],
    args = populations(),
    sample_size = BATCH,
)]
fn remove_recent<P: Peer>(bencher: Bencher, population: usize) {
    let stand = Stand::<P>::shared(population);
    bencher
        .with_inputs(|| stand.borrow_mut().insert_for_handle())
        .bench_local_values(|handle| stand.borrow_mut().remove(handle));
}

#[divan::bench(
    types = [WheelPeer, MapPeer, HeapPeer, DelayQueuePeer, HashWheelPeer, KestrelPeer],
    args = populations(),
    sample_size = BATCH,
)]
fn remove_random<P: Peer>(bencher: Bencher, population: usize) {
    let stand = Stand::<P>::shared(population);
    bencher
        .with_inputs(|| stand.borrow_mut().refill_for_random_handle())
        .bench_local_values(|handle| stand.borrow_mut().remove(handle));
}

#[divan::bench(
    types = [WheelPeer, MapPeer, HeapPeer, DelayQueuePeer, HashWheelPeer, KestrelPeer],
    args = populations(),
    sample_size = BATCH,
)]
fn reschedule_later<P: Peer>(bencher: Bencher, population: usize) {
    let stand = Stand::<P>::shared(population);
    bencher
        .with_inputs(|| stand.borrow_mut().renew_recent_for_later())
        .bench_local_values(|(index, deadline)| stand.borrow_mut().reschedule(index, deadline));
}

#[divan::bench(
    types = [WheelPeer, MapPeer, HeapPeer, DelayQueuePeer, HashWheelPeer, KestrelPeer],
    args = populations(),
    sample_size = BATCH,
)]
fn reschedule_earlier<P: Peer>(bencher: Bencher, population: usize) {
    let stand = Stand::<P>::shared(population);
    bencher
        .with_inputs(|| stand.borrow_mut().renew_recent_for_earlier())
        .bench_local_values(|(index, deadline)| stand.borrow_mut().reschedule(index, deadline));
}

/// The others cannot tell.
#[divan::bench(
    types = [WheelPeer, MapPeer, HeapPeer, DelayQueuePeer],
    args = populations(),
    sample_size = BATCH,
)]
fn next_deadline<P: Peer>(bencher: Bencher, population: usize) {
    let mut stand = Stand::<P>::new(population);
    bencher.bench_local(|| divan::black_box(&mut stand).next_deadline());
}

/// The others cannot be asked without a step of their clock.
#[divan::bench(
    types = [WheelPeer, MapPeer, HeapPeer, DelayQueuePeer],
    args = populations(),
    sample_size = BATCH,
)]
fn expire_nothing<P: Peer>(bencher: Bencher, population: usize) {
    let mut stand = Stand::<P>::new(population);
    bencher.bench_local(|| divan::black_box(&mut stand).expire_nothing());
}

/// kestrel-timer hands nothing out.
#[divan::bench(
    types = [WheelPeer, MapPeer, HeapPeer, DelayQueuePeer, HashWheelPeer],
    args = populations_to_expire(),
    sample_size = 1,
    sample_count = STEPS as u32,
)]
fn expire<P: Peer>(bencher: Bencher, population: usize) {
    let minute = Minute::<P>::shared(population);
    bencher
        .counter(ItemsCount::new(population / STEPS))
        .with_inputs(|| minute.borrow_mut().put_back())
        .bench_local_values(|now| minute.borrow_mut().step(now));
}
