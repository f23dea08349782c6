//! The server: answers heartbeats, and drops connections that are silent for too long.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_executor::Executor;
use futures_lite::{AsyncReadExt, AsyncWriteExt, FutureExt};

use super::runtime::Runtime;
use super::stats::Stats;

/// The bytes of a heartbeat and of its answer, a number.
pub const BEAT: usize = 8;

/// How long a connection may be silent.
#[derive(Clone, Copy)]
pub struct Limits {
    /// Until its first beat.
    pub first: Duration,
    /// From one beat to the next. An answer that the peer does not take counts as silence.
    pub idle: Duration,
}

/// How a connection ended, as the server saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The peer closed it between two beats.
    Closed,
    /// The peer closed it within a beat.
    Cut,
    /// An error, as when the peer resets it.
    Failed,
    /// The server dropped it, because nothing was heard for too long.
    Idle,
}

/// Accepts for ever. Each connection gets a task. `witness` hears of each, by the peer's
/// address, and what it returns hears of its end, and of how long it was silent then.
pub async fn serve<R: Runtime, W, E>(
    listener: R::Listener,
    limits: Limits,
    executor: Arc<Executor<'static>>,
    stats: Arc<Stats>,
    witness: W,
) where
    W: Fn(SocketAddr) -> E,
    E: FnOnce(Ending, Duration) + Send + 'static,
{
    loop {
        match R::accept(&listener).await {
            Ok((mut stream, peer)) => {
                stats.open.add(1);
                let ended = witness(peer);
                let stats = stats.clone();
                let task = async move {
                    let mut heard = R::now();
                    let ending = connection::<R>(&mut stream, limits, &stats, &mut heard).await;
                    let silent = R::now().saturating_duration_since(heard);
                    drop(stream);
                    ended(ending, silent);
                    stats.closed.add(1);
                };
                executor.spawn(task).detach();
            }
            Err(error) => {
                // There may be nobody to read it.
                let _ = writeln!(io::stderr(), "warning: cannot accept: {error}");
                R::after(Duration::from_millis(100)).await;
            }
        }
    }
}

/// What comes first on a connection.
enum Next {
    Answered,
    Closed,
    Idle(Instant),
}

/// A connection's life. `heard` is when a beat was answered last.
async fn connection<R: Runtime>(
    stream: &mut R::Tcp,
    limits: Limits,
    stats: &Stats,
    heard: &mut Instant,
) -> Ending {
    let mut timeout = R::after(limits.first);
    loop {
        let answered = async { answer_beat::<R>(stream).await };
        match answered.or(async { Ok(Next::Idle((&mut timeout).await)) }).await {
            Ok(Next::Answered) => {
                *heard = R::now();
                R::set_at(&mut timeout, *heard + limits.idle);
                stats.armed.add(1);
            }
            Ok(Next::Idle(due)) => {
                stats.fired(R::now(), due, &stats.idle_late);
                stats.idle_fired.add(1);
                return Ending::Idle;
            }
            Ok(Next::Closed) => return Ending::Closed,
            Err(error) => {
                stats.lost.add(1);
                let cut = error.kind() == io::ErrorKind::UnexpectedEof;
                return if cut { Ending::Cut } else { Ending::Failed };
            }
        }
    }
}

/// Reads a beat and answers it.
async fn answer_beat<R: Runtime>(stream: &mut R::Tcp) -> io::Result<Next> {
    let mut beat = [0; BEAT];
    let mut filled = 0;
    while filled < BEAT {
        match stream.read(&mut beat[filled..]).await? {
            0 if filled == 0 => return Ok(Next::Closed),
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => filled += read,
        }
    }
    stream.write_all(&beat).await?;
    Ok(Next::Answered)
}
