//! What is measured. Each workload runs once in a process of its own, so that nothing is left
//! over from another.

mod by_population;
mod churn;
mod clients;
mod connection;
mod create;
mod delay_queue;
mod echo;
mod fire;
mod idle;
mod in_tokio;
mod intervals;
mod lateness;
mod memory;
mod push;
mod push_idle;
mod quiet;
mod round_trip;
pub mod served;
mod uniform;
mod wake;
mod wheel_steps;

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use anyhow::{Result, bail};
use clap::ValueEnum;
use nix::sys::socket::{Backlog, listen};

use create::Due;
use echo::Room;

use crate::runtimes::{AsyncIo, AsyncWheel, Postpone, Runtime, Timers, Tokio};

/// What takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
pub enum Peer {
    AsyncWheel,
    AsyncIo,
    Tokio,
    /// tokio with its alternative timer, which is unstable
    TokioAlternative,
    /// monoio with epoll
    Monoio,
    /// monoio with io_uring
    MonoioUring,
    Compio,
    Glommio,
    /// A timer for programs on tokio
    PingoraTimeout,
    /// A timer for any executor
    FuturesTimer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
pub enum Workload {
    /// Create a timer of 30 s, poll it once, drop it; no others pending
    CreateNone,
    /// The same with 10^6 others pending
    CreatePending,
    /// The same, but each due at random among the others
    CreateRandom,
    /// Postpone one of 10^6 pending timers, each time another one at random
    PushRandom,
    /// Postpone one of 10^6 pending timers, one after the other
    PushInTurn,
    /// Postpone the same timer each time, 10^6 others pending
    PushOne,
    /// 10^6 pending idle timeouts, touched over several limits, at random and one after the other,
    /// with the wakes and polls that this leads to
    PushIdle,
    /// Arm, postpone, cancel and expire timers, 10 to 10^6 of them
    ByPopulation,
    /// The same with 10^7
    #[value(name = "by-population-1e7")]
    ByPopulation1e7,
    /// 10^6 tasks on two threads, each with a timer, due at random within one second
    Fire,
    /// The same within two seconds, so that there is time for each
    FireSteady,
    /// 10^6 such timers on one thread without tasks, each with a waker that notes the time, due
    /// within one second
    FireBare,
    /// The same within two seconds
    FireBareSteady,
    /// 10^6 timers of the same duration armed evenly, on two threads
    Uniform,
    /// The same with a binary heap under a lock instead of a runtime
    UniformHeap,
    /// The same with the wheel by itself in virtual time: the longest steps
    WheelSteps,
    /// What a pending timer takes, handle and all
    Memory,
    /// Create, poll, drop on one thread and then on two, 10^5 others pending
    Churn,
    /// 10^5 intervals of one second on two threads
    Intervals,
    /// The same with a slack of 1 ms
    #[value(name = "intervals-slack-1ms")]
    IntervalsSlack1ms,
    /// The same with a slack of zero, so that no beat waits for another
    IntervalsExact,
    /// 20,000 intervals of one second on two threads
    #[value(name = "intervals-20000")]
    Intervals20000,
    /// 1,000 intervals of one second on two threads, with a slack of 10 ms if there is such a thing
    IntervalsSlack,
    /// One TCP connection between two threads
    RoundTrip,
    /// The same with a read timeout each time
    RoundTripTimeout,
    /// TCP echo with read timeouts: 100 connections, one thread
    #[value(name = "echo-100-1")]
    Echo100On1,
    /// TCP echo with read timeouts: 100 connections, two threads
    #[value(name = "echo-100-2")]
    Echo100On2,
    /// TCP echo with read timeouts: 1,000 connections, one thread
    #[value(name = "echo-1000-1")]
    Echo1000On1,
    /// TCP echo with read timeouts: 1,000 connections, two threads
    #[value(name = "echo-1000-2")]
    Echo1000On2,
    /// TCP echo with read timeouts and buffers of 4 KiB: 100 connections, one thread
    #[value(name = "echo-ample-1")]
    EchoAmpleOn1,
    /// TCP echo with read timeouts and buffers of 4 KiB: 100 connections, two threads
    #[value(name = "echo-ample-2")]
    EchoAmpleOn2,
    /// TCP echo, one task accepts 100 connections for two threads; the clients are no part of it
    #[value(name = "accept-echo-100")]
    AcceptEcho100,
    /// The same with 1,000 connections
    #[value(name = "accept-echo-1000")]
    AcceptEcho1000,
    /// TCP echo, 1,000 connections, on two threads with a listener and an executor each
    CoreEcho,
    /// TCP echo, 1,000 connections, by tasks on eight worker threads of tokio's, whatever the sockets
    TokioWorkers,
    /// Accept, echo once, close, one connection after the other, the message there at once
    Connection,
    /// The same with a client that takes its time; to be counted by strace
    ConnectionWaits,
    /// A wake passed between two threads in `block_on`
    Wake,
    /// One TCP connection between two threads that never drive the runtime; tokio has a worker thread
    Fallback,
    /// Single sleeps of 1 to 4 ms
    Lateness,
    /// 10^5 far timers and nothing to do
    Idle,
    /// Insert and cancel a timer that is not the earliest; to be counted by strace
    Quiet,
    /// Insert, reset, remove and expire the entries of a delay queue, 10 to 10^6 of them; tokio's
    /// is tokio-util's
    DelayQueue,
    /// In a tokio program: create, poll, drop on one worker, 10^6 others pending
    #[value(name = "in-tokio-create-1")]
    InTokioCreate1,
    /// In a tokio program: the same on two workers
    #[value(name = "in-tokio-create-2")]
    InTokioCreate2,
    /// In a tokio program: 10^6 tasks on one worker, each with a timer, due within one second
    #[value(name = "in-tokio-fire-1")]
    InTokioFire1,
    /// In a tokio program: the same on two workers
    #[value(name = "in-tokio-fire-2")]
    InTokioFire2,
}

impl Peer {
    pub const ALL: [Peer; 10] = [
        Peer::AsyncWheel,
        Peer::AsyncIo,
        Peer::Tokio,
        Peer::TokioAlternative,
        Peer::Monoio,
        Peer::MonoioUring,
        Peer::Compio,
        Peer::Glommio,
        Peer::PingoraTimeout,
        Peer::FuturesTimer,
    ];

