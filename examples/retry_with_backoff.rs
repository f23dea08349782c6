//! Asks a server that is at times busy, and asks again: after a while that grows with each attempt,
//! and is drawn at random, so that clients that failed together do not come back together.
//!
//! Attempts are limited each, and all of them together.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use async_wheel::time::IoTimeoutExt;
use async_wheel::{Async, Timer, block_on};
use futures_lite::{AsyncReadExt, AsyncWriteExt, future};

/// How long one attempt may take, and all of them with the pauses.
const ATTEMPT: Duration = Duration::from_secs(2);
const ALL: Duration = Duration::from_secs(20);

/// The pauses between attempts: each up to twice as long as the one before.
struct Backoff {
    next: Duration,
    longest: Duration,
}

impl Backoff {
    /// Returns a pause between half of what it may be and all of it.
    fn pause(&mut self) -> Duration {
        let pause = self.next.mul_f64(0.5 + fastrand::f64() / 2.0);
        self.next = (self.next * 2).min(self.longest);
        pause
    }
}

/// Returns `true` if it makes sense to try again. What a server says about a request, it will say
/// again.
fn may_pass(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::UnexpectedEof
            | ErrorKind::TimedOut
    )
}

async fn ask(server: SocketAddr) -> io::Result<String> {
    let mut stream = Async::<TcpStream>::connect(server).await?;
    stream.write_all(b"time?").await?;
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

async fn ask_patiently(server: SocketAddr) -> io::Result<String> {
    let end = Instant::now() + ALL;
    let mut backoff =
        Backoff { next: Duration::from_millis(20), longest: Duration::from_millis(500) };
    loop {
        let error = match ask(server).io_timeout(ATTEMPT).io_timeout_at(end).await {
            Err(error) if may_pass(&error) => error,
            result => return result,
        };
        let pause = backoff.pause();
        // There would be no time for the next attempt.
        if Instant::now() + pause >= end {
            return Err(error);
        }
        println!("no answer; again after {pause:.0?}");
        Timer::after(pause).await;
    }
}

/// Hangs up on its first three clients.
async fn serve(listener: &Async<TcpListener>) -> io::Result<()> {
    for client in 1.. {
        let (mut stream, _) = listener.accept().await?;
        stream.read_exact(&mut [0; 5]).await?;
        if client > 3 {
            stream.write_all(b"12:30").await?;
        }
    }
    Ok(())
}

fn main() -> io::Result<()> {
    block_on(async {
        let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
        let address = listener.get_ref().local_addr()?;
        let client = async {
            println!("the answer is {}", ask_patiently(address).await?);
            Ok(())
        };
        future::or(client, serve(&listener)).await
    })
}
