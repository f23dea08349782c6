//! The server: answers heartbeats, and drops connections that are silent for too long.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_executor::Executor;
use async_wheel::{Async, Timer};
use futures_lite::{AsyncReadExt, AsyncWriteExt, FutureExt};

use super::stats::Stats;

/// How long a connection may take to its first beat: until all clients are there.
const FIRST_BEAT: Duration = Duration::from_secs(60);

/// The bytes of a heartbeat and of its answer, a number.
pub const BEAT: usize = 8;

/// Accepts for ever. Each connection gets a task.
pub async fn serve(
    listener: Async<TcpListener>,
    idle: Duration,
    executor: Arc<Executor<'static>>,
    stats: Arc<Stats>,
) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                stats.open.add(1);
                let stats = stats.clone();
                executor.spawn(connection(stream, idle, stats)).detach();
            }
            Err(error) => {
                eprintln!("warning: cannot accept: {error}");
                Timer::after(Duration::from_millis(100)).await;
            }
        }
    }
}

/// What comes first on a connection.
enum Next {
    Beat,
    Closed,
    Idle(Instant),
}

async fn connection(stream: Async<TcpStream>, idle: Duration, stats: Arc<Stats>) {
    // Best effort: it only makes the answers later.
    let _ = stream.get_ref().set_nodelay(true);
    let mut timeout = Timer::after(idle.max(FIRST_BEAT));
    let mut beat = [0; BEAT];
    loop {
        let read = async { read_beat(&stream, &mut beat).await };
        match read.or(async { Ok(Next::Idle((&mut timeout).await)) }).await {
            Ok(Next::Beat) => {
                if (&stream).write_all(&beat).await.is_err() {
                    stats.lost.add(1);
                    break;
                }
                timeout.set_after(idle);
                stats.armed.add(1);
            }
            Ok(Next::Idle(due)) => {
                stats.fired(due, &stats.idle_late);
                stats.idle_fired.add(1);
                break;
            }
            Ok(Next::Closed) => break,
            Err(_) => {
                stats.lost.add(1);
                break;
            }
        }
    }
    drop(stream);
    stats.closed.add(1);
}

async fn read_beat(mut stream: &Async<TcpStream>, beat: &mut [u8; BEAT]) -> io::Result<Next> {
    let mut filled = 0;
    while filled < BEAT {
        match stream.read(&mut beat[filled..]).await? {
            0 if filled == 0 => return Ok(Next::Closed),
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => filled += read,
        }
    }
    Ok(Next::Beat)
}

/// Waits until somebody came and everybody has gone.
pub async fn until_all_are_gone(stats: &Stats) {
    loop {
        let (closed, open) = (stats.closed.get(), stats.open.get());
        if open > 0 && closed == open {
            return;
        }
        Timer::after(Duration::from_millis(100)).await;
    }
}
