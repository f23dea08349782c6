//! A TCP echo server that drops whoever is silent for too long.
//!
//! Run as it is, it serves two clients of its own and ends: one that talks for longer than the limit
//! and hangs up, and one that says something and falls silent, which it drops. It prints what becomes
//! of each. With an address it serves that until it is stopped:
//!
//! ```sh
//! cargo run --example tcp_echo_with_read_timeout -- 127.0.0.1:7000
//! ```

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::time::Duration;

use async_executor::LocalExecutor;
use async_wheel::{Async, Timer, block_on};
use futures_lite::{AsyncReadExt, AsyncWriteExt, FutureExt};

const LIMIT: Duration = Duration::from_millis(600);

/// Reads, but no longer than `LIMIT`.
async fn read(stream: &mut Async<TcpStream>, buffer: &mut [u8]) -> io::Result<usize> {
    let timeout = async {
        Timer::after(LIMIT).await;
        Err(io::Error::new(io::ErrorKind::TimedOut, format!("silent for {LIMIT:?}")))
    };
    stream.read(buffer).or(timeout).await
}

async fn echo(mut stream: Async<TcpStream>) -> io::Result<usize> {
    let mut buffer = [0; 1024];
    let mut total = 0;
    loop {
        let length = read(&mut stream, &mut buffer).await?;
        if length == 0 {
            return Ok(total);
        }
        stream.write_all(&buffer[..length]).await?;
        total += length;
    }
}

async fn serve(listener: Async<TcpListener>, tasks: Rc<LocalExecutor<'static>>) -> io::Result<()> {
    loop {
        let (stream, peer) = listener.accept().await?;
        let connection = async move {
            match echo(stream).await {
                Ok(bytes) => println!("{peer}: hung up after {bytes} bytes"),
                Err(error) => println!("{peer}: dropped: {error}"),
            }
        };
        tasks.spawn(connection).detach();
    }
}

/// Says something so many times, with pauses that are shorter than the limit.
async fn talk(address: SocketAddr, times: usize) -> io::Result<Async<TcpStream>> {
    let mut stream = Async::<TcpStream>::connect(address).await?;
    let mut answer = [0; 5];
    for _ in 0..times {
        stream.write_all(b"hello").await?;
        stream.read_exact(&mut answer).await?;
        Timer::after(LIMIT / 4).await;
    }
    Ok(stream)
}

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1);
    let bind: SocketAddr =
        address.as_deref().unwrap_or("127.0.0.1:0").parse().unwrap_or_else(|error| {
            eprintln!("error: {error}; usage: tcp_echo_with_read_timeout [ADDRESS:PORT]");
            std::process::exit(2)
        });
    let executor = Rc::new(LocalExecutor::new());
    block_on(executor.run(async {
        let listener = Async::<TcpListener>::bind(bind)?;
        let bound = listener.get_ref().local_addr()?;
        println!("listening on {bound}");
        let server = executor.spawn(serve(listener, executor.clone()));
        if address.is_some() {
            return server.await;
        }
        println!("one client talks for {:?} and hangs up", LIMIT / 4 * 6);
        let mut talkative = talk(bound, 6).await?;
        talkative.get_ref().shutdown(Shutdown::Write)?;
        // The server hangs up in its turn.
        talkative.read(&mut [0]).await?;
        println!("another one falls silent");
        let mut silent = talk(bound, 1).await?;
        silent.read(&mut [0]).await.map(drop)
    }))
}