    /// Whether it is in the package `peers`, and takes part in some workloads only.
    pub fn is_further(self) -> bool {
        !matches!(self, Peer::AsyncWheel | Peer::AsyncIo | Peer::Tokio)
    }

    /// Whether its I/O goes through io_uring.
    pub fn uses_io_uring(self) -> bool {
        matches!(self, Peer::MonoioUring | Peer::Compio | Peer::Glommio)
    }
}

impl Workload {
    /// Whether a runtime can do it.
    pub fn suits(self, peer: Peer) -> bool {
        match peer {
            Peer::AsyncWheel => true,
            Peer::AsyncIo => {
                self != Workload::DelayQueue && !self.is_in_tokio() && !self.is_run_alone()
            }
            Peer::Tokio => !self.is_run_alone(),
            Peer::TokioAlternative => self.is_of_several_threads(),
            Peer::Monoio | Peer::MonoioUring => {
                self.is_of_timers() || self.is_of_postponing() || self.is_of_echo_by_cores()
            }
            Peer::Compio => self.is_of_timers() || self.is_of_echo_by_cores(),
            // A task of its has at most 32,767 wakers, and so timers.
            Peer::Glommio => {
                self.is_of_echo_by_cores()
                    || matches!(
                        self,
                        Workload::CreateNone | Workload::FireBare | Workload::Lateness
                    )
            }
            // Of many of its timers, some fire before their time.
            Peer::PingoraTimeout => self.is_of_timers() && self != Workload::FireBare,
            Peer::FuturesTimer => self.is_of_timers() || self.is_of_postponing(),
        }
    }

    /// How often it is run on a peer, if others are run so many times: less where a run takes long,
    /// or where all come to the same.
    pub fn runs(self, peer: Peer, runs: usize) -> usize {
        use Workload::*;
        let most = match self {
            ByPopulation1e7 | UniformHeap => 1,
            Uniform | Idle | Memory | IntervalsSlack => 2,
            EchoAmpleOn1 | EchoAmpleOn2 | TokioWorkers | InTokioFire1 | InTokioFire2 => 2,
            Fire | FireSteady | FireBare | FireBareSteady | InTokioCreate1 | InTokioCreate2 => 3,
            Intervals | IntervalsSlack1ms | IntervalsExact | Intervals20000 | Lateness => 3,
            PushIdle | ByPopulation | WheelSteps | DelayQueue => 3,
            _ => usize::MAX,
        };
        match (peer.is_further(), most) {
            (false, most) => runs.min(most),
            (true, usize::MAX) => runs.min(2),
            (true, _) => 1,
        }
    }

