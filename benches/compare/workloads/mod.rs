//! What is measured. Each workload runs once in a process of its own, so that nothing is left
//! over from another.

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
mod served;
mod uniform;
mod wake;

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;
use nix::sys::socket::{Backlog, listen};

use create::Due;
use echo::Room;

use crate::runtimes::{AsyncIo, AsyncWheel, Runtime, Tokio};

/// What takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
pub enum Peer {
    AsyncWheel,
    AsyncIo,
    Tokio,
    /// Only what is done on one thread each
    Monoio,
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
    /// 10^6 tasks on two threads, each with a timer, due at random within one second
    Fire,
    /// 10^6 such timers on one thread without tasks, each with a waker that notes the time
    FireBare,
    /// 10^6 timers of the same duration armed evenly, on two threads, beside a binary heap
    Uniform,
    /// What a pending timer takes, handle and all
    Memory,
    /// Create, poll, drop on one thread and then on two, 10^5 others pending
    Churn,
    /// 10^5 intervals of one second on two threads
    Intervals,
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
    pub const ALL: [Peer; 4] = [Peer::AsyncWheel, Peer::AsyncIo, Peer::Tokio, Peer::Monoio];
}

impl Workload {
    /// Whether a runtime can do it.
    pub fn suits(self, peer: Peer) -> bool {
        match peer {
            Peer::AsyncWheel => true,
            Peer::AsyncIo => self != Workload::DelayQueue && !self.is_in_tokio(),
            Peer::Tokio => true,
            Peer::Monoio => self == Workload::CoreEcho,
        }
    }

    /// Whether it is about a program that runs on tokio.
    fn is_in_tokio(self) -> bool {
        use Workload::{InTokioCreate1, InTokioCreate2, InTokioFire1, InTokioFire2};
        matches!(self, InTokioCreate1 | InTokioCreate2 | InTokioFire1 | InTokioFire2)
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

/// Runs a workload in this process, of a runtime that it suits.
pub fn run(workload: Workload, peer: Peer, scale: Scale) -> Result<Figures> {
    match peer {
        Peer::AsyncWheel => run_on::<AsyncWheel>(workload, peer, scale),
        Peer::AsyncIo => run_on::<AsyncIo>(workload, peer, scale),
        Peer::Tokio => run_on::<Tokio>(workload, peer, scale),
        Peer::Monoio => served::by_cores_of_monoio(scale, CORE_CONNECTIONS),
    }
}

fn run_on<R: Runtime>(workload: Workload, peer: Peer, scale: Scale) -> Result<Figures> {
    match workload {
        Workload::CreateNone => Ok(create::run::<R>(scale, 0, Due::InThirtySeconds)),
        Workload::CreatePending => {
            Ok(create::run::<R>(scale, scale.count(1_000_000), Due::InThirtySeconds))
        }
        Workload::CreateRandom => {
            Ok(create::run::<R>(scale, scale.count(1_000_000), Due::AtRandom))
        }
        Workload::PushRandom => push::run::<R>(scale, push::Which::Random),
        Workload::PushInTurn => push::run::<R>(scale, push::Which::InTurn),
        Workload::PushOne => push::run::<R>(scale, push::Which::TheSame),
        Workload::PushIdle => push_idle::run::<R>(scale),
        Workload::Fire => fire::in_tasks::<R>(scale, 2),
        Workload::FireBare => fire::with_wakers::<R>(scale),
        Workload::Uniform => uniform::run::<R>(scale, peer == Peer::AsyncWheel),
        Workload::Memory => Ok(memory::run::<R>(scale)),
        Workload::Churn => Ok(churn::run::<R>(scale)),
        Workload::Intervals => intervals::run::<R>(scale, 100_000),
        Workload::IntervalsSlack => intervals::with_slack::<R>(scale, peer == Peer::AsyncWheel),
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
        Workload::Lateness => lateness::run::<R>(scale),
        Workload::Idle => idle::run::<R>(scale),
        Workload::Quiet => Ok(quiet::run::<R>(scale)),
        Workload::DelayQueue => delay_queue::run(peer, scale),
        Workload::InTokioCreate1 => in_tokio::run(scale, peer, in_tokio::Work::Create, 1),
        Workload::InTokioCreate2 => in_tokio::run(scale, peer, in_tokio::Work::Create, 2),
        Workload::InTokioFire1 => in_tokio::run(scale, peer, in_tokio::Work::Fire, 1),
        Workload::InTokioFire2 => in_tokio::run(scale, peer, in_tokio::Work::Fire, 2),
    }
}

/// How many connections are served by threads with an executor each.
const CORE_CONNECTIONS: usize = 1_000;

/// The timeout of reads that never time out.
const LIMIT: Duration = Duration::from_secs(30);

const MESSAGE: [u8; 64] = [7; 64];

/// A listener for clients that all come at once.
fn listener() -> Result<(TcpListener, SocketAddr)> {
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
/// [`crate::table`] counts under strace.
fn mark() {
    let _ = std::os::unix::process::parent_id();
}
