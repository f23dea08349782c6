//! A wake that is passed to and fro between two threads, each with a timer pending.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use atomic_waker::AtomicWaker;
use futures_lite::future;

use super::{Figures, Scale, mark};
use crate::runtimes::Runtime;

/// What one thread sets and the other waits for. A channel has locks, which it holds while it wakes:
/// the thread that it wakes would meet them.
#[derive(Default)]
struct Signal {
    is_set: AtomicBool,
    waker: AtomicWaker,
}

impl Signal {
    fn set(&self) {
        // Ordering: Release, with the Acquire in `take`.
        self.is_set.store(true, Ordering::Release);
        self.waker.wake();
    }

    fn take(&self) -> Poll<()> {
        // Ordering: Acquire, with the Release in `set`.
        if self.is_set.swap(false, Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
    }

    async fn wait(&self) {
        poll_fn(|cx| {
            if self.take().is_ready() {
                return Poll::Ready(());
            }
            self.waker.register(cx.waker());
            self.take()
        })
        .await
    }
}

pub fn run<R: Runtime>(scale: Scale) -> Result<Figures> {
    let (warm_up, measured) = (scale.count(5_000), scale.count(50_000));
    let [there, back] = [(); 2].map(|()| Arc::new(Signal::default()));
    let other = thread::spawn({
        let (there, back) = (there.clone(), back.clone());
        move || {
            R::block_on(with_timer::<R, _>(async {
                for times in [warm_up, measured] {
                    answer(times, &there, &back).await;
                    mark();
                }
            }))
        }
    });
    let time = R::block_on(with_timer::<R, _>(async {
        ask(warm_up, &there, &back).await;
        mark();
        let start = Instant::now();
        ask(measured, &there, &back).await;
        let time = start.elapsed();
        mark();
        time
    }))?;
    other.join().map_err(|_| anyhow!("the other thread panicked"))??;
    Ok(vec![
        ("us", time.as_nanos() as f64 / measured as f64 / 1e3),
        ("operations", measured as f64),
    ])
}

async fn ask(times: usize, there: &Signal, back: &Signal) {
    for _ in 0..times {
        there.set();
        back.wait().await;
    }
}

async fn answer(times: usize, there: &Signal, back: &Signal) {
    for _ in 0..times {
        there.wait().await;
        back.set();
    }
}

async fn with_timer<R: Runtime, T>(work: impl Future<Output = T>) -> Result<T> {
    let mut timer = pin!(R::after(Duration::from_secs(60)));
    ensure!(future::poll_once(timer.as_mut()).await.is_none());
    Ok(work.await)
}
