//! One TCP connection between two threads.

use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};

use super::{Figures, MESSAGE, Scale, listener, mark};
use crate::runtimes::Runtime;

/// How many round trips, and what limits each read.
#[derive(Clone, Copy)]
struct Plan {
    warm_up: usize,
    measured: usize,
    limit: Option<Duration>,
}

impl Plan {
    fn new(measured: usize, limit: Option<Duration>) -> Plan {
        Plan { warm_up: measured / 10, measured, limit }
    }
}

/// Each thread in the runtime's `block_on`.
pub fn run<R: Runtime>(scale: Scale, limit: Option<Duration>) -> Result<Figures> {
    let plan = Plan::new(scale.count(50_000), limit);
    between_threads(
        plan,
        move |listener| R::block_on(serve::<R>(listener, plan)),
        |address| R::block_on(ask::<R>(address, plan)),
    )
}

/// Neither thread ever in the runtime's `block_on`, so that another thread drives the I/O.
pub fn through_fallback<R: Runtime>(scale: Scale) -> Result<Figures> {
    let plan = Plan::new(scale.count(20_000), None);
    between_threads(
        plan,
        move |listener| R::outside(serve::<R>(listener, plan)),
        |address| R::outside(ask::<R>(address, plan)),
    )
}

fn between_threads(
    plan: Plan,
    serve: impl FnOnce(TcpListener) -> Result<()> + Send + 'static,
    ask: impl FnOnce(SocketAddr) -> Result<Duration>,
) -> Result<Figures> {
    let (listener, address) = listener()?;
    let server = thread::spawn(move || serve(listener));
    let time = ask(address)?;
    server.join().map_err(|_| anyhow!("the server panicked"))??;
    Ok(vec![
        ("us", time.as_nanos() as f64 / plan.measured as f64 / 1e3),
        ("operations", plan.measured as f64),
    ])
}

async fn serve<R: Runtime>(listener: TcpListener, plan: Plan) -> Result<()> {
    let mut stream = R::accept(&R::listener(listener)?).await?;
    answer::<R>(&mut stream, plan.warm_up, plan.limit).await?;
    mark();
    answer::<R>(&mut stream, plan.measured, plan.limit).await?;
    mark();
    Ok(())
}

async fn answer<R: Runtime>(
    stream: &mut R::Stream,
    times: usize,
    limit: Option<Duration>,
) -> Result<()> {
    let mut buffer = MESSAGE;
    for _ in 0..times {
        read::<R>(stream, &mut buffer, limit).await?;
        R::write_all(stream, &buffer).await?;
    }
    Ok(())
}

async fn ask<R: Runtime>(address: SocketAddr, plan: Plan) -> Result<Duration> {
    let mut stream = R::connect(address).await?;
    exchange::<R>(&mut stream, plan.warm_up, plan.limit).await?;
    mark();
    let start = Instant::now();
    exchange::<R>(&mut stream, plan.measured, plan.limit).await?;
    let time = start.elapsed();
    mark();
    Ok(time)
}

async fn exchange<R: Runtime>(
    stream: &mut R::Stream,
    times: usize,
    limit: Option<Duration>,
) -> Result<()> {
    let mut buffer = MESSAGE;
    for _ in 0..times {
        R::write_all(stream, &MESSAGE).await?;
        read::<R>(stream, &mut buffer, limit).await?;
    }
    Ok(())
}

/// A message is small enough to come in one piece.
async fn read<R: Runtime>(
    stream: &mut R::Stream,
    buffer: &mut [u8],
    limit: Option<Duration>,
) -> Result<()> {
    let read = match limit {
        Some(limit) => R::read_within(stream, buffer, limit).await?,
        None => R::read(stream, buffer).await?,
    };
    ensure!(read == buffer.len(), "a message of {read} bytes");
    Ok(())
}