    /// Whether it asks for [`Timers`](crate::runtimes::Timers) only.
    fn is_of_timers(self) -> bool {
        use Workload::{CreateNone, CreatePending, CreateRandom, FireBare, Lateness, Memory};
        matches!(self, CreateNone | CreatePending | CreateRandom | FireBare | Memory | Lateness)
    }

    /// Whether it asks for [`Postpone`](crate::runtimes::Postpone).
    fn is_of_postponing(self) -> bool {
        matches!(self, Workload::PushRandom | Workload::PushInTurn | Workload::PushOne)
    }

    /// Whether it asks for streams of a thread, which are lent their buffers.
    fn is_of_echo_by_cores(self) -> bool {
        matches!(self, Workload::CoreEcho | Workload::RoundTrip)
    }

    /// Whether tasks on several threads do it.
    fn is_of_several_threads(self) -> bool {
        use Workload::{AcceptEcho1000, Churn, Echo100On2, Fire, Idle, Intervals};
        matches!(self, AcceptEcho1000 | Churn | Echo100On2 | Fire | Idle | Intervals)
    }

    /// Whether it is about a program that runs on tokio.
    fn is_in_tokio(self) -> bool {
        use Workload::{InTokioCreate1, InTokioCreate2, InTokioFire1, InTokioFire2};
        matches!(self, InTokioCreate1 | InTokioCreate2 | InTokioFire1 | InTokioFire2)
    }

    /// Whether no peer runs it: it is about a structure by itself, or about a slack, of which peers
    /// know none, so that their figures without one stand beside it.
    fn is_run_alone(self) -> bool {
        use Workload::{IntervalsExact, IntervalsSlack1ms, UniformHeap, WheelSteps};
        matches!(self, IntervalsExact | IntervalsSlack1ms | UniformHeap | WheelSteps)
    }

    /// Whether only its system calls are of interest.
    pub fn only_counts(self) -> bool {
        matches!(self, Workload::Quiet | Workload::ConnectionWaits)
    }
}

/// How much is done: one is all of it.
#[derive(Clone, Copy, Debug)]
pub struct Scale(pub f64);

impl Scale {
    pub fn count(self, full: usize) -> usize {
        ((full as f64 * self.0) as usize).max(20)
    }

    /// As many connections as are asked for, or fewer.
    pub fn connections(self, full: usize) -> usize {
        if self.0 < 1.0 { self.count(full) } else { full }
    }

