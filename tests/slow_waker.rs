//! A waker that blocks holds up whoever calls it, and nobody else. A binary of its own: it
//! keeps the fallback thread busy.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Wake, Waker};
use std::thread;
use std::time::Duration;

use async_wheel::{Async, Timer, block_on};
use common::{armed, eventually, in_time, watchdog};

const MS: Duration = Duration::from_millis(1);

/// Blocks the thread that calls it until it is released.
#[derive(Default)]
struct Slow {
    calls: AtomicUsize,
    release: AtomicBool,
}

impl Wake for Slow {
    fn wake(self: Arc<Self>) {
        self.calls.fetch_add(1, Ordering::SeqCst);
        while !self.release.load(Ordering::SeqCst) {
            thread::sleep(MS);
        }
    }
}

/// A waker blocks the fallback thread: threads in `block_on` go on, and the timer itself can be set
/// and dropped.
#[test]
fn blocking_waker_delays_only_its_thread() {
    let _watchdog = watchdog();
    let slow = Arc::new(Slow::default());
    let mut timer = armed(&Waker::from(slow.clone()), || Timer::after(20 * MS));
    eventually("the slow waker was called", || slow.calls.load(Ordering::SeqCst) == 1);
    // The fallback is stuck in it. A thread in `block_on` goes on, on the very same shard if
    // there is no other.
    for _ in 0..4 {
        let thread = thread::spawn(|| {
            block_on(async {
                for _ in 0..5 {
                    in_time("a timer beside a stuck waker", Timer::after(MS)).await;
                    let source = Async::<std::net::UdpSocket>::bind(([127, 0, 0, 1], 0)).unwrap();
                    let address = source.get_ref().local_addr().unwrap();
                    source.send_to(b"go on", address).await.unwrap();
                    in_time("a source beside a stuck waker", source.readable()).await.unwrap();
                }
            });
        });
        thread.join().unwrap();
    }
    // Timers can be set and dropped meanwhile, the stuck one too.
    timer.set_after(MS);
    drop(timer);
    slow.release.store(true, Ordering::SeqCst);
    futures_lite::future::block_on(in_time("the fallback is back", Timer::after(MS)));
}
