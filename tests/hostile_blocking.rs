//! Wakers that block, or call `block_on`, on the fallback thread: threads in `block_on` do
//! without it. In processes of their own: they keep the fallback thread busy.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Wake, Waker};
use std::thread;
use std::time::Duration;

use async_wheel::{Timer, block_on, diagnostics};
use common::{armed, eventually, in_time, process, watchdog};
use futures_lite::future;

const MS: Duration = Duration::from_millis(1);

/// Blocks the thread that wakes it until it is released.
#[derive(Default)]
struct Blocks {
    calls: AtomicUsize,
    released: Mutex<bool>,
    signal: Condvar,
}

impl Blocks {
    fn release(&self) {
        *self.released.lock().unwrap() = true;
        self.signal.notify_all();
    }
}

impl Wake for Blocks {
    fn wake(self: Arc<Self>) {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let released = self.released.lock().unwrap();
        drop(self.signal.wait_while(released, |released| !*released).unwrap());
    }
}

#[test]
fn threads_that_share_a_shard_take_over_from_one_another_while_the_fallback_is_blocked() {
    let name =
        "threads_that_share_a_shard_take_over_from_one_another_while_the_fallback_is_blocked";
    process::alone(name, take_over_from_one_another);
}

fn take_over_from_one_another() {
    let _watchdog = watchdog();
    let blocks = Arc::new(Blocks::default());
    let timer = armed(&Waker::from(blocks.clone()), || Timer::after(10 * MS));
    eventually("the fallback is blocked", || blocks.calls.load(Ordering::SeqCst) == 1);
    // More threads than shards. Those that drive are done first, one after the other.
    let shards = thread::available_parallelism().map_or(1, usize::from);
    let threads: Vec<_> = (0..4 * shards as u32)
        .map(|index| {
            let thread = thread::spawn(move || {
                for round in 1..4 {
                    let wait = Timer::after((20 + 5 * index) * round * MS);
                    block_on(in_time("a timer while the fallback is blocked", wait));
                }
            });
            // In an order, so that each shard's first thread is its driver.
            thread::sleep(MS);
            thread
        })
        .collect();
    let results: Vec<_> = threads.into_iter().map(thread::JoinHandle::join).collect();
    blocks.release();
    assert!(results.iter().all(Result::is_ok));
    drop(timer);
    future::block_on(in_time("the fallback is back", Timer::after(MS)));
}

#[test]
fn a_waker_that_calls_block_on_on_the_fallback_thread_gives_it_no_home() {
    process::alone(
        "a_waker_that_calls_block_on_on_the_fallback_thread_gives_it_no_home",
        calls_block_on_on_the_fallback_thread,
    );
}

fn calls_block_on_on_the_fallback_thread() {
    let _watchdog = watchdog();
    struct Calls(AtomicUsize);
    impl Wake for Calls {
        fn wake(self: Arc<Self>) {
            assert_eq!(thread::current().name(), Some("async-wheel"));
            block_on(async {
                Timer::after(MS).await;
                block_on(Timer::after(MS));
            });
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    // Two shards at least, if there are two processors.
    let stays = thread::spawn(|| block_on(Timer::after(20 * MS)));
    block_on(Timer::after(MS));
    stays.join().unwrap();
    let calls = Arc::new(Calls(AtomicUsize::new(0)));
    for round in 1..=5 {
        let _timer = armed(&Waker::from(calls.clone()), || Timer::after(5 * MS));
        eventually("its waker was called", || calls.0.load(Ordering::SeqCst) == round);
    }
    // This thread and that one have homes; those of threads that are gone are given up, and
    // the fallback never goes.
    let reports = thread::spawn(|| block_on(async { diagnostics::shards() })).join().unwrap();
    assert_eq!(reports.iter().map(|report| report.threads).sum::<usize>(), 2, "{reports:#?}");
}
