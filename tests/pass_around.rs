//! Live connections that are passed around among threads, each with a shard of its own where there
//! are as many. Both ends go on with streams of bytes that tell their own places; a connection on
//! which nothing arrives for a while has lost a wake.
//!
//! `PASS_AROUND_SECONDS` says how long, `PASS_AROUND_SEED` repeats the same choices.

#![cfg(unix)]

mod common;

use std::cell::Cell;
use std::env;
use std::io::{self, Read};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use async_channel::{Receiver, Sender, unbounded};
use async_executor::LocalExecutor;
use async_wheel::{Async, block_on, diagnostics};
use common::{MS, PATIENCE, sockets::LOOPBACK};
use futures_lite::{AsyncReadExt, AsyncWriteExt, FutureExt};
use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_send_buffer_size};

const THREADS: usize = 8;
/// Of each kind.
const CONNECTIONS: usize = 24;
/// The most bytes that one operation asks for.
const MOST: usize = 3000;

/// What all threads see.
struct Shared {
    start: Instant,
    seed: u64,
    /// Nobody begins to send any more.
    stop: AtomicBool,
    /// The inbox of each thread.
    inboxes: Vec<Sender<End>>,
    ends: Vec<Progress>,
    left: AtomicUsize,
    passes: AtomicU64,
}

/// How far an end has got.
#[derive(Default)]
struct Progress {
    sent: AtomicU64,
    received: AtomicU64,
    /// When it last received something, in milliseconds from the start.
    last: AtomicU64,
    passes: AtomicU64,
    /// All was received.
    ended: AtomicBool,
}

enum Stream {
    Unix(Async<UnixStream>),
    Tcp(Async<TcpStream>),
}

/// An end of a connection, which is one thread's at a time.
struct End {
    index: usize,
    stream: Stream,
    sent: u64,
    received: u64,
    /// It sends so much more than it has received: little, and both ends have to wait for nearly
    /// each byte.
    window: u64,
    is_shut: bool,
}

/// The byte at a place of the stream that an end sends.
fn byte(sender: usize, at: u64) -> u8 {
    let mixed = (at ^ ((sender as u64) << 40)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 56) as u8
}

impl End {
    fn peer(&self) -> usize {
        self.index ^ 1
    }

    /// Reads something, in one of the ways to do it. `false` at the end of the stream.
    async fn read(&self, shared: &Shared, received: &Cell<u64>, way: u8) -> bool {
        let mut bytes = vec![0; fastrand::usize(1..=MOST)];
        let read = match (&self.stream, way) {
            (Stream::Unix(stream), 0) => { stream }.read(&mut bytes).await,
            (Stream::Tcp(stream), 0) => { stream }.read(&mut bytes).await,
            (Stream::Unix(stream), 1) => stream.read_with(|mut it| it.read(&mut bytes)).await,
            (Stream::Tcp(stream), 1) => stream.read_with(|mut it| it.read(&mut bytes)).await,
            (Stream::Unix(stream), _) => retry(stream, |mut it| it.read(&mut bytes)).await,
            (Stream::Tcp(stream), _) => retry(stream, |mut it| it.read(&mut bytes)).await,
        };
        let read = read.unwrap_or_else(|error| panic!("end {}: {error}", self.index));
        let from = received.get();
        for (at, is) in (from..).zip(&bytes[..read]) {
            assert_eq!(*is, byte(self.peer(), at), "end {}: byte {at} is another", self.index);
        }
        received.set(from + read as u64);
        let progress = &shared.ends[self.index];
        progress.received.store(received.get(), Ordering::SeqCst);
        progress.last.store(shared.start.elapsed().as_millis() as u64, Ordering::SeqCst);
        read > 0
    }

    async fn write(&self, shared: &Shared, sent: &Cell<u64>, most: u64) {
        let length = most.min(fastrand::u64(1..=MOST as u64));
        let bytes: Vec<u8> =
            (sent.get()..).take(length as usize).map(|at| byte(self.index, at)).collect();
        let written = match &self.stream {
            Stream::Unix(stream) => { stream }.write(&bytes).await,
            Stream::Tcp(stream) => { stream }.write(&bytes).await,
        };
        let written = written.unwrap_or_else(|error| panic!("end {}: {error}", self.index));
        sent.set(sent.get() + written as u64);
        shared.ends[self.index].sent.store(sent.get(), Ordering::SeqCst);
    }

