//! The clients: each beats on its interval and waits for each answer.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_lite::{AsyncReadExt, AsyncWriteExt, FutureExt, StreamExt};
use indicatif::ProgressBar;

use super::options::Options;
use super::runtime::Runtime;
use super::server::BEAT;
use super::stats::Stats;
use super::stop::Stop;

/// How long a client waits for its connection. The system itself would wait for minutes.
const CONNECT: Duration = Duration::from_secs(15);
/// How much longer than asked for a run may take, for the last answers and idle timeouts.
const GRACE: Duration = Duration::from_secs(2);

/// When who beats and who falls silent.
#[derive(Clone)]
pub struct Plan {
    start: Instant,
    period: Duration,
    /// How long a client waits for an answer.
    reply: Duration,
    /// When clients fall silent: halfway, or earlier, so that each is dropped before the end.
    silence: Instant,
    end: Instant,
    connections: usize,
    silent: usize,
    stop: Stop,
}

impl Plan {
    pub fn new(options: &Options, start: Instant, stop: &Stop) -> Plan {
        let Options { seconds, period, idle, .. } = *options;
        let before_drop = seconds.saturating_sub(idle + period);
        Plan {
            start,
            period,
            reply: (period * 10).max(Duration::from_secs(2)),
            silence: start + before_drop.min(seconds / 2),
            end: start + seconds,
            connections: options.connections,
            silent: options.silent,
            stop: stop.clone(),
        }
    }

    /// Returns when the run ends even if clients still wait.
    pub fn deadline(&self) -> Instant {
        self.end + GRACE
    }

    /// Returns when a client's first beat is due: they are spread over the period.
    fn first_beat(&self, number: usize) -> Instant {
        self.start + self.period.mul_f64(number as f64 / self.connections as f64)
    }

    /// Returns `true` if this client falls silent. Those are spread over all.
    fn falls_silent(&self, number: usize) -> bool {
        let silent_up_to = |number: usize| number * self.silent / self.connections;
        silent_up_to(number + 1) > silent_up_to(number)
    }

    /// Returns how many beats are due from this one, which is due at `due`, to the end.
    fn beats_from(&self, due: Instant) -> u64 {
        let rest = self.end.saturating_duration_since(due).as_nanos();
        u64::try_from(rest.div_ceil(self.period.as_nanos())).unwrap_or(u64::MAX)
    }
}

/// Connects them all, one after another.
pub async fn connect<R: Runtime>(
    address: SocketAddr,
    connections: usize,
    bar: &ProgressBar,
) -> Result<Vec<R::Tcp>, String> {
    let mut streams = Vec::with_capacity(connections);
    for number in 0..connections {
        let late = async {
            R::after(CONNECT).await;
            Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer for {CONNECT:?}")))
        };
        let stream = R::connect(address).or(late).await.map_err(|error| {
            format!("cannot connect client {} to {address}: {error}", number + 1)
        })?;
        streams.push(stream);
        bar.set_position(number as u64);
    }
    Ok(streams)
}

/// A client's life.
pub async fn run<R: Runtime>(number: usize, mut stream: R::Tcp, plan: Plan, stats: Arc<Stats>) {
    if beat::<R>(number, &mut stream, &plan, &stats).await.is_err() {
        stats.lost.add(1);
    }
}

async fn beat<R: Runtime>(
    number: usize,
    stream: &mut R::Tcp,
    plan: &Plan,
    stats: &Stats,
) -> io::Result<()> {
    let mut beats = R::interval_at(plan.first_beat(number), plan.period);
    let mut timeout = R::never();
    let mut answer = [0; BEAT];
    for beat in 0u64.. {
        let Some(due) = beats.next().await else { break };
        let sent = R::now();
        stats.fired(sent, due, &stats.beat_late);
        stats.armed.add(1);
        // Not `due`, which falls behind if the period is too short for the machine.
        if sent >= plan.end {
            stats.skipped.add(plan.beats_from(due));
            break;
        }
        if plan.stop.is_set() {
            break;
        }
        if beat > 0 && sent >= plan.silence && plan.falls_silent(number) {
            return wait_to_be_dropped::<R>(stream, stats).await;
        }
        R::set_after(&mut timeout, plan.reply);
        stats.armed.add(1);
        stats.reply_armed.add(1);
        stream.write_all(&beat.to_ne_bytes()).await?;
        stats.beats_sent.add(1);
        let read = async { stream.read_exact(&mut answer).await.map(|()| None) };
        if read.or(async { Ok(Some((&mut timeout).await)) }).await?.is_some() {
            stats.reply_fired.add(1);
            return Err(io::ErrorKind::TimedOut.into());
        }
        R::clear(&mut timeout);
        if answer != beat.to_ne_bytes() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        stats.answered(R::now().saturating_duration_since(sent));
    }
    Ok(())
}

/// A silent client is dropped by the server: it sees the end of the stream.
async fn wait_to_be_dropped<R: Runtime>(stream: &mut R::Tcp, stats: &Stats) -> io::Result<()> {
    stats.silent.add(1);
    match stream.read(&mut [0; BEAT]).await? {
        0 => {
            stats.dropped.add(1);
            Ok(())
        }
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}
