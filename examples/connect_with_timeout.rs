//! Connects to an address, but does not wait for ever.
//!
//! ```sh
//! cargo run --example connect_with_timeout -- 127.0.0.1:7000 2.5
//! ```
//!
//! Without arguments it connects to a listener of its own, and then to one that never answers.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use async_wheel::{Async, Timer, block_on};
use futures_lite::FutureExt;

async fn connect(address: SocketAddr, limit: Duration) -> io::Result<Async<TcpStream>> {
    let timeout = async {
        Timer::after(limit).await;
        Err(io::Error::new(io::ErrorKind::TimedOut, format!("no connection within {limit:?}")))
    };
    Async::<TcpStream>::connect(address).or(timeout).await
}

/// Connects and says how it went.
fn report(address: SocketAddr, limit: Duration) -> io::Result<Async<TcpStream>> {
    let start = Instant::now();
    let result = block_on(connect(address, limit));
    match &result {
        Ok(_) => println!("{address}: connected after {:?}", start.elapsed()),
        Err(error) => println!("{address}: {error}, after {:?}", start.elapsed()),
    }
    result
}

/// Says in one line what is wrong with the arguments.
fn refuse(what: &str) -> ! {
    eprintln!("error: {what}; usage: connect_with_timeout [HOST:PORT [SECONDS]]");
    std::process::exit(2)
}

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    if let Some(address) = arguments.next() {
        let seconds = arguments.next().unwrap_or_else(|| "10".to_owned());
        let limit = seconds.parse().ok().and_then(|s| Duration::try_from_secs_f64(s).ok());
        let limit = limit.unwrap_or_else(|| refuse(&format!("{seconds} is no number of seconds")));
        let found = address.to_socket_addrs();
        let found = found.unwrap_or_else(|error| refuse(&format!("{address}: {error}")));
        let [address] = found.take(1).collect::<Vec<_>>()[..] else {
            refuse(&format!("{address} has no address"));
        };
        report(address, limit)?;
        return Ok(());
    }

    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let mut connections = vec![report(address, Duration::from_secs(5))?];
    // Nobody accepts. On Linux, once the listener's queue is full, a connection is neither made
    // nor refused; elsewhere the queue may be larger than what is tried here.
    for _ in 0..1000 {
        match block_on(connect(address, Duration::from_millis(50))) {
            Ok(stream) => connections.push(stream),
            Err(_) => {
                println!("the queue is full after {} connections", connections.len());
                drop(report(address, Duration::from_millis(200)));
                break;
            }
        }
    }
    Ok(())
}
