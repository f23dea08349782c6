//! A TCP echo server on two threads. Its clients are no part of its runtime.

use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use async_wheel::diagnostics;

use super::clients::Clients;
use super::{Figures, MESSAGE, Scale, listener};
use crate::runtimes::{Runtime, Tokio};

const THREADS: usize = 2;
const TOKIO_WORKERS: usize = 8;

/// The threads share the tasks, of which one accepts all connections.
pub fn by_one_task<R: Runtime>(scale: Scale, connections: usize) -> Result<Figures> {
    let (listener, address) = listener()?;
    thread::spawn(|| {
        R::run(THREADS, accept::<R>(listener, |stream| R::spawn(answer::<R>(stream))))
    });
    figures(&[address], scale, connections)
}

/// The sockets are a runtime's, the tasks run on tokio's worker threads.
pub fn by_tokio_workers<R: Runtime>(scale: Scale, connections: usize) -> Result<Figures> {
    let (listener, address) = listener()?;
    thread::spawn(|| {
        let spawn = |stream| Tokio::spawn(answer::<R>(stream));
        Tokio::run(TOKIO_WORKERS, accept::<R>(listener, spawn))
    });
    figures(&[address], scale, connections)
}

/// Each thread has a listener and tasks of its own.
pub fn by_cores<R: Runtime>(scale: Scale, connections: usize) -> Result<Figures> {
    by_threads(scale, connections, |listener| {
        R::run_local(accept::<R>(listener, |stream| R::spawn_local(answer::<R>(stream))));
    })
}

/// Serves with what is called in each thread.
pub fn by_threads(
    scale: Scale,
    connections: usize,
    serve: impl Fn(TcpListener) + Copy + Send + 'static,
) -> Result<Figures> {
    let mut addresses = Vec::new();
    for _ in 0..THREADS {
        let (listener, address) = listener()?;
        thread::spawn(move || serve(listener));
        addresses.push(address);
    }
    figures(&addresses, scale, connections)
}

async fn accept<R: Runtime>(listener: TcpListener, spawn: impl Fn(R::Stream)) {
    let listener = R::listener(listener).expect("a listener");
    loop {
        spawn(R::accept(&listener).await.expect("a connection"));
    }
}

async fn answer<R: Runtime>(mut stream: R::Stream) {
    let mut buffer = MESSAGE;
    while let Ok(read @ 1..) = R::read(&mut stream, &mut buffer).await {
        R::write_all(&mut stream, &buffer[..read]).await.expect("the client is there");
    }
}

fn figures(addresses: &[SocketAddr], scale: Scale, connections: usize) -> Result<Figures> {
    let mut clients = Clients::connect(addresses, scale.connections(connections))?;
    let rate = clients.rate(scale.time(Duration::from_secs(1)))?;
    let mut figures = vec![("per_s", rate)];
    figures.extend(by_shard());
    Ok(figures)
}

/// How async-wheel has spread its sources; nothing of a runtime without shards.
fn by_shard() -> Figures {
    let shards = diagnostics::shards();
    let sources = || shards.iter().map(|shard| shard.sources);
    let (Some(most), Some(least)) = (sources().max(), sources().min()) else {
        return Vec::new();
    };
    let moves: usize = shards.iter().map(|shard| shard.migrations).sum();
    let events: usize = shards.iter().map(|shard| shard.events).sum();
    // None is no less than one, lest the figure be infinite.
    let balance = most as f64 / least.max(1) as f64;
    vec![("balance", balance), ("moves", moves as f64 / events as f64 * 1e3)]
}
