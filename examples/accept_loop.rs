//! A TCP echo server whose connections are all accepted by one task, and by which thread they are
//! then looked after.
//!
//! Threads share an executor, as servers do it most. A connection is registered where it is first
//! waited for, so that each thread's shard gets some of them. Each second prints how many, until
//! the clients, which are threads without a runtime, have checked every byte that came back.
//!
//! ```sh
//! cargo run --release --example accept_loop -- --threads 2 --connections 1000
//! ```

#[path = "heartbeats/command_line.rs"]
mod command_line;
#[path = "heartbeats/limits.rs"]
mod limits;

use std::future::pending;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use async_executor::Executor;
use async_wheel::{Async, block_on, diagnostics};
use clap::Parser;
use comfy_table::{Table, presets};
use futures_lite::{AsyncReadExt, AsyncWriteExt};

const CLIENT_THREADS: usize = 2;

static TASKS: Executor = Executor::new();

#[derive(Parser)]
#[command(name = "accept_loop", about = "A TCP echo server with one task that accepts")]
struct Options {
    /// Threads of the server
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=1_024))]
    threads: u16,
    /// How many clients connect
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    connections: u32,
    /// How long the clients talk
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: u32,
}

async fn echo(mut stream: Async<TcpStream>) -> io::Result<()> {
    let mut buffer = [0; 1_024];
    while let length @ 1.. = stream.read(&mut buffer).await? {
        stream.write_all(&buffer[..length]).await?;
    }
    Ok(())
}

async fn serve(listener: TcpListener) -> io::Result<()> {
    let listener = Async::new(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        TASKS.spawn(echo(stream)).detach();
    }
}

/// A client talks until then, and says how many messages it had back. Each is another one.
fn talk(streams: &mut [TcpStream], until: Instant) -> io::Result<u64> {
    let mut messages = 0_u64;
    let mut answer = [0; 8];
    while Instant::now() < until {
        for stream in &mut *streams {
            stream.write_all(&messages.to_le_bytes())?;
            messages += 1;
        }
        let first = messages - streams.len() as u64;
        for (message, stream) in (first..).zip(&mut *streams) {
            stream.read_exact(&mut answer)?;
            if answer != message.to_le_bytes() {
                return Err(io::Error::other("an answer is not what was sent"));
            }
        }
    }
    Ok(messages)
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    Ok(stream)
}

fn balance() -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header(["shard", "sources", "events", "moved here"]);
    for (index, shard) in diagnostics::shards().iter().enumerate() {
        let counts = [index, shard.sources, shard.events, shard.migrations];
        table.add_row(counts.map(|count| count.to_string()));
    }
    table
}

fn run(options: &Options) -> io::Result<u64> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    // The clients come faster than they are accepted.
    rustix::net::listen(&listener, 4_096)?;
    let address = listener.local_addr()?;
    TASKS.spawn(serve(listener)).detach();
    for _ in 0..options.threads {
        thread::spawn(|| block_on(TASKS.run(pending::<()>())));
    }
    let connect = |_| connect(address);
    let mut streams = (0..options.connections).map(connect).collect::<io::Result<Vec<_>>>()?;
    let until = Instant::now() + Duration::from_secs(options.seconds.into());
    let share = streams.len().div_ceil(CLIENT_THREADS);
    thread::scope(|scope| {
        let shares = streams.chunks_mut(share);
        let clients: Vec<_> = shares.map(|share| scope.spawn(move || talk(share, until))).collect();
        for _ in 0..options.seconds {
            thread::sleep(Duration::from_secs(1));
            println!("{}\n", balance());
        }
        clients.into_iter().map(|client| client.join().expect("no panic")).sum()
    })
}

fn main() -> ExitCode {
    let options = match command_line::read(Ok::<Options, _>) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let descriptors = 2 * u64::from(options.connections) + 8 * u64::from(options.threads) + 64;
    if let Err(wrong) = limits::allow_descriptors(descriptors) {
        eprintln!("error: {wrong}");
        return ExitCode::from(2);
    }
    match run(&options) {
        Ok(messages) => {
            println!("{messages} messages of 8 bytes, none lost");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