    /// Sends and receives for a number of steps. `false` when all was received.
    async fn stay(&mut self, shared: &Shared, steps: u32) -> bool {
        let (sent, received) = (Cell::new(self.sent), Cell::new(self.received));
        let mut goes_on = true;
        for _ in 0..steps {
            let way = fastrand::u8(..3);
            if !self.is_shut && shared.stop.load(Ordering::SeqCst) {
                match &self.stream {
                    Stream::Unix(stream) => stream.get_ref().shutdown(std::net::Shutdown::Write),
                    Stream::Tcp(stream) => stream.get_ref().shutdown(std::net::Shutdown::Write),
                }
                .unwrap();
                self.is_shut = true;
            }
            let room = (received.get() + self.window).saturating_sub(sent.get());
            let read = self.read(shared, &received, way);
            goes_on = if self.is_shut || room == 0 {
                read.await
            } else {
                // Whichever is first. The other one's wait is given up.
                let write = async {
                    self.write(shared, &sent, room).await;
                    true
                };
                write.or(read).await
            };
            if !goes_on {
                break;
            }
        }
        (self.sent, self.received) = (sent.get(), received.get());
        goes_on
    }
}

/// Waits for readiness first, as those do who have their own system calls.
async fn retry<T>(
    stream: &Async<T>,
    mut operation: impl FnMut(&T) -> io::Result<usize>,
) -> io::Result<usize> {
    loop {
        stream.readable().await?;
        match operation(stream.get_ref()) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return result,
        }
    }
}

/// Serves an end for a while and passes it on.
async fn serve(mut end: End, shared: &Shared) {
    // Most stay for a few waits; some for more than it takes to move.
    let steps = if fastrand::u8(..4) == 0 { fastrand::u32(20..80) } else { fastrand::u32(1..8) };
    if end.stay(shared, steps).await {
        shared.passes.fetch_add(1, Ordering::SeqCst);
        shared.ends[end.index].passes.fetch_add(1, Ordering::SeqCst);
        let next = fastrand::usize(..THREADS);
        shared.inboxes[next].try_send(end).expect("the inbox is open until all have ended");
        return;
    }
    shared.ends[end.index].ended.store(true, Ordering::SeqCst);
    if shared.left.fetch_sub(1, Ordering::SeqCst) == 1 {
        for inbox in &shared.inboxes {
            inbox.close();
        }
    }
}

fn run(index: usize, inbox: &Receiver<End>, shared: &Shared) {
    fastrand::seed(shared.seed.wrapping_add(index as u64));
    let executor = LocalExecutor::new();
    block_on(executor.run(async {
        while let Ok(end) = inbox.recv().await {
            executor.spawn(serve(end, shared)).detach();
        }
    }));
}

/// Both ends of the connections, wrapped or made by this crate.
fn connect() -> Vec<End> {
    let listener = Async::<TcpListener>::bind(LOOPBACK).unwrap();
    let address = listener.get_ref().local_addr().unwrap();
    let mut streams = Vec::new();
    for number in 0..CONNECTIONS {
        let (ours, theirs) = if number % 2 == 0 {
            Async::<UnixStream>::pair().unwrap()
        } else {
            let (ours, theirs) = UnixStream::pair().unwrap();
            (Async::new(ours).unwrap(), Async::new(theirs).unwrap())
        };
        streams.extend([Stream::Unix(ours), Stream::Unix(theirs)]);
        let client = TcpStream::connect(address).unwrap();
        let (server, _) = block_on(listener.accept()).unwrap();
        client.set_nodelay(true).unwrap();
        server.get_ref().set_nodelay(true).unwrap();
        streams.extend([Stream::Tcp(server), Stream::Tcp(Async::new(client).unwrap())]);
    }
    let end = |(index, stream)| {
        let window = [1, 1, 64, 40_000][index / 4 % 4];
        if window > 1000 {
            // So that writes wait, too.
            let resized = match &stream {
                Stream::Unix(stream) => set_socket_send_buffer_size(stream, 4096),
                Stream::Tcp(stream) => set_socket_send_buffer_size(stream, 4096)
                    .and_then(|()| set_socket_recv_buffer_size(stream, 4096)),
            };
            resized.unwrap();
        }
        End { index, stream, sent: 0, received: 0, window, is_shut: false }
    };
    streams.into_iter().enumerate().map(end).collect()
}

