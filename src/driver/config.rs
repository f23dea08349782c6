//! What a program says of the reactor and its thread before they start.

use std::fmt;
#[cfg(not(feature = "tracing"))]
use std::io::Write;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use std::{io, thread};

use crate::clock;
use crate::reactor::Settings;
use crate::sync::{AtomicUsize, Ordering};

/// The most shards that can be asked for.
pub(crate) const MOST_SHARDS: usize = 1_024;

/// What a [`Builder`](crate::Builder) was told, which checks it. `None`: not said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Config {
    pub(crate) shards: Option<usize>,
    pub(crate) no_fallback: bool,
    pub(crate) thread_name: Option<String>,
    pub(crate) expiry_budget: Option<usize>,
    pub(crate) coalescing_bound: Option<Duration>,
    pub(crate) on_thread_start: Option<Hook>,
    pub(crate) on_thread_stop: Option<Hook>,
    #[cfg(feature = "tracing")]
    pub(crate) late_threshold: Option<Duration>,
}

/// Code of the program's that the fallback thread runs.
#[derive(Clone)]
pub(crate) struct Hook(pub(crate) Arc<dyn Fn() + Send + Sync>);

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}

/// What a builder said. Children of a fork keep it.
static BUILT: OnceLock<Config> = OnceLock::new();

/// Keeps what a builder said. The caller has made sure that nothing was kept before.
pub(super) fn keep(config: Config) {
    let _ = BUILT.set(config);
}

/// Returns `true` if a builder was there.
pub(super) fn is_kept() -> bool {
    BUILT.get().is_some()
}

/// Returns what holds for a reactor that starts: what a builder said, or else the environment.
pub(super) fn in_force() -> Config {
    if let Some(config) = BUILT.get() {
        return config.clone();
    }
    let mut config = Config::default();
    if let Err(error) = config.add_environment() {
        // Nobody takes an error here.
        report(&error);
    }
    config
}

/// Says once what was ignored.
fn report(error: &io::Error) {
    static REPORTED: AtomicUsize = AtomicUsize::new(0);
    // Ordering: Relaxed: the first to come reports, and nothing else is published by it.
    if REPORTED.swap(1, Ordering::Relaxed) != 0 {
        return;
    }
    #[cfg(feature = "tracing")]
    tracing::warn!(%error, "ignored");
    // Nobody to tell is no reason to fail.
    #[cfg(not(feature = "tracing"))]
    let _ = writeln!(io::stderr(), "async-wheel: ignored: {error}");
}

impl Config {
    /// Takes from the environment what is not said yet. An error names the first value that is no
    /// good; the others hold.
    pub(crate) fn add_environment(&mut self) -> io::Result<()> {
        let mut first_error = Ok(());
        if self.shards.is_none() && !self.no_fallback {
            match shards_from("ASYNC_WHEEL_SHARDS") {
                Ok(shards) => self.shards = shards,
                Err(error) => first_error = Err(error),
            }
        }
        if self.thread_name.is_none() && !self.no_fallback {
            match name_from("ASYNC_WHEEL_THREAD_NAME") {
                Ok(name) => self.thread_name = name,
                Err(error) => first_error = first_error.and(Err(error)),
            }
        }
        first_error
    }

    /// Returns what the reactor has to know.
    pub(super) fn settings(&self) -> Settings {
        let processors = || thread::available_parallelism().map_or(1, usize::from);
        let defaults = Settings::default();
        Settings {
            shards: self.shards.unwrap_or_else(processors),
            has_fallback: !self.no_fallback,
            expiry_budget: self.expiry_budget.unwrap_or(defaults.expiry_budget),
            coalescing_bound: self
                .coalescing_bound
                .map_or(defaults.coalescing_bound, clock::saturating_nanos),
            #[cfg(feature = "tracing")]
            late_threshold: self
                .late_threshold
                .map_or(defaults.late_threshold, clock::saturating_nanos),
        }
    }

    /// Returns the name of the fallback thread.
    pub(super) fn thread_name(&self) -> String {
        self.thread_name.as_deref().unwrap_or("async-wheel").to_owned()
    }
}

fn shards_from(variable: &str) -> io::Result<Option<usize>> {
    let Some(value) = std::env::var_os(variable) else { return Ok(None) };
    let shards = value.to_str().and_then(|value| value.parse().ok());
    match shards {
        Some(shards) => check_shards(variable, shards).map(|()| Some(shards)),
        None => Err(invalid(format!("{variable}={value:?}: not a number of shards"))),
    }
}

fn name_from(variable: &str) -> io::Result<Option<String>> {
    let Some(value) = std::env::var_os(variable) else { return Ok(None) };
    match value.into_string() {
        Ok(name) => check_name(variable, &name).map(|()| Some(name)),
        Err(value) => Err(invalid(format!("{variable}={value:?}: not UTF-8"))),
    }
}

/// Refuses a number of shards that nobody can mean.
pub(crate) fn check_shards(what: &str, shards: usize) -> io::Result<()> {
    if (1..=MOST_SHARDS).contains(&shards) {
        return Ok(());
    }
    Err(invalid(format!("{what}: {shards} shards: not from 1 to {MOST_SHARDS}")))
}

/// Refuses a name that no thread can have.
pub(crate) fn check_name(what: &str, name: &str) -> io::Result<()> {
    match name.find('\0') {
        _ if name.is_empty() => Err(invalid(format!("{what}: the name is empty"))),
        Some(at) => Err(invalid(format!("{what}: {name:?} has a NUL at byte {at}"))),
        None => Ok(()),
    }
}

pub(crate) fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}
