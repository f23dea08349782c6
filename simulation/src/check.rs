//! The properties, and what becomes of a run in which one does not hold.

use std::cell::Cell;
use std::sync::{OnceLock, mpsc};
use std::time::Duration;

use crate::plan::{Clock, Fault};
use crate::world;

macro_rules! properties {
    ($($name:ident $text:literal,)*) => {
        /// What must hold, by the names in the README.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Property { $($name,)* }

        impl Property {
            pub(crate) fn name(self) -> &'static str {
                match self { $(Property::$name => $text,)* }
            }
        }
    };
}

properties! {
    NothingIsEarly "nothing is early",
    NothingIsLost "nothing is lost",
    NothingIsLate "nothing is late",
    NoUserCodeUnderALock "no user code under a lock",
    NoUserCodeWhileDriving "no user code while driving",
    NobodySpins "nobody spins",
    NoTableGrows "no table grows without end",
    AWakeArrives "a wake reaches its task",
    AnEventIsItsOwn "an event reaches its own source only",
    ThePollerIsHeld "one thread at a time waits in a poller, and holds the seat",
    ASourceIsThere "the poller is asked about registered sources only",
    NoPanic "no panic but the user's",
}

/// The schedule that runs, for the report.
#[derive(Clone, Copy)]
pub(crate) struct Current {
    pub(crate) scheduler: &'static str,
    pub(crate) seed: u64,
    pub(crate) number: u64,
}

std::thread_local! {
    static CURRENT: Cell<Option<Current>> = const { Cell::new(None) };
}

pub(crate) fn set_current(current: Current) {
    CURRENT.set(Some(current));
}

/// Reports and ends the process: nothing that is unwound could add to it.
pub(crate) fn fail(property: Property, details: impl FnOnce() -> String) -> ! {
    let current = CURRENT.get();
    say!("FAILED   {}", property.name());
    say!("  {}", details());
    if let Some(Current { scheduler, seed, number }) = current {
        say!("  schedule {number} of {scheduler} from seed {seed}");
        world::with(|world| {
            say!(
                "  {} shards at most, {}{} threads, up to {} jobs each; the clock {:?}",
                world.plan.shards,
                if world.plan.self_driven { "no fallback, " } else { "" },
                world.plan.threads,
                world.plan.jobs,
                world.plan.clock
            );
            for fault in Fault::ALL {
                let count = world.injected[*fault as usize];
                if count > 0 {
                    say!("  injected: {} ({count})", fault.name());
                }
            }
        });
        say!("  {}", world::describe().trim_end());
        say!("  replay with: simulation/run.sh --replay {scheduler}:{seed}:{number}");
    }
    // From the thread that waits for this: this one's locals are not to be dropped.
    if let Some(end) = END.get() {
        let _ = end.send(());
    }
    loop {
        std::thread::park();
    }
}

/// Runs the simulation on a thread of its own. Whether no property failed.
pub(crate) fn guard(run: impl FnOnce() + Send + 'static) -> bool {
    let (end, ended) = mpsc::channel();
    let failed = end.clone();
    let _ = END.set(failed);
    let thread = std::thread::spawn(move || {
        run();
        drop(end);
    });
    loop {
        match ended.recv_timeout(Duration::from_millis(20)) {
            Ok(()) => return false,
            Err(_) if thread.is_finished() => return thread.join().is_ok(),
            Err(_) => {}
        }
    }
}

static END: OnceLock<mpsc::Sender<()>> = OnceLock::new();

/// To be called by each waker of a user's, and by what is dropped with it.
pub(crate) fn user_code(what: &str) {
    let (locks, seats) = world::local(|local| (local.locks, local.seats.len()));
    if locks > 0 {
        fail(Property::NoUserCodeUnderALock, || format!("{what} with {locks} locks held"));
    }
    if seats > 0 {
        fail(Property::NoUserCodeWhileDriving, || format!("{what} with {seats} seats held"));
    }
}

/// How late something may be that could happen at `since`, with the faults so far.
pub(crate) fn not_late(what: &str, since: u64) {
    let (late, allowed, stands) = world::with(|world| {
        let late = world.time().saturating_sub(since);
        (late, ALLOWED + world.delays, world.plan.clock == Clock::Still)
    });
    if stands && late > allowed {
        fail(Property::NothingIsLate, || format!("{what} by {late} ns; {allowed} are allowed"));
    }
}

/// Two of the fallback's backoffs, and what timers are coalesced by.
const ALLOWED: u64 = 8_000_000 + 500_000;

/// The sum of the numbers that follow a text: lengths of tables, in what `Debug` writes.
pub(crate) fn table(text: &str, before: &str) -> usize {
    text.split(before)
        .skip(1)
        .map(|rest| {
            let digits = rest.split(|character: char| !character.is_ascii_digit()).next();
            digits.and_then(|digits| digits.parse::<usize>().ok()).expect("a length follows")
        })
        .sum()
}
