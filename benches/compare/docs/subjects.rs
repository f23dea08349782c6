//! What the summary has a sentence of, and its reasons.

use crate::table::{ROWS, Row};
use crate::workloads::Workload;

/// What is said of a workload, by one of its rows.
pub struct Subject {
    pub name: &'static str,
    pub workload: Workload,
    pub figure: &'static str,
    /// Why it is ahead, if it is.
    pub ahead: &'static str,
    /// What it takes, if it is behind.
    pub behind: &'static str,
}

impl Subject {
    const fn new(workload: Workload, figure: &'static str, name: &'static str) -> Subject {
        Subject { name, workload, figure, ahead: "", behind: "" }
    }

    const fn because(self, ahead: &'static str, behind: &'static str) -> Subject {
        Subject { ahead, behind, ..self }
    }

    pub fn row(&self) -> Option<&'static Row> {
        ROWS.iter().find(|row| row.workload == self.workload && row.figure == self.figure)
    }
}

/// Subjects with a heading.
pub struct Group {
    pub heading: &'static str,
    pub subjects: &'static [Subject],
}

pub const GROUPS: &[Group] = &[
    Group { heading: "Timers", subjects: TIMERS },
    Group { heading: "Many timers that fire", subjects: FIRING },
    Group { heading: "Sockets and threads", subjects: SOCKETS },
    Group { heading: "Delay queues, and timers in a tokio program", subjects: ELSEWHERE },
];

const TIMERS: &[Subject] = &[
    Subject::new(Workload::CreateNone, "ns", "Create, poll and drop a timer, none pending")
        .because(
            "an entry is put into a slot, and no thread is woken",
            "the clock, two locks and the count of the waker remain",
        ),
    Subject::new(Workload::CreatePending, "ns", "Create, poll and drop one among 10⁶ pending")
        .because(
            "an insert appends to the list of a slot, however many are pending",
            "the clock, two locks and the count of the waker remain",
        ),
    Subject::new(Workload::PushRandom, "ns", "Postpone one of 10⁶, at random").because(
        "the deadline is stored in the entry, which moves when its old deadline comes",
        "the handle and the entry are lines of memory that come one after the other",
    ),
    Subject::new(Workload::PushInTurn, "ns", "Postpone one of 10⁶ after the other").because(
        "the deadline is stored in the entry, which moves when its old deadline comes",
        "postponements are done together, which only those at random gain from",
    ),
    Subject::new(Workload::PushIdle, "random_ns", "Touch one of 10⁶ idle timeouts, at random")
        .because("a touch is a store into the handle", "each timeout is woken once in a limit"),
    Subject::new(Workload::Memory, "bytes", "Memory of a pending timer").because(
        "handle and entry are small, and no timer has an allocation of its own",
        "blocks and lists of the wheel are not full",
    ),
    Subject::new(Workload::Churn, "two_per_s", "Two threads that create, poll and drop").because(
        "each thread has a shard of its own",
        "the clock, two locks and the count of the waker remain",
    ),
    Subject::new(Workload::Lateness, "p50_us", "Lateness of a single sleep, p50").because(
        "deadlines are exact, not rounded to milliseconds",
        "waking a thread is nearly all of it",
    ),
    Subject::new(Workload::Uniform, "arm_p9999_us", "Arm one of 10⁶ timeouts of 5 s, p99.99")
        .because(
            "expiry lets go of the lock after a limited number of moves",
            "an insert waits while another thread expires",
        ),
    Subject::new(
        Workload::WheelSteps,
        "insert_max_us",
        "The longest insert into a wheel of 10⁶ timeouts",
    )
    .because(
        "an insert appends to a list, and memory grows by small blocks",
        "a page or a block of memory comes with it",
    ),
    Subject::new(Workload::WheelSteps, "expire_max_us", "The longest step of its expiry")
        .because("moves between levels are spread over the steps", "a step moves too much"),
];

