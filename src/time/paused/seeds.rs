//! The same test in several orders, each decided by a seed.

use super::{Paused, pause};

/// The name of the variable that replays one seed.
pub(super) const SEED: &str = "ASYNC_WHEEL_SEED";

/// Runs a test once for each seed, with time paused: the seed decides in which order those are
/// woken who could be woken at the same time.
///
/// Each run has a guard of its own, with [`Paused::set_seed`] called. If a run panics, the guard
/// prints the seed to the standard error output. With `ASYNC_WHEEL_SEED` set to it in the
/// environment, that run alone is made.
///
/// # Panics
///
/// If the test does, after the seed was printed; if the variable is set to no number; and as
/// [`pause()`].
///
/// # Examples
///
/// Two tasks that are due at the same time run in either order:
///
/// ```
/// use async_wheel::{Timer, block_on, time};
/// use std::cell::RefCell;
/// use std::collections::HashSet;
/// use std::time::Duration;
///
/// let mut traces = HashSet::new();
/// time::for_each_seed(0..20, |paused| {
///     paused.auto_advance(time::PendingIo::Jump);
///     let trace = RefCell::new(Vec::new());
///     let tasks = async_executor::LocalExecutor::new();
///     for name in ["one", "two"] {
///         let trace = &trace;
///         tasks.spawn(async move {
///             Timer::after(Duration::from_secs(60)).await;
///             trace.borrow_mut().push(name);
///         }).detach();
///     }
///     block_on(tasks.run(Timer::after(Duration::from_secs(61))));
///     drop(tasks);
///     traces.insert(trace.into_inner());
/// });
/// assert_eq!(traces.len(), 2);
/// ```
#[track_caller]
pub fn for_each_seed(seeds: impl IntoIterator<Item = u64>, mut test: impl FnMut(&Paused)) {
    let replayed = std::env::var_os(SEED).map(|value| {
        let value = value.to_string_lossy();
        value.parse().unwrap_or_else(|_| panic!("{SEED}: {value}: not a seed"))
    });
    let mut run = |seed| {
        let mut paused = pause();
        paused.set_seed(seed);
        test(&paused);
    };
    match replayed {
        Some(seed) => run(seed),
        None => seeds.into_iter().for_each(run),
    }
}
