//! A wake that is passed to and fro between two threads, each with a timer pending.

use std::pin::pin;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use async_channel::{Receiver, Sender, bounded};
use futures_lite::future;

use super::{Figures, Scale};
use crate::runtimes::Runtime;

pub fn run<R: Runtime>(scale: Scale) -> Result<Figures> {
    let (warm_up, measured) = (scale.count(5_000), scale.count(50_000));
    let (there, there_out) = bounded(1);
    let (back, back_out) = bounded(1);
    let other = thread::spawn(move || {
        R::block_on(with_timer::<R, _>(async {
            while there_out.recv().await.is_ok() {
                back.send(()).await?;
            }
            Ok(())
        }))
    });
    let time = R::block_on(with_timer::<R, _>(async {
        pass(warm_up, &there, &back_out).await?;
        let start = Instant::now();
        pass(measured, &there, &back_out).await?;
        Ok(start.elapsed())
    }))?;
    drop(there);
    other.join().map_err(|_| anyhow!("the other thread panicked"))??;
    Ok(vec![("us", time.as_nanos() as f64 / measured as f64 / 1e3)])
}

async fn pass(times: usize, there: &Sender<()>, back: &Receiver<()>) -> Result<()> {
    for _ in 0..times {
        there.send(()).await?;
        back.recv().await?;
    }
    Ok(())
}

async fn with_timer<R: Runtime, T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let mut timer = pin!(R::after(Duration::from_secs(60)));
    ensure!(future::poll_once(timer.as_mut()).await.is_none());
    work.await
}