    pub fn time(self, full: Duration) -> Duration {
        full.mul_f64(self.0.clamp(0.1, 1.0))
    }
}

/// What came out, by name.
pub type Figures = Vec<(&'static str, f64)>;

/// Runs a workload in this process, of a runtime that it suits and that is not
/// [further](Peer::is_further).
pub fn run(workload: Workload, peer: Peer, scale: Scale) -> Result<Figures> {
    match peer {
        Peer::AsyncWheel => run_on::<AsyncWheel>(workload, peer, scale),
        Peer::AsyncIo => run_on::<AsyncIo>(workload, peer, scale),
        Peer::Tokio => run_on::<Tokio>(workload, peer, scale),
        _ => bail!("that is a peer of the package `peers`"),
    }
}

/// Runs a workload that asks for no more than timers of one thread.
pub fn run_timers<T: Timers>(workload: Workload, scale: Scale) -> Result<Figures> {
    let pending = scale.count(1_000_000);
    match workload {
        Workload::CreateNone => Ok(create::run::<T>(scale, 0, Due::InThirtySeconds)),
        Workload::CreatePending => Ok(create::run::<T>(scale, pending, Due::InThirtySeconds)),
        Workload::CreateRandom => Ok(create::run::<T>(scale, pending, Due::AtRandom)),
        Workload::FireBare => fire::with_wakers::<T>(scale, fire::DENSE),
        Workload::Memory => Ok(memory::run::<T>(scale)),
        Workload::Lateness => lateness::run::<T>(scale),
        _ => bail!("it needs more than timers"),
    }
}

/// Runs a workload that asks for no more than timers of one thread that can be postponed.
pub fn run_postpone<T: Postpone>(workload: Workload, scale: Scale) -> Result<Figures> {
    match workload {
        Workload::PushRandom => push::run::<T>(scale, push::Which::Random),
        Workload::PushInTurn => push::run::<T>(scale, push::Which::InTurn),
        Workload::PushOne => push::run::<T>(scale, push::Which::TheSame),
        _ => run_timers::<T>(workload, scale),
    }
}

/// Runs any workload.
pub fn run_on<R: Runtime>(workload: Workload, peer: Peer, scale: Scale) -> Result<Figures> {
    let (ours, ms) = (peer == Peer::AsyncWheel, Duration::from_millis);
    match workload {
        Workload::PushIdle => push_idle::run::<R>(scale),
        Workload::Fire => fire::in_tasks::<R>(scale, 2, fire::DENSE),
        Workload::FireSteady => fire::in_tasks::<R>(scale, 2, fire::STEADY),
        Workload::FireBareSteady => fire::with_wakers::<R>(scale, fire::STEADY),
        Workload::Uniform => uniform::run::<R>(scale),
        Workload::UniformHeap => uniform::with_heap(scale),
        Workload::WheelSteps => Ok(wheel_steps::run(scale)),
        Workload::Churn => Ok(churn::run::<R>(scale)),
        Workload::Intervals => intervals::run::<R>(scale, 100_000),
        Workload::Intervals20000 => intervals::run::<R>(scale, 20_000),
        Workload::IntervalsSlack1ms => intervals::with_slack::<R>(scale, 100_000, ms(1), true),
        Workload::IntervalsExact => intervals::with_slack::<R>(scale, 100_000, ms(0), true),
        Workload::IntervalsSlack => intervals::with_slack::<R>(scale, 1_000, ms(10), ours),
        Workload::RoundTrip => round_trip::run::<R>(scale, None),
        Workload::RoundTripTimeout => round_trip::run::<R>(scale, Some(LIMIT)),
        Workload::Echo100On1 => echo::run::<R>(scale, 100, 1, Room::Exact),
        Workload::Echo100On2 => echo::run::<R>(scale, 100, 2, Room::Exact),
        Workload::Echo1000On1 => echo::run::<R>(scale, 1_000, 1, Room::Exact),
        Workload::Echo1000On2 => echo::run::<R>(scale, 1_000, 2, Room::Exact),
        Workload::EchoAmpleOn1 => echo::run::<R>(scale, 100, 1, Room::Ample),
        Workload::EchoAmpleOn2 => echo::run::<R>(scale, 100, 2, Room::Ample),
        Workload::AcceptEcho100 => served::by_one_task::<R>(scale, 100),
        Workload::AcceptEcho1000 => served::by_one_task::<R>(scale, 1_000),
        Workload::CoreEcho => served::by_cores::<R>(scale, CORE_CONNECTIONS),
        Workload::TokioWorkers => served::by_tokio_workers::<R>(scale, CORE_CONNECTIONS),
        Workload::Connection => connection::run::<R>(scale, None),
        Workload::ConnectionWaits => connection::run::<R>(scale, Some(connection::PAUSE)),
        Workload::Wake => wake::run::<R>(scale),
        Workload::Fallback => round_trip::through_fallback::<R>(scale),
        Workload::Idle => idle::run::<R>(scale),
        Workload::Quiet => Ok(quiet::run::<R>(scale)),
        Workload::DelayQueue => delay_queue::run(peer, scale),
        Workload::InTokioCreate1 => in_tokio::run(scale, peer, in_tokio::Work::Create, 1),
        Workload::InTokioCreate2 => in_tokio::run(scale, peer, in_tokio::Work::Create, 2),
        Workload::InTokioFire1 => in_tokio::run(scale, peer, in_tokio::Work::Fire, 1),
        Workload::InTokioFire2 => in_tokio::run(scale, peer, in_tokio::Work::Fire, 2),
        Workload::ByPopulation => by_population::run::<R>(scale),
        Workload::ByPopulation1e7 => by_population::run_largest::<R>(scale),
        _ => run_postpone::<R>(workload, scale),
    }
}

/// How many connections are served by threads with an executor each.
pub const CORE_CONNECTIONS: usize = 1_000;

/// The timeout of reads that never time out.
pub const LIMIT: Duration = Duration::from_secs(30);

pub const MESSAGE: [u8; 64] = [7; 64];

/// A listener for clients that all come at once.
pub fn listener() -> Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    listen(&listener, Backlog::new(4_095)?)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// A time within the range, in nanoseconds' steps.
fn random_between(random: &mut fastrand::Rng, from: Duration, to: Duration) -> Duration {
    Duration::from_nanos(random.u64(from.as_nanos() as u64..to.as_nanos() as u64))
}

/// The deadlines of timers that only have to be there: 10 to 120 s from now.
fn far(random: &mut fastrand::Rng) -> Duration {
    random_between(random, Duration::from_secs(10), Duration::from_secs(120))
}

/// A system call that nothing else makes. What each thread calls between two of them is what
/// the table counts under strace.
pub fn mark() {
    let _ = std::os::unix::process::parent_id();
}
