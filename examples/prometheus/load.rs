//! A heartbeat server and its clients, which go on until they are dropped.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use async_channel::Sender;
use async_executor::Executor;
use async_wheel::time::IoTimeoutExt;
use async_wheel::{Async, Timer, block_on};
use clap::Args;
use futures_lite::{AsyncReadExt, AsyncWriteExt, StreamExt};

use super::limits;
use super::runtime::AsyncWheel;
use super::server::{self, BEAT, Limits};
use super::stats::Stats;

/// How long a client waits for its connection, and the server for its first beat.
const CONNECT: Duration = Duration::from_secs(60);
/// How long a client waits before it connects again.
const AGAIN: Duration = Duration::from_secs(1);
/// The shortest idle limit of the server, and the shortest time that a client waits for an answer.
const SHORTEST: Duration = Duration::from_secs(2);

#[derive(Args, Clone, Debug)]
pub struct LoadOptions {
    /// How many clients beat
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub clients: u32,
    /// The time from one heartbeat to the next, such as 100ms or 1s
    #[arg(long, value_name = "TIME", default_value = "100ms", value_parser = period)]
    pub period: Duration,
    /// Threads, each in a `block_on` of its own [default: the number of processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1_024))]
    pub threads: Option<u16>,
}

impl LoadOptions {
    /// Returns how many threads run the tasks.
    pub fn threads(&self) -> usize {
        let processors = || thread::available_parallelism().map_or(1, usize::from);
        self.threads.map_or_else(processors, usize::from)
    }
}

fn period(text: &str) -> Result<Duration, String> {
    let period = humantime::parse_duration(text);
    let period = period.map_err(|error| format!("{error}, for instance 100ms"))?;
    if period < Duration::from_millis(1) || period > Duration::from_secs(3_600) {
        return Err("must be from 1ms to 1h".to_owned());
    }
    Ok(period)
}

/// The server, its clients, and the threads that run them.
pub struct Load {
    pub executor: Arc<Executor<'static>>,
    #[allow(dead_code, reason = "not every program shows them")]
    pub stats: Arc<Stats>,
    /// Closed when the threads are to end.
    stop: Option<Sender<()>>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    /// Starts so many threads, and on them the server and the clients.
    pub fn start(options: &LoadOptions, threads: usize) -> Result<Load, String> {
        let clients = options.clients as usize;
        limits::allow_descriptors((2 * clients + 8 * threads + 64) as u64)?;
        let (stop, stopped) = async_channel::bounded::<()>(1);
        let mut load = Load {
            executor: Arc::new(Executor::new()),
            stats: Arc::new(Stats::new()),
            stop: Some(stop),
            threads: Vec::with_capacity(threads),
        };
        let (listener, address) =
            listen().map_err(|error| format!("the server cannot listen: {error}"))?;
        let limits = Limits { first: CONNECT, idle: (options.period * 3).max(SHORTEST) };
        let nobody = |_| |_, _| ();
        let (executor, stats) = (load.executor.clone(), load.stats.clone());
        let serving = server::serve::<AsyncWheel, _, _>(listener, limits, executor, stats, nobody);
        load.executor.spawn(serving).detach();
        for number in 0..clients {
            // They are spread over the period.
            let first = options.period.mul_f64(number as f64 / clients as f64);
            let client = beat_for_ever(address, first, options.period, load.stats.clone());
            load.executor.spawn(client).detach();
        }
        for number in 0..threads {
            let (executor, stopped) = (load.executor.clone(), stopped.clone());
            let run = move || {
                // It ends when the channel is closed.
                let _ = block_on(executor.run(stopped.recv()));
            };
            let thread = thread::Builder::new().name(format!("load-{number}")).spawn(run);
            load.threads
                .push(thread.map_err(|error| format!("cannot start thread {number}: {error}"))?);
        }
        Ok(load)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop = None;
        for thread in self.threads.drain(..) {
            // Its panic has been reported.
            let _ = thread.join();
        }
    }
}

fn listen() -> io::Result<(Async<TcpListener>, SocketAddr)> {
    let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
    // All clients come at once.
    rustix::net::listen(&listener, i32::MAX)?;
    let address = listener.get_ref().local_addr()?;
    Ok((listener, address))
}

/// A client: connects again if the connection is lost.
async fn beat_for_ever(address: SocketAddr, first: Duration, period: Duration, stats: Arc<Stats>) {
    loop {
        let _ = beat(address, first, period, &stats).await;
        stats.lost.add(1);
        Timer::after(AGAIN).await;
    }
}

/// A connection: a beat each period, and the answer to each.
async fn beat(
    address: SocketAddr,
    first: Duration,
    period: Duration,
    stats: &Stats,
) -> io::Result<()> {
    let stream = Async::<TcpStream>::connect(address).io_timeout(CONNECT).await?;
    // Best effort: it only makes the beats later.
    let _ = stream.get_ref().set_nodelay(true);
    let mut stream = &stream;
    let mut beats = Timer::interval_at(Instant::now() + first, period);
    let patience = (period * 3).max(SHORTEST);
    let mut answer = [0; BEAT];
    for beat in 0_u64.. {
        beats.next().await;
        let sent = Instant::now();
        let exchange = async {
            stream.write_all(&beat.to_ne_bytes()).await?;
            stats.beats_sent.add(1);
            stream.read_exact(&mut answer).await
        };
        exchange.io_timeout(patience).await?;
        stats.answered(sent.elapsed());
    }
    Ok(())
}