/// Ends the process if a connection has been without a byte for too long, after a report.
fn watch(shared: &Shared) {
    let now = shared.start.elapsed().as_millis() as u64;
    let load = |value: &AtomicU64| value.load(Ordering::SeqCst);
    let hangs = |end: &Progress| {
        let late = now.saturating_sub(load(&end.last)) > PATIENCE.as_millis() as u64;
        late && !end.ended.load(Ordering::SeqCst)
    };
    if !shared.ends.iter().any(hangs) {
        return;
    }
    eprintln!("seed {}: nothing was received for {PATIENCE:?}", shared.seed);
    for (index, pair) in shared.ends.chunks(2).enumerate() {
        for (end, peer) in [(&pair[0], &pair[1]), (&pair[1], &pair[0])] {
            if hangs(end) {
                let (sent, received) = (load(&peer.sent), load(&end.received));
                eprintln!(
                    "connection {index}: {received} of {sent} bytes received, {} passes, ended: {}",
                    load(&end.passes),
                    end.ended.load(Ordering::SeqCst),
                );
            }
        }
    }
    eprintln!("{:#?}", diagnostics::shards());
    std::process::abort();
}

#[test]
fn connections_passed_around_lose_nothing() {
    let seconds = env::var("PASS_AROUND_SECONDS").map_or(5, |seconds| seconds.parse().unwrap());
    let seed =
        env::var("PASS_AROUND_SEED").map_or_else(|_| fastrand::u64(..), |it| it.parse().unwrap());
    println!("PASS_AROUND_SEED={seed}");
    let ends = connect();
    let (inboxes, outlets): (Vec<_>, Vec<_>) = (0..THREADS).map(|_| unbounded()).unzip();
    let shared = Arc::new(Shared {
        start: Instant::now(),
        seed,
        stop: AtomicBool::new(false),
        inboxes,
        left: AtomicUsize::new(ends.len()),
        ends: ends.iter().map(|_| Progress::default()).collect(),
        passes: AtomicU64::new(0),
    });
    for end in ends {
        shared.inboxes[end.index % THREADS].try_send(end).unwrap();
    }
    let threads: Vec<_> = (0..)
        .zip(outlets)
        .map(|(index, outlet)| {
            let shared = shared.clone();
            thread::spawn(move || run(index, &outlet, &shared))
        })
        .collect();
    let received =
        || shared.ends.iter().map(|end| end.received.load(Ordering::SeqCst)).sum::<u64>();
    let migrations = || diagnostics::shards().iter().map(|it| it.migrations).sum::<usize>();
    // A busy machine takes longer to do as much. Where nothing can move, there is one shard.
    let enough = || {
        let moved = migrations() > 0 || diagnostics::shards().len() == 1;
        moved && shared.passes.load(Ordering::SeqCst) > 1000 && received() > 1_000_000
    };
    let mut said = Instant::now();
    let mut failed = false;
    while !failed && !threads.iter().all(thread::JoinHandle::is_finished) {
        thread::sleep(20 * MS);
        let time = shared.start.elapsed().saturating_sub(Duration::from_secs(seconds));
        if !time.is_zero() && (enough() || time > PATIENCE) {
            shared.stop.store(true, Ordering::SeqCst);
        }
        watch(&shared);
        // One that has ended before the others has panicked.
        failed = shared.left.load(Ordering::SeqCst) > 0
            && threads.iter().any(thread::JoinHandle::is_finished);
        if said.elapsed() >= Duration::from_secs(5) {
            said = Instant::now();
            println!(
                "{:?}: {} passes, {} bytes, {} migrations",
                shared.start.elapsed(),
                shared.passes.load(Ordering::SeqCst),
                received(),
                migrations(),
            );
        }
    }
    assert!(!failed, "seed {seed}: a thread has ended early");
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    for pair in shared.ends.chunks(2) {
        for (end, peer) in [(&pair[0], &pair[1]), (&pair[1], &pair[0])] {
            let [sent, received] =
                [&peer.sent, &end.received].map(|count| count.load(Ordering::SeqCst));
            assert_eq!(sent, received, "seed {seed}: bytes were lost");
        }
    }
    let (shards, passes) = (diagnostics::shards(), shared.passes.load(Ordering::SeqCst));
    let (bytes, moved) = (received(), migrations());
    println!("{} shards, {passes} passes, {bytes} bytes, {moved} migrations", shards.len());
    assert_eq!(shards.iter().map(|shard| shard.sources).sum::<usize>(), 0, "all have ended");
    assert!(passes > 1000 && bytes > 1_000_000, "hardly anything happened");
    assert!(moved > 0 || shards.len() == 1, "nothing has moved");
}
