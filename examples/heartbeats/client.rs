//! The clients: each beats on its interval and waits for each answer.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_wheel::{Async, Timer};
use futures_lite::{AsyncReadExt, AsyncWriteExt, FutureExt, StreamExt};
use indicatif::ProgressBar;

use super::options::Options;
use super::server::BEAT;
use super::stats::Stats;

/// How long a client waits for its connection. The system itself would wait for minutes.
const CONNECT: Duration = Duration::from_secs(15);

/// When who beats and who falls silent.
#[derive(Clone, Copy)]
pub struct Plan {
    start: Instant,
    period: Duration,
    /// How long a client waits for an answer.
    reply: Duration,
    halfway: Instant,
    end: Instant,
    /// How long a silent client waits to be dropped.
    patience: Duration,
    connections: usize,
    silent: usize,
}

impl Plan {
    pub fn new(options: &Options, start: Instant) -> Plan {
        Plan {
            start,
            period: options.period,
            reply: (options.period * 10).max(Duration::from_secs(2)),
            halfway: start + options.seconds / 2,
            end: start + options.seconds,
            patience: options.idle + Duration::from_secs(10),
            connections: options.connections,
            silent: options.silent,
        }
    }

    /// When a client's first beat is due: they are spread over the period.
    fn first_beat(&self, number: usize) -> Instant {
        self.start + self.period.mul_f64(number as f64 / self.connections as f64)
    }

    /// The silent clients are spread over all.
    fn falls_silent(&self, number: usize) -> bool {
        let silent_up_to = |number: usize| number * self.silent / self.connections;
        silent_up_to(number + 1) > silent_up_to(number)
    }
}

/// Connects them all, one after another.
pub async fn connect(
    address: SocketAddr,
    connections: usize,
    bar: &ProgressBar,
) -> Result<Vec<Async<TcpStream>>, String> {
    let mut streams = Vec::with_capacity(connections);
    for number in 0..connections {
        let late = async {
            Timer::after(CONNECT).await;
            Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer for {CONNECT:?}")))
        };
        let stream = Async::<TcpStream>::connect(address).or(late).await.map_err(|error| {
            format!("cannot connect client {} to {address}: {error}", number + 1)
        })?;
        // Best effort: it only makes the beats later.
        let _ = stream.get_ref().set_nodelay(true);
        streams.push(stream);
        bar.set_position(number as u64);
    }
    Ok(streams)
}

/// A client's life.
pub async fn run(number: usize, stream: Async<TcpStream>, plan: Plan, stats: Arc<Stats>) {
    if beat(number, &stream, plan, &stats).await.is_err() {
        stats.lost.add(1);
    }
}

async fn beat(
    number: usize,
    mut stream: &Async<TcpStream>,
    plan: Plan,
    stats: &Stats,
) -> io::Result<()> {
    let mut beats = Timer::interval_at(plan.first_beat(number), plan.period);
    let mut timeout = Timer::never();
    let mut answer = [0; BEAT];
    for beat in 0u64.. {
        let Some(due) = beats.next().await else { break };
        stats.fired(due, &stats.beat_late);
        stats.armed.add(1);
        if due >= plan.end {
            break;
        }
        if due >= plan.halfway && plan.falls_silent(number) {
            return wait_to_be_dropped(stream, plan, stats).await;
        }
        let sent = Instant::now();
        timeout.set_after(plan.reply);
        stats.armed.add(1);
        stats.reply_armed.add(1);
        stream.write_all(&beat.to_ne_bytes()).await?;
        stats.beats_sent.add(1);
        let read = async { stream.read_exact(&mut answer).await.map(|()| None) };
        if read.or(async { Ok(Some((&mut timeout).await)) }).await?.is_some() {
            stats.reply_fired.add(1);
            return Err(io::ErrorKind::TimedOut.into());
        }
        timeout.clear();
        if answer != beat.to_ne_bytes() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        stats.answered(sent.elapsed());
    }
    Ok(())
}

/// A silent client is dropped by the server: it sees the end of the stream.
async fn wait_to_be_dropped(
    mut stream: &Async<TcpStream>,
    plan: Plan,
    stats: &Stats,
) -> io::Result<()> {
    stats.silent.add(1);
    let mut nothing = [0; BEAT];
    let end = async { stream.read(&mut nothing).await };
    let late = async {
        Timer::after(plan.patience).await;
        Err(io::ErrorKind::TimedOut.into())
    };
    match end.or(late).await? {
        0 => {
            stats.dropped.add(1);
            Ok(())
        }
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}
