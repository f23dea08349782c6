//! A program written for smol, moved over. The line that each came from stands beside it.
//!
//! That is for programs that want this crate by its name. Whoever wants to go on writing
//! `smol::…` patches async-io for the whole tree instead: see `docs/migration.md`.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

// use smol::{Async, Executor, Timer, block_on, future};
use async_executor::Executor;
use async_wheel::{Async, Timer, block_on};
use futures_lite::future;
// use smol::prelude::*;
use futures_lite::prelude::*;

/// Runs an executor on several threads, each of which drives a shard of the reactor while it
/// has no task to run.
fn run<T>(threads: usize, main: impl AsyncFnOnce(Arc<Executor<'static>>) -> T) -> T {
    let executor = Arc::new(Executor::new());
    // let (stop, stopped) = smol::channel::unbounded::<()>();
    let (stop, stopped) = async_channel::unbounded::<()>();
    std::thread::scope(|scope| {
        for _ in 1..threads {
            // smol::block_on(…)
            scope.spawn(|| block_on(executor.run(stopped.recv())));
        }
        let result = block_on(executor.run(main(executor.clone())));
        drop(stop);
        result
    })
}

fn main() -> io::Result<()> {
    run(4, async |executor| {
        // Async::<TcpListener>::bind(…), as it was: smol's `Async` is async-io's.
        let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
        let address = listener.get_ref().local_addr()?;
        let tasks = executor.clone();
        let server = executor.spawn::<io::Result<()>>(async move {
            loop {
                let (stream, _) = listener.accept().await?;
                // smol::spawn(async move { smol::io::copy(…).await }), on the global executor.
                let echo = async move { futures_lite::io::copy(&stream, &mut &stream).await };
                tasks.spawn(echo).detach();
            }
        });
        let clients: Vec<_> = (0..10_u64)
            .map(|index| {
                executor.spawn(async move {
                    // smol::Timer::after(…)
                    Timer::after(Duration::from_millis(10 * index)).await;
                    let mut stream = Async::<TcpStream>::connect(address).await?;
                    stream.write_all(b"hello").await?;
                    let mut answer = [0; 5];
                    stream.read_exact(&mut answer).await?;
                    io::Result::Ok(String::from_utf8_lossy(&answer).into_owned())
                })
            })
            .collect();
        for (index, client) in clients.into_iter().enumerate() {
            println!("client {index} heard {:?}", client.await?);
        }
        // smol::future::poll_once(…)
        match future::poll_once(server).await {
            Some(Err(error)) => Err(error),
            Some(Ok(())) | None => Ok(()),
        }
    })
}
