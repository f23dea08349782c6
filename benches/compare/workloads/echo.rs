//! A TCP echo server and its clients in one process; each read of both has a timeout.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::{Figures, LIMIT, MESSAGE, Scale, listener};
use crate::runtimes::Runtime;

/// How much a read can take.
#[derive(Clone, Copy)]
pub enum Room {
    /// A message and no more: that it was filled does not tell whether there is more.
    Exact,
    /// What a server that does not know the length of its messages would have.
    Ample,
}

impl Room {
    fn bytes(self) -> usize {
        match self {
            Room::Exact => MESSAGE.len(),
            Room::Ample => 4_096,
        }
    }
}

/// Round trips of each client. Ordering: only that client writes.
type Counts = Arc<[AtomicU64]>;

pub fn run<R: Runtime>(
    scale: Scale,
    connections: usize,
    threads: usize,
    room: Room,
) -> Result<Figures> {
    let connections = scale.connections(connections);
    let window = scale.time(Duration::from_secs(1));
    let (listener, address) = listener()?;
    R::run(threads, async move {
        R::spawn(serve::<R>(R::listener(listener)?, room));
        let counts: Counts = (0..connections).map(|_| AtomicU64::new(0)).collect();
        for index in 0..connections {
            R::spawn(ask::<R>(address, counts.clone(), index, room));
        }
        let begin = Instant::now();
        while !counts.iter().all(|count| count.load(Relaxed) > 0) {
            ensure!(begin.elapsed() < LIMIT, "not all clients were answered");
            R::after(Duration::from_millis(10)).await;
        }
        R::after(window / 4).await;
        let (before, start) = (sum(&counts), Instant::now());
        R::after(window).await;
        let count = sum(&counts) - before;
        Ok(vec![("per_s", count as f64 / start.elapsed().as_secs_f64())])
    })
}

fn sum(counts: &Counts) -> u64 {
    counts.iter().map(|count| count.load(Relaxed)).sum()
}

async fn serve<R: Runtime>(listener: R::Listener, room: Room) {
    loop {
        let mut stream = R::accept(&listener).await.expect("a connection");
        R::spawn(async move {
            let mut buffer = vec![0; room.bytes()];
            while let Ok(read @ 1..) = R::read_within(&mut stream, &mut buffer, LIMIT).await {
                R::write_all(&mut stream, &buffer[..read]).await.expect("the client is there");
            }
        });
    }
}

async fn ask<R: Runtime>(address: SocketAddr, counts: Counts, index: usize, room: Room) {
    let mut stream = R::connect(address).await.expect("a connection");
    let mut buffer = vec![0; room.bytes()];
    loop {
        R::write_all(&mut stream, &MESSAGE).await.expect("the server is there");
        let read = R::read_within(&mut stream, &mut buffer, LIMIT).await.expect("an answer");
        assert_eq!(read, MESSAGE.len());
        counts[index].store(counts[index].load(Relaxed) + 1, Relaxed);
    }
}
