//! The command line: how long to run, or which schedule to run again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::Parser;
use shuttle::rand::Rng;
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, FailurePersistence, MaxSteps, Runner};

use crate::check::{self, Current, Property};
use crate::plan::Fault;
use crate::{schedule, world};

/// Schedules that are run from one seed. To run one again is to run those before it, too.
const PART: u64 = 16;

/// Steps after which a schedule is taken to spin.
const STEPS: usize = 3_000_000;

/// Runs async-wheel on a modelled poller and clock, in random schedules with faults injected.
#[derive(Parser, Debug)]
#[command(name = "simulation", version, max_term_width = 100)]
struct Arguments {
    /// Run for so many seconds
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    seconds: u64,
    /// End after so many schedules of each scheduler, in whatever time
    #[arg(long, conflicts_with = "seconds", value_parser = clap::value_parser!(u64).range(1..))]
    schedules: Option<u64>,
    /// Begin with this seed instead of one from the clock
    #[arg(long)]
    seed: Option<u64>,
    /// Use one scheduler only
    #[arg(long, value_enum)]
    scheduler: Option<Kind>,
    /// Run the schedule again that a failure has named
    #[arg(long, value_name = "SCHEDULER:SEED:NUMBER", conflicts_with_all = ["seconds", "schedules", "seed", "scheduler"])]
    replay: Option<Replay>,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Random,
    Pct,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Random => "random",
            Kind::Pct => "pct",
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Replay {
    kind: Kind,
    seed: u64,
    number: u64,
}

impl std::str::FromStr for Replay {
    type Err = String;

    fn from_str(text: &str) -> Result<Replay, String> {
        let wrong =
            || "a scheduler, a seed and a number below 16, as a failure prints them".to_owned();
        let mut parts = text.split(':');
        let mut next = || parts.next().ok_or_else(wrong);
        let kind = match next()? {
            "random" => Kind::Random,
            "pct" => Kind::Pct,
            _ => return Err(wrong()),
        };
        let seed = next()?.parse().map_err(|_| wrong())?;
        let number = next()?.parse().map_err(|_| wrong())?;
        if number >= PART || parts.next().is_some() {
            return Err(wrong());
        }
        Ok(Replay { kind, seed, number })
    }
}

/// What was done so far with one scheduler.
#[derive(Default)]
struct Totals {
    schedules: u64,
    timer_events: u64,
    source_events: u64,
    injected: [u64; Fault::ALL.len()],
    time: Duration,
}

pub(crate) fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) if error.exit_code() == 0 => {
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            let text = error.to_string();
            eprintln!("{}", text.lines().next().unwrap_or_default());
            return ExitCode::from(2);
        }
    };
    // The hook of shuttle's is set by its first run; ours takes its place.
    shuttle::check_random(|| {}, 1);
    std::panic::set_hook(Box::new(|info| {
        let text = info.to_string();
        let property = if text.contains("max_steps") || text.contains("exceeded") {
            Property::NobodySpins
        } else if text.contains("deadlock") {
            Property::NothingIsLost
        } else {
            Property::NoPanic
        };
        check::fail(property, || text.replace('\n', " "));
    }));
    if check::guard(move || run(&arguments)) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run(arguments: &Arguments) {
    if let Some(Replay { kind, seed, number }) = arguments.replay {
        run_part(kind, seed, number + 1, &mut Totals::default());
        say!("schedule {number} of {} from seed {seed} does not fail", kind.name());
    } else {
        run_for(arguments);
    }
}

fn run_for(arguments: &Arguments) {
    let start = Instant::now();
    let clock = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| time.as_millis());
    let first = arguments.seed.unwrap_or_else(|| clock() as u64);
    say!("from seed {first} on");
    let kinds = match arguments.scheduler {
        Some(kind) => vec![kind],
        None => vec![Kind::Random, Kind::Pct],
    };
    let mut totals: Vec<_> = kinds.iter().map(|kind| (*kind, Totals::default())).collect();
    let mut seed = first;
    let goes_on = |totals: &[(Kind, Totals)]| match arguments.schedules {
        Some(schedules) => totals[0].1.schedules < schedules,
        None => start.elapsed() < Duration::from_secs(arguments.seconds),
    };
    while goes_on(&totals) {
        for (kind, totals) in &mut totals {
            run_part(*kind, seed, PART, totals);
        }
        seed = seed.wrapping_add(1);
    }
    report(&totals);
}

/// Runs the first schedules from a seed.
fn run_part(kind: Kind, seed: u64, count: u64, totals: &mut Totals) {
    let start = Instant::now();
    let mut config = Config::new();
    config.stack_size = 0x40000;
    config.failure_persistence = FailurePersistence::None;
    config.max_steps = MaxSteps::FailAfter(STEPS);
    config.silence_warnings = true;
    let number = std::sync::atomic::AtomicU64::new(0);
    let sums = std::sync::Arc::new(std::sync::Mutex::new(Totals::default()));
    let run = {
        let sums = sums.clone();
        move || {
            let number = number.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            check::set_current(Current { scheduler: kind.name(), seed, number });
            schedule::run(shuttle::rand::thread_rng().r#gen());
            let mut sums = sums.lock().unwrap();
            world::with(|world| {
                sums.schedules += 1;
                sums.timer_events += world.timer_events;
                sums.source_events += world.source_events;
                for (sum, count) in sums.injected.iter_mut().zip(world.injected) {
                    *sum += count;
                }
            });
        }
    };
    let count = count as usize;
    match kind {
        Kind::Random => Runner::new(RandomScheduler::new_from_seed(seed, count), config).run(run),
        Kind::Pct => Runner::new(PctScheduler::new_from_seed(seed, 3, count), config).run(run),
    };
    let sums = sums.lock().unwrap();
    totals.schedules += sums.schedules;
    totals.timer_events += sums.timer_events;
    totals.source_events += sums.source_events;
    for (sum, count) in totals.injected.iter_mut().zip(sums.injected) {
        *sum += count;
    }
    totals.time += start.elapsed();
}

fn report(totals: &[(Kind, Totals)]) {
    say!(
        "{:<12}{:>12}{:>16}{:>16}{:>12}{:>10}",
        "scheduler",
        "schedules",
        "timer events",
        "source events",
        "faults",
        "time"
    );
    for (kind, totals) in totals {
        say!(
            "{:<12}{:>12}{:>16}{:>16}{:>12}{:>8.1} s",
            kind.name(),
            totals.schedules,
            totals.timer_events,
            totals.source_events,
            totals.injected.iter().sum::<u64>(),
            totals.time.as_secs_f64(),
        );
    }
    for fault in Fault::ALL {
        let count: u64 = totals.iter().map(|(_, totals)| totals.injected[*fault as usize]).sum();
        say!("injected: {:<42}{count:>10}", fault.name());
    }
}
