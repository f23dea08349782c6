//! What a schedule is like: how many threads and shards, how the clock goes, which faults are
//! injected and how often. All of it comes from one number that shuttle draws for the schedule.

/// Numbers at random: xorshift*, as good as is needed here and the same everywhere.
#[derive(Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Rng {
        Rng(seed | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 16) % end
    }

    /// One time in `times`; never if that is zero.
    pub(crate) fn one_in(&mut self, times: u64) -> bool {
        times > 0 && self.below(times) == 0
    }
}

/// How the clock goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clock {
    /// It stands still while anybody runs, and moves to the next deadline when all sleep.
    Still,
    /// It goes on by a little with each look, too.
    Creeps,
    /// It creeps, and jumps by up to seconds now and then.
    Jumps,
}

macro_rules! faults {
    ($($name:ident $text:literal,)*) => {
        /// A kind of fault.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Fault { $($name,)* }

        impl Fault {
            pub(crate) const ALL: &'static [Fault] = &[$(Fault::$name,)*];

            pub(crate) fn name(self) -> &'static str {
                match self { $(Fault::$name => $text,)* }
            }
        }
    };
}

faults! {
    WaitFails "wait fails",
    WaitInterrupted "wait is interrupted",
    SpuriousEvent "spurious event",
    LateEvent "late event",
    GoneEvent "event for a key that is gone",
    SpuriousSignal "spurious signal",
    AddFails "registration fails",
    ModifyFails "change of interest fails",
    ArmFails "arming a poller fails",
    PollerFails "no poller to be had",
    SpawnFails "no fallback thread to be had",
    WakerPanics "waker panics",
    WakerDropPanics "waker panics when dropped",
    WakerBlocks "waker blocks",
    WakerNests "waker calls block_on",
    WakerDrops "waker drops timers and sources",
    StepPanics "fallback's step panics",
    Computes "thread computes without driving",
    ClosedBehind "descriptor closed behind the reactor's back",
    ClockJumps "clock jumps",
}

/// What one schedule is like.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) shards: usize,
    /// Whether there is no fallback thread.
    pub(crate) self_driven: bool,
    /// Threads of users.
    pub(crate) threads: usize,
    /// Jobs that each thread gets, at most.
    pub(crate) jobs: usize,
    pub(crate) clock: Clock,
    /// For each kind of fault, that it comes one time in so many; zero: never.
    faults: [u64; Fault::ALL.len()],
}

impl Plan {
    pub(crate) fn none() -> Plan {
        Plan {
            shards: 1,
            self_driven: false,
            threads: 0,
            jobs: 0,
            clock: Clock::Still,
            faults: [0; Fault::ALL.len()],
        }
    }

    pub(crate) fn new(rng: &mut Rng) -> Plan {
        let mut plan = Plan::none();
        plan.shards = 1 + rng.below(3) as usize;
        plan.self_driven = rng.one_in(4);
        plan.threads = 1 + rng.below(6) as usize;
        let large = rng.one_in(60);
        plan.jobs = if large { 600 } else { 1 + rng.below(8) as usize };
        plan.clock = match rng.below(4) {
            0 | 1 => Clock::Still,
            2 => Clock::Creeps,
            _ => Clock::Jumps,
        };
        // Each kind in one schedule in three; in one schedule in four no fault at all, since
        // each makes some bound wider.
        if !rng.one_in(4) {
            for fault in Fault::ALL {
                if rng.one_in(3) {
                    // Few threads park on a condition variable.
                    let rare = if *fault == Fault::SpuriousSignal { 2 } else { 16 };
                    plan.faults[*fault as usize] = 2 + rng.below(rare);
                }
            }
        }
        plan.faults[Fault::ClockJumps as usize] = if plan.clock == Clock::Jumps { 50 } else { 0 };
        plan
    }

    pub(crate) fn odds(&self, fault: Fault) -> u64 {
        self.faults[fault as usize]
    }
}
