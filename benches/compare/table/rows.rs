//! The rows of the table.

use super::goal::Goal::{self, AtLeast, AtMost, Below, NotAbove};
use super::row::{Chart, Row, Saturation};
use crate::workloads::Workload;

/// The timers are due within a second, or two: how long, in ms, it may take until all have fired.
const IN_ONE: Saturation = Saturation::Above("span_ms", 1_100.0);
const IN_TWO: Saturation = Saturation::Above("span_ms", 2_100.0);

/// A rate that is level with the peer's, as the summary has it, or above.
const NOT_BEHIND: Goal = AtLeast(0.95);

pub const ROWS: &[Row] = &[
    Row::new(Workload::CreatePending, "ns", "create, poll, drop; 10⁶ pending")
        .unit("ns", Chart::Operations)
        .goal_against_tokio(AtMost(0.9))
        .goal_against_monoio(AtMost(1.1)),
    Row::new(Workload::CreateRandom, "ns", "create, poll, drop, due at random; 10⁶ pending")
        .unit("ns", Chart::Operations)
        .goals(AtMost(0.08), AtMost(0.9)),
    Row::new(Workload::CreateNone, "ns", "create, poll, drop; none pending")
        .unit("ns", Chart::Operations)
        .goals(AtMost(0.8), AtMost(0.25))
        .goal_against_monoio(AtMost(1.3)),
    Row::new(Workload::PushRandom, "ns", "postpone one of 10⁶ pending, at random")
        .unit("ns", Chart::Operations)
        .goals(AtMost(0.25), AtMost(1.1)),
    Row::new(Workload::PushInTurn, "ns", "postpone one after the other of 10⁶ pending")
        .unit("ns", Chart::Operations)
        .goal_against_tokio(AtMost(0.9)),
    Row::new(Workload::PushOne, "ns", "postpone the same one, 10⁶ pending")
        .unit("ns", Chart::Operations)
        .goals(AtMost(0.04), AtMost(0.9)),
    Row::new(Workload::PushIdle, "random_ns", "touch one of 10⁶ idle timeouts, at random")
        .unit("ns", Chart::Operations)
        .goal_against_tokio(AtMost(0.5)),
    Row::new(Workload::PushIdle, "in_turn_ns", "touch one after the other of 10⁶ idle timeouts")
        .unit("ns", Chart::Operations)
        .goal_against_tokio(AtMost(0.2)),
    Row::new(Workload::FireSteady, "ns", "10⁶ tasks' timers due within 2 s: processor time each")
        .unit("ns", Chart::Expiry)
        .saturated(IN_TWO)
        .goals(AtMost(0.8), AtMost(0.5)),
    Row::new(
        Workload::FireSteady,
        "late_p99_us",
        "10⁶ tasks' timers due within 2 s: lateness, p99",
    )
    .unit("µs", Chart::Lateness)
    .saturated(IN_TWO)
    .goals(AtMost(1.0), Below),
    Row::new(
        Workload::FireBareSteady,
        "ns",
        "10⁶ due within 2 s without tasks: processor time each",
    )
    .unit("ns", Chart::Expiry)
    .saturated(IN_TWO)
    .goals(AtMost(0.75), AtMost(0.5)),
    Row::new(
        Workload::FireBareSteady,
        "late_p99_us",
        "10⁶ due within 2 s without tasks: lateness, p99",
    )
    .unit("µs", Chart::Lateness)
    .saturated(IN_TWO)
    .goals(Below, Below),
    Row::new(Workload::Fire, "per_s", "10⁶ tasks' timers due within 1 s: fired in a second")
        .unit("10³/s", Chart::Fired)
        .divided_by(1e3)
        .saturated(IN_ONE)
        .goal_against_async_io(NOT_BEHIND),
    Row::new(Workload::Fire, "ns", "10⁶ tasks' timers due within 1 s: processor time each")
        .unit("ns", Chart::Expiry)
        .saturated(IN_ONE),
    Row::new(Workload::Fire, "late_p99_us", "10⁶ tasks' timers due within 1 s: lateness, p99")
        .unit("µs", Chart::Lateness)
        .saturated(IN_ONE)
        .goal_against_tokio(Below),
    Row::new(Workload::FireBare, "per_s", "10⁶ due within 1 s without tasks: fired in a second")
        .unit("10³/s", Chart::Fired)
        .divided_by(1e3)
        .saturated(IN_ONE)
        .goal_against_async_io(NOT_BEHIND),
    Row::new(Workload::FireBare, "ns", "10⁶ due within 1 s without tasks: processor time each")
        .unit("ns", Chart::Expiry)
        .saturated(IN_ONE),
    Row::new(Workload::FireBare, "late_p99_us", "10⁶ due within 1 s without tasks: lateness, p99")
        .unit("µs", Chart::Lateness)
        .saturated(IN_ONE)
        .goal_against_tokio(Below),
    Row::new(Workload::Uniform, "arm_p50_us", "10⁶ armed evenly for 5 s: to arm one, p50")
        .unit("µs", Chart::Not),
    Row::new(Workload::Uniform, "arm_p99_us", "10⁶ armed evenly for 5 s: to arm one, p99")
        .unit("µs", Chart::Not),
    Row::new(Workload::Uniform, "arm_p9999_us", "10⁶ armed evenly for 5 s: to arm one, p99.99")
        .unit("µs", Chart::Not),
    Row::new(Workload::Uniform, "late_p50_us", "10⁶ armed evenly for 5 s: lateness, p50")
        .unit("µs", Chart::Not),
    Row::new(Workload::Uniform, "late_p99_us", "10⁶ armed evenly for 5 s: lateness, p99")
        .unit("µs", Chart::Not),
    Row::new(Workload::Uniform, "late_p9999_us", "10⁶ armed evenly for 5 s: lateness, p99.99")
        .unit("µs", Chart::Not),
    Row::heap("arm_p50_us", "a binary heap instead: to arm one, p50"),
    Row::heap("arm_p99_us", "a binary heap instead: to arm one, p99"),
    Row::heap("arm_p9999_us", "a binary heap instead: to arm one, p99.99"),
    Row::heap("late_p50_us", "a binary heap instead: lateness, p50"),
    Row::heap("late_p99_us", "a binary heap instead: lateness, p99"),
    Row::heap("late_p9999_us", "a binary heap instead: lateness, p99.99"),
    Row::new(Workload::WheelSteps, "insert_max_us", "the wheel by itself: longest insert")
        .unit("µs", Chart::Not)
        .own_goal(AtMost(100.0)),
    Row::new(Workload::WheelSteps, "expire_max_us", "the wheel by itself: longest step of expiry")
        .unit("µs", Chart::Not)
        .own_goal(AtMost(100.0)),
    Row::new(Workload::Memory, "bytes", "memory of a pending timer")
        .unit("B", Chart::Memory)
        .goals(AtMost(0.75), AtMost(0.75))
        .own_goal(AtMost(88.0)),
    Row::new(Workload::Memory, "handle_bytes", "of it the handle").unit("B", Chart::Memory),
    Row::new(Workload::Churn, "one_per_s", "churn by one thread, 10⁵ pending")
        .unit("10⁶/s", Chart::Churn)
        .divided_by(1e6),
    Row::new(Workload::Churn, "two_per_s", "churn by two threads, 10⁵ pending")
        .unit("10⁶/s", Chart::Churn)
        .divided_by(1e6)
        .goals(AtLeast(10.0), AtLeast(0.9)),
    Row::new(Workload::Churn, "scaling", "churn: two threads to one")
        .unit("times", Chart::Not)
        .own_goal(AtLeast(1.8)),
    Row::new(Workload::Intervals20000, "us", "20,000 intervals of 1 s: processor time a beat")
        .unit("ns", Chart::Expiry)
        .divided_by(1e-3)
        .goal_against_async_io(AtMost(0.6)),
    Row::new(Workload::Intervals20000, "late_mean_us", "20,000 intervals of 1 s: lateness, mean")
        .unit("µs", Chart::Lateness),
    Row::new(Workload::Intervals, "us", "10⁵ intervals of 1 s: processor time a beat")
        .unit("ns", Chart::Expiry)
        .divided_by(1e-3)
        .goals(AtMost(0.35), AtMost(1.05)),
    Row::new(Workload::Intervals, "late_mean_us", "10⁵ intervals of 1 s: lateness, mean")
        .unit("µs", Chart::Lateness)
        .goal_against_tokio(AtMost(0.35)),
    Row::new(
        Workload::IntervalsSlack1ms,
        "us",
        "10⁵ intervals of 1 s, slack 1 ms: processor time a beat",
    )
    .beside(Workload::Intervals)
    .unit("ns", Chart::Expiry)
    .divided_by(1e-3)
    .goal_against_tokio(AtMost(0.9)),
    Row::new(
        Workload::IntervalsSlack1ms,
        "late_mean_us",
        "10⁵ intervals of 1 s, slack 1 ms: lateness, mean",
    )
    .beside(Workload::Intervals)
    .unit("µs", Chart::Lateness),
    Row::new(
        Workload::IntervalsExact,
        "us",
        "10⁵ intervals of 1 s, slack 0: processor time a beat",
    )
    .beside(Workload::Intervals)
    .unit("ns", Chart::Expiry)
    .divided_by(1e-3),
    Row::new(
        Workload::IntervalsExact,
        "late_mean_us",
        "10⁵ intervals of 1 s, slack 0: lateness, mean",
    )
    .beside(Workload::Intervals)
    .unit("µs", Chart::Lateness)
    .goal_against_async_io(AtMost(1.1)),
    Row::new(
        Workload::IntervalsSlack,
        "us",
        "10³ intervals of 1 s, slack 10 ms: processor time a beat",
    )
    .unit("ns", Chart::Expiry)
    .divided_by(1e-3),
    Row::new(Workload::IntervalsSlack, "switches", "10³ intervals, slack: context switches a beat")
        .unit("", Chart::Not),
    Row::new(Workload::IntervalsSlack, "latest_us", "10³ intervals, slack: the latest beat")
        .unit("µs", Chart::Not),
    Row::new(Workload::RoundTrip, "us", "round trip on one connection")
        .unit("µs", Chart::RoundTrips)
        .goals(AtMost(0.85), AtMost(1.05)),
    Row::new(Workload::RoundTripTimeout, "us", "the same, each read with a timeout")
        .unit("µs", Chart::RoundTrips)
        .goals(AtMost(0.75), AtMost(1.05)),
    Row::new(Workload::Echo100On1, "per_s", "echo: 100 connections, 1 thread")
        .unit("10³/s", Chart::Echo)
        .saturated(Saturation::Always)
        .divided_by(1e3)
        .goals(AtLeast(1.2), AtLeast(1.0)),
    Row::new(Workload::Echo100On2, "per_s", "echo: 100 connections, 2 threads")
        .unit("10³/s", Chart::Echo)
        .saturated(Saturation::Always)
        .divided_by(1e3)
        .goals(AtLeast(1.2), AtLeast(1.05)),
    Row::new(Workload::Echo1000On1, "per_s", "echo: 1,000 connections, 1 thread")
        .unit("10³/s", Chart::Echo)
        .saturated(Saturation::Always)
        .divided_by(1e3)
        .goals(AtLeast(1.2), AtLeast(1.0)),
    Row::new(Workload::Echo1000On2, "per_s", "echo: 1,000 connections, 2 threads")
        .unit("10³/s", Chart::Echo)
        .saturated(Saturation::Always)
        .divided_by(1e3)
        .goals(AtLeast(1.2), AtLeast(1.05)),
    Row::new(Workload::EchoAmpleOn1, "per_s", "echo with ample buffers: 100 connections, 1 thread")
        .unit("10³/s", Chart::Echo)
        .saturated(Saturation::Always)
        .divided_by(1e3),
    Row::new(
        Workload::EchoAmpleOn2,
        "per_s",
        "echo with ample buffers: 100 connections, 2 threads",
    )
    .unit("10³/s", Chart::Echo)
    .saturated(Saturation::Always)
    .divided_by(1e3),
    Row::new(Workload::AcceptEcho100, "per_s", "echo, one task accepts: 100 connections")
        .unit("10³/s", Chart::Served)
        .saturated(Saturation::Always)
        .divided_by(1e3)
        .goals(AtLeast(1.3), AtLeast(1.05)),
    Row::new(Workload::AcceptEcho1000, "per_s", "echo, one task accepts: 1,000 connections")
        .unit("10³/s", Chart::Served)
        .saturated(Saturation::Always)
        .divided_by(1e3)
        .goals(AtLeast(1.3), AtLeast(1.05)),
    Row::new(Workload::CoreEcho, "per_s", "echo, a listener for each thread: 1,000 connections")
        .unit("10³/s", Chart::Served)
        .saturated(Saturation::Always)
        .divided_by(1e3)
        .goal_against_async_io(AtLeast(1.3))
        .goal_against_monoio(AtLeast(1.05)),
    Row::new(Workload::TokioWorkers, "per_s", "echo on 8 workers of tokio's: 1,000 connections")
        .unit("10³/s", Chart::Served)
        .saturated(Saturation::Always)
        .divided_by(1e3),
    Row::new(Workload::AcceptEcho100, "balance", "100 connections by shard, most to least")
        .unit("times", Chart::Not)
        .alone()
        .own_goal(AtMost(1.3)),
    Row::new(Workload::AcceptEcho1000, "balance", "1,000 connections by shard, most to least")
        .unit("times", Chart::Not)
        .alone()
        .own_goal(AtMost(1.3)),
    Row::new(Workload::AcceptEcho100, "moves", "moves between shards, 100 connections")
        .unit("in 10³ events", Chart::Not)
        .alone()
        .own_goal(AtMost(1.0)),
    Row::new(Workload::AcceptEcho1000, "moves", "moves between shards, 1,000 connections")
        .unit("in 10³ events", Chart::Not)
        .alone()
        .own_goal(AtMost(1.0)),
    Row::new(Workload::CoreEcho, "moves", "moves between shards, a listener for each thread")
        .unit("in 10³ events", Chart::Not)
        .alone()
        .own_goal(AtMost(1.0)),
    Row::new(Workload::Connection, "us", "connection: accept, echo once, close")
        .unit("µs", Chart::RoundTrips),
    Row::new(Workload::Wake, "us", "wake between two block_on threads and back")
        .unit("µs", Chart::RoundTrips)
        .goal_against_async_io(AtMost(0.9)),
    Row::new(Workload::Fallback, "us", "round trip through the fallback thread")
        .unit("µs", Chart::RoundTrips)
        .goal_against_async_io(AtMost(1.0)),
    Row::new(Workload::Lateness, "p50_us", "lateness of sleeps of 1 to 4 ms, p50")
        .unit("µs", Chart::Lateness)
        .goals(AtMost(1.05), AtMost(0.15)),
    Row::new(Workload::Lateness, "p99_us", "lateness of sleeps of 1 to 4 ms, p99")
        .unit("µs", Chart::Lateness)
        .goals(AtMost(1.05), AtMost(0.15)),
    Row::new(Workload::Idle, "processor_us", "idle, 10⁵ far timers: processor time in 3 s")
        .unit("µs", Chart::Not)
        .goals(NotAbove, NotAbove),
    Row::new(Workload::Idle, "switches", "idle, 10⁵ far timers: context switches in 3 s")
        .unit("", Chart::Not)
        .goals(NotAbove, NotAbove),
    Row::new(
        Workload::RoundTripTimeout,
        "calls",
        "system calls a side of a round trip with timeout",
    )
    .unit("", Chart::Calls)
    .own_goal(AtMost(5.0)),
    Row::new(
        Workload::RoundTrip,
        "waiting_calls",
        "system calls a side for waiting, without timeout",
    )
    .unit("", Chart::Calls)
    .own_goal(AtMost(1.0)),
    Row::new(Workload::RoundTrip, "calls_of_others", "system calls of other threads a round trip")
        .unit("", Chart::Calls),
    Row::new(Workload::Wake, "calls", "system calls a side of a wake and back")
        .unit("", Chart::Calls),
    Row::new(
        Workload::Fallback,
        "calls_of_others",
        "system calls of the fallback thread a round trip",
    )
    .unit("", Chart::Calls),
    Row::new(Workload::Connection, "calls", "system calls of a connection, the message is there")
        .unit("", Chart::Calls),
    Row::new(Workload::ConnectionWaits, "calls", "system calls of a connection, each read waits")
        .unit("", Chart::Calls),
    Row::new(Workload::Quiet, "calls", "system calls to insert and cancel, not the earliest")
        .unit("", Chart::Calls)
        .own_goal(AtMost(0.0)),
    Row::population("arm_10", "create and poll once; 10 timers"),
    Row::population("arm_100", "create and poll once; 10² timers"),
    Row::population("arm_1000", "create and poll once; 10³ timers"),
    Row::population("arm_10000", "create and poll once; 10⁴ timers"),
    Row::population("arm_100000", "create and poll once; 10⁵ timers"),
    Row::population("arm_1000000", "create and poll once; 10⁶ timers"),
    Row::population_1e7("arm_10000000", "create and poll once; 10⁷ timers"),
    Row::population("push_10", "postpone at random; 10 timers"),
    Row::population("push_100", "postpone at random; 10² timers"),
    Row::population("push_1000", "postpone at random; 10³ timers"),
    Row::population("push_10000", "postpone at random; 10⁴ timers"),
    Row::population("push_100000", "postpone at random; 10⁵ timers"),
    Row::population("push_1000000", "postpone at random; 10⁶ timers"),
    Row::population_1e7("push_10000000", "postpone at random; 10⁷ timers"),
    Row::population("cancel_10", "cancel at random; 10 timers"),
    Row::population("cancel_100", "cancel at random; 10² timers"),
    Row::population("cancel_1000", "cancel at random; 10³ timers"),
    Row::population("cancel_10000", "cancel at random; 10⁴ timers"),
    Row::population("cancel_100000", "cancel at random; 10⁵ timers"),
    Row::population("cancel_1000000", "cancel at random; 10⁶ timers"),
    Row::population_1e7("cancel_10000000", "cancel at random; 10⁷ timers"),
    Row::population("expire_10", "expire; 10 timers"),
    Row::population("expire_100", "expire; 10² timers"),
    Row::population("expire_1000", "expire; 10³ timers"),
    Row::population("expire_10000", "expire; 10⁴ timers"),
    Row::population("expire_100000", "expire; 10⁵ timers"),
    Row::population("expire_1000000", "expire; 10⁶ timers"),
    Row::population_1e7("expire_10000000", "expire; 10⁷ timers"),
    Row::queue("insert_10", "queue: insert; 10 entries"),
    Row::queue("insert_1000", "queue: insert; 10³ entries"),
    Row::queue("insert_100000", "queue: insert; 10⁵ entries"),
    Row::queue("insert_1000000", "queue: insert; 10⁶ entries"),
    Row::queue("insert_same_10", "queue: insert at one deadline; 10"),
    Row::queue("insert_same_1000", "queue: insert at one deadline; 10³"),
    Row::queue("insert_same_100000", "queue: insert at one deadline; 10⁵"),
    Row::queue("insert_same_1000000", "queue: insert at one deadline; 10⁶"),
    Row::queue("reset_later_10", "queue: reset to later, one after the other; 10"),
    Row::queue("reset_later_1000", "queue: reset to later, one after the other; 10³"),
    Row::queue("reset_later_100000", "queue: reset to later, one after the other; 10⁵"),
    Row::queue("reset_later_1000000", "queue: reset to later, one after the other; 10⁶"),
    Row::queue("reset_later_random_10", "queue: reset to later, at random; 10"),
    Row::queue("reset_later_random_1000", "queue: reset to later, at random; 10³"),
    Row::queue("reset_later_random_100000", "queue: reset to later, at random; 10⁵"),
    Row::queue("reset_later_random_1000000", "queue: reset to later, at random; 10⁶"),
    Row::queue("reset_random_10", "queue: reset to a random time, at random; 10"),
    Row::queue("reset_random_1000", "queue: reset to a random time, at random; 10³"),
    Row::queue("reset_random_100000", "queue: reset to a random time, at random; 10⁵"),
    Row::queue("reset_random_1000000", "queue: reset to a random time, at random; 10⁶"),
    Row::queue("remove_10", "queue: remove one after the other; 10"),
    Row::queue("remove_1000", "queue: remove one after the other; 10³"),
    Row::queue("remove_100000", "queue: remove one after the other; 10⁵"),
    Row::queue("remove_1000000", "queue: remove one after the other; 10⁶"),
    Row::queue("remove_random_10", "queue: remove at random; 10"),
    Row::queue("remove_random_1000", "queue: remove at random; 10³"),
    Row::queue("remove_random_100000", "queue: remove at random; 10⁵"),
    Row::queue("remove_random_1000000", "queue: remove at random; 10⁶"),
    Row::queue("expire_10", "queue: yield what is overdue; 10"),
    Row::queue("expire_1000", "queue: yield what is overdue; 10³"),
    Row::queue("expire_100000", "queue: yield what is overdue; 10⁵"),
    Row::queue("expire_1000000", "queue: yield what is overdue; 10⁶"),
    Row::queue("live_100000", "queue: 10⁵ within 1 s, waited for: processor time"),
    Row::queue("live_1000000", "queue: 10⁶ within 1 s, waited for: processor time"),
    Row::new(Workload::DelayQueue, "bytes", "queue: memory of an entry")
        .unit("B", Chart::Memory)
        .goal_against_tokio(Below),
    Row::new(Workload::DelayQueue, "key_bytes", "queue: its key").unit("B", Chart::Memory),
    Row::new(Workload::InTokioCreate1, "ns", "in tokio, 1 worker: create, poll, drop; 10⁶ pending")
        .unit("ns", Chart::Operations)
        .goal_against_tokio(AtMost(1.0)),
    Row::new(
        Workload::InTokioCreate2,
        "ns",
        "in tokio, 2 workers: create, poll, drop; 10⁶ pending",
    )
    .unit("ns", Chart::Operations)
    .goal_against_tokio(AtMost(1.0)),
    Row::new(Workload::InTokioCreate1, "bytes", "in tokio: memory of a pending timer")
        .unit("B", Chart::Memory)
        .goal_against_tokio(AtMost(1.0)),
    Row::new(Workload::InTokioFire1, "ns", "in tokio, 1 worker: 10⁶ tasks' timers, processor time")
        .unit("ns", Chart::Expiry)
        .saturated(IN_ONE)
        .goal_against_tokio(AtMost(1.0)),
    Row::new(
        Workload::InTokioFire2,
        "ns",
        "in tokio, 2 workers: 10⁶ tasks' timers, processor time",
    )
    .unit("ns", Chart::Expiry)
    .saturated(IN_ONE)
    .goal_against_tokio(AtMost(1.0)),
    Row::new(Workload::InTokioFire1, "span_ms", "in tokio, 1 worker: until all have fired")
        .unit("ms", Chart::Not)
        .saturated(IN_ONE)
        .goal_against_tokio(AtMost(1.0)),
    Row::new(Workload::InTokioFire2, "span_ms", "in tokio, 2 workers: until all have fired")
        .unit("ms", Chart::Not)
        .saturated(IN_ONE)
        .goal_against_tokio(AtMost(1.0)),
    Row::new(
        Workload::InTokioFire1,
        "resident_mib",
        "in tokio: memory of the process with 10⁶ tasks' timers",
    )
    .unit("MiB", Chart::Not)
    .goal_against_tokio(AtMost(1.0)),
];
