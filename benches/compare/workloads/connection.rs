//! TCP connections one after the other: each is accepted, has one message echoed, and is closed.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};

use super::clients::connect;
use super::{Figures, MESSAGE, Scale, listener, mark};
use crate::runtimes::Runtime;

/// What a client does before each step, so that the server has to wait for it.
pub const PAUSE: Duration = Duration::from_millis(1);

/// The server is in this thread, the client in another.
pub fn run<R: Runtime>(scale: Scale, pause: Option<Duration>) -> Result<Figures> {
    let (warm_up, measured) = (scale.count(200), scale.count(2_000));
    let (listener, address) = listener()?;
    let client = thread::spawn(move || talk(address, warm_up + measured, pause));
    let time = R::block_on(async {
        let listener = R::listener(listener)?;
        serve::<R>(&listener, warm_up).await?;
        mark();
        let start = Instant::now();
        serve::<R>(&listener, measured).await?;
        let time = start.elapsed();
        mark();
        anyhow::Ok(time)
    })?;
    client.join().map_err(|_| anyhow!("the client panicked"))??;
    Ok(vec![
        ("us", time.as_nanos() as f64 / measured as f64 / 1e3),
        ("operations", measured as f64),
    ])
}

async fn serve<R: Runtime>(listener: &R::Listener, times: usize) -> Result<()> {
    let mut buffer = MESSAGE;
    for _ in 0..times {
        let mut stream = R::accept(listener).await?;
        while let read @ 1.. = R::read(&mut stream, &mut buffer).await? {
            R::write_all(&mut stream, &buffer[..read]).await?;
        }
    }
    Ok(())
}

fn talk(address: SocketAddr, times: usize, pause: Option<Duration>) -> Result<()> {
    let wait = || pause.map_or((), thread::sleep);
    let mut buffer = [0; MESSAGE.len()];
    for _ in 0..times {
        wait();
        let mut stream = connect(&address)?;
        wait();
        stream.write_all(&MESSAGE)?;
        stream.read_exact(&mut buffer)?;
        ensure!(buffer == MESSAGE, "not what was sent");
        wait();
    }
    Ok(())
}
