//! What the examples of event loops do: the same in each of them.

use std::future::{Future, poll_fn};
use std::io;
use std::net::{TcpListener, TcpStream};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use async_wheel::{Async, Timer};
use futures_lite::{AsyncReadExt, AsyncWriteExt, StreamExt, future};

/// Uses timers and I/O, and prints what it sees and how many threads the process has by then.
pub async fn work() -> io::Result<()> {
    future::try_zip(beats(), conversation()).await?;
    if let Ok(threads) = std::fs::read_dir("/proc/self/task") {
        println!("threads: {}", threads.count());
    }
    earlier_timer().await
}

async fn beats() -> io::Result<()> {
    let start = Instant::now();
    let mut interval = Timer::interval(Duration::from_millis(20));
    for beat in 1..=3 {
        interval.next().await;
        println!("beat {beat} {}", in_time(start.elapsed(), Duration::from_millis(20 * beat))?);
    }
    Ok(())
}

async fn conversation() -> io::Result<()> {
    let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
    let address = listener.get_ref().local_addr()?;
    let server = async {
        let (stream, _) = listener.accept().await?;
        futures_lite::io::copy(&stream, &mut &stream).await
    };
    let client = async {
        let mut stream = Async::<TcpStream>::connect(address).await?;
        for message in ["one", "two", "three"] {
            Timer::after(Duration::from_millis(5)).await;
            stream.write_all(message.as_bytes()).await?;
            let mut answer = vec![0; message.len()];
            stream.read_exact(&mut answer).await?;
            println!("echo of {}", String::from_utf8_lossy(&answer));
        }
        stream.close().await?;
        drop(stream);
        io::Result::Ok(())
    };
    future::try_zip(server, client).await.map(drop)
}

/// While the loop sleeps, with nothing to wake it within the hour, another thread moves a timer.
async fn earlier_timer() -> io::Result<()> {
    let timer = Arc::new(Mutex::new(Timer::after(Duration::from_secs(3_600))));
    let start = Instant::now();
    let other = thread::spawn({
        let timer = timer.clone();
        move || {
            thread::sleep(Duration::from_millis(30));
            let mut timer = timer.lock().unwrap_or_else(PoisonError::into_inner);
            timer.set_after(Duration::from_millis(10));
        }
    });
    poll_fn(|cx| Pin::new(&mut *timer.lock().unwrap_or_else(PoisonError::into_inner)).poll(cx))
        .await;
    println!("earlier timer {}", in_time(start.elapsed(), Duration::from_millis(40))?);
    other.join().map_err(|_| io::Error::other("the other thread has panicked"))
}

/// Says that it is in time, unless something is early, or so late that nobody can have been woken.
fn in_time(elapsed: Duration, due: Duration) -> io::Result<&'static str> {
    if elapsed < due {
        return Err(io::Error::other(format!("after {elapsed:?}, before {due:?}")));
    }
    if elapsed > due + Duration::from_secs(5) {
        return Err(io::Error::other(format!("after {elapsed:?}, long after {due:?}")));
    }
    Ok("in time")
}
