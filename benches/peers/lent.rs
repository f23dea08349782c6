//! TCP echo on runtimes whose tasks stay in their thread. Most read into buffers that they are lent,
//! so that they cannot do the workloads of `compare` as those are written.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use compare::runtimes::Timers;
use compare::workloads::{self, CORE_CONNECTIONS, Figures, MESSAGE, Scale, Workload, served};

/// What a read or a write gives back.
pub type Lent<T> = (io::Result<T>, Vec<u8>);

/// Streams and tasks of one thread, within [`Timers::block_on`].
pub trait Streams: Timers {
    type Listener: 'static;
    type Stream: 'static;

    fn listener(listener: TcpListener) -> io::Result<Self::Listener>;
    /// Streams send at once, whatever the size.
    fn accept(listener: &Self::Listener) -> impl Future<Output = io::Result<Self::Stream>>;
    fn connect(address: SocketAddr) -> impl Future<Output = io::Result<Self::Stream>>;
    fn read(stream: &mut Self::Stream, buffer: Vec<u8>) -> impl Future<Output = Lent<usize>>;
    fn write_all(stream: &mut Self::Stream, bytes: Vec<u8>) -> impl Future<Output = Lent<()>>;
    fn spawn(task: impl Future<Output = ()> + 'static);
}

/// Runs a workload: of streams here, any other by `timers`.
pub fn run<S: Streams>(
    workload: Workload,
    scale: Scale,
    timers: fn(Workload, Scale) -> Result<Figures>,
) -> Result<Figures> {
    match workload {
        Workload::CoreEcho => served::by_threads(scale, CORE_CONNECTIONS, |listener| {
            S::block_on(serve::<S>(listener))
        }),
        Workload::RoundTrip => round_trip::<S>(scale),
        _ => timers(workload, scale),
    }
}

async fn serve<S: Streams>(listener: TcpListener) {
    let listener = S::listener(listener).expect("a listener");
    loop {
        let stream = S::accept(&listener).await.expect("a connection");
        S::spawn(answer::<S>(stream));
    }
}

async fn answer<S: Streams>(mut stream: S::Stream) {
    let mut buffer = vec![0; MESSAGE.len()];
    loop {
        let (read, mut filled) = S::read(&mut stream, buffer).await;
        let Ok(read @ 1..) = read else { return };
        filled.truncate(read);
        let (written, mut back) = S::write_all(&mut stream, filled).await;
        written.expect("the client is there");
        back.resize(MESSAGE.len(), 0);
        buffer = back;
    }
}

/// One connection between two threads.
fn round_trip<S: Streams>(scale: Scale) -> Result<Figures> {
    let measured = scale.count(50_000);
    let (listener, address) = workloads::listener()?;
    let server = thread::spawn(move || {
        S::block_on(async {
            let stream = S::accept(&S::listener(listener)?).await?;
            answer::<S>(stream).await;
            anyhow::Ok(())
        })
    });
    let time = S::block_on(async {
        let mut stream = S::connect(address).await?;
        exchange::<S>(&mut stream, measured / 10).await?;
        exchange::<S>(&mut stream, measured).await
    })?;
    server.join().map_err(|_| anyhow!("the server panicked"))??;
    Ok(vec![("us", time.as_nanos() as f64 / measured as f64 / 1e3)])
}

async fn exchange<S: Streams>(stream: &mut S::Stream, times: usize) -> Result<Duration> {
    let start = Instant::now();
    let mut buffer = MESSAGE.to_vec();
    for _ in 0..times {
        let (written, back) = S::write_all(stream, buffer).await;
        written?;
        // A message is small enough to come in one piece.
        let (read, filled) = S::read(stream, back).await;
        ensure!(read? == MESSAGE.len() && filled == MESSAGE, "not what was sent");
        buffer = filled;
    }
    Ok(start.elapsed())
}