const FIRING: &[Subject] = &[
    Subject::new(Workload::FireSteady, "ns", "10⁶ tasks' timers within 2 s, processor time")
        .because(
            "timers expire in batches, and what they wake is fetched ahead",
            "the tasks' memory and the executor are most of it",
        ),
    Subject::new(Workload::FireSteady, "late_p99_us", "Lateness of the same, p99").because(
        "the threads wake tasks while timers expire",
        "dense timers wait for each other, on a grid of at most half a millisecond",
    ),
    Subject::new(
        Workload::FireBareSteady,
        "ns",
        "10⁶ timers within 2 s without tasks, processor time",
    )
    .because(
        "timers expire in batches, and what they wake is fetched ahead",
        "each waker is a line from memory",
    ),
    Subject::new(Workload::Fire, "per_s", "10⁶ tasks' timers within 1 s, how fast they fire")
        .because(
            "timers expire in batches, and what they wake is fetched ahead",
            "the tasks' memory and the executor are most of it",
        ),
    Subject::new(Workload::Intervals20000, "us", "20,000 heartbeats a second, processor time")
        .because(
            "dense timers share a wake-up",
            "waking the executor's other thread is most of a beat",
        ),
    Subject::new(Workload::Intervals, "us", "10⁵ heartbeats a second, processor time").because(
        "dense timers share a wake-up",
        "waking the executor's other thread is most of a beat",
    ),
    Subject::new(Workload::Intervals, "late_mean_us", "Lateness of the same, mean").because(
        "dense timers wait for each other for less than a millisecond",
        "dense timers wait for each other, on a grid of at most half a millisecond",
    ),
    Subject::new(
        Workload::IntervalsSlack1ms,
        "us",
        "10⁵ heartbeats a second, slack of 1 ms, processor time",
    )
    .because(
        "with a slack, more beats share a wake-up",
        "waking the executor's other thread is most of a beat",
    ),
    Subject::new(
        Workload::IntervalsExact,
        "late_mean_us",
        "10⁵ heartbeats a second, exact, lateness, mean",
    )
    .because(
        "no timer waits for another, and a wake-up costs one system call",
        "waking the executor's other thread is most of it",
    ),
];

const SOCKETS: &[Subject] = &[
    Subject::new(Workload::RoundTripTimeout, "us", "A TCP round trip, each read with a timeout")
        .because(
            "a wait is one system call, and a timer costs none",
            "waking a thread is nearly all of it",
        ),
    Subject::new(Workload::Echo100On1, "per_s", "Echo of 100 connections on one thread").because(
        "interest stays registered, and a wait is one system call",
        "reads and writes in the kernel are most of it",
    ),
    Subject::new(Workload::Echo100On2, "per_s", "Echo of 100 connections on two threads").because(
        "interest stays registered, and a wait is one system call",
        "the executor's threads sleep where those of the peer search for work",
    ),
    Subject::new(
        Workload::AcceptEcho1000,
        "per_s",
        "Echo of 1,000 connections that one task accepts",
    )
    .because(
        "a connection goes to the shard of the thread that waits for it",
        "reads and writes in the kernel are most of it",
    ),
    Subject::new(
        Workload::CoreEcho,
        "per_s",
        "Echo of 1,000 connections by a listener for each thread",
    )
    .because(
        "each thread has a shard, and interest stays registered",
        "reads and writes in the kernel are most of it",
    ),
    Subject::new(Workload::Connection, "us", "A connection: accept, echo once, close").because(
        "what is never waited for is never registered",
        "the kernel's part of a connection is nearly all of it",
    ),
    Subject::new(Workload::Wake, "us", "A wake between two threads and back").because(
        "one system call notifies, and none is made where the thread is awake",
        "waking a thread is nearly all of it",
    ),
    Subject::new(Workload::Fallback, "us", "A round trip of threads outside the runtime").because(
        "the fallback thread waits for all shards at once",
        "each event passes through a third thread",
    ),
];

const ELSEWHERE: &[Subject] = &[
    Subject::new(
        Workload::DelayQueue,
        "reset_random_1000000",
        "Reset one of 10⁶ entries of a delay queue",
    )
    .because(
        "entries are small, so that fewer lines come from memory",
        "each entry is a line from memory",
    ),
    Subject::new(
        Workload::DelayQueue,
        "live_1000000",
        "10⁶ entries of a delay queue that expire within a second",
    )
    .because("what is due leaves the wheel in batches", "each entry is a line from memory"),
    Subject::new(
        Workload::InTokioFire2,
        "ns",
        "10⁶ tasks' timers within 1 s in a tokio program of two workers",
    )
    .because("timers expire in batches", "one worker drives, and wakes the tasks of both"),
];
