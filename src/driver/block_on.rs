//! `block_on`, as users call it.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use super::context::Call;
use super::run;
use super::task_poll::TaskPoll;
use crate::handoff::Parker;

/// Runs a future to its end on this thread, which drives timers and I/O while it waits.
///
/// The thread gets a home shard (a poller and a timing wheel) for its life: the timers and I/O
/// that it waits for land there, and while its future has nothing to do, it sleeps in that
/// poller. Several threads in `block_on` use several shards, up to as many as there are processors,
/// or as [`Builder::shards`](crate::Builder::shards) says. A thread that computes for long is stood
/// in for by a helper thread, `async-wheel`.
///
/// Calls may be nested; each has its own waker. A waker that is kept after its call has
/// returned does nothing any more.
///
/// # After a fork
///
/// The child of a `fork` without `exec` gets a reactor of its own as soon as it needs one, and
/// calls `block_on` like any process. The calls that were going on when the process forked are
/// the parent's: the copy in the child panics when it would have to wait.
///
/// # Panics
///
/// If the future does, and as said above after a fork; with the feature `test-util`, also while
/// time is paused and nothing can happen any more. The next call on this thread is none the worse
/// for it.
///
/// # Examples
///
/// ```
/// use async_wheel::Timer;
/// use std::time::{Duration, Instant};
///
/// let start = Instant::now();
/// async_wheel::block_on(async {
///     Timer::after(Duration::from_millis(5)).await;
/// });
/// assert!(start.elapsed() >= Duration::from_millis(5));
/// ```
#[cfg_attr(feature = "test-util", track_caller)]
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    #[cfg(feature = "tracing")]
    let _span = tracing::trace_span!("async_wheel::block_on").entered();
    #[cfg(feature = "test-util")]
    if let Some(call) = super::paused::Call::enter() {
        return call.run(future);
    }
    match Call::enter() {
        Ok(mut call) => {
            let shard = call.shard.clone();
            let parts = call.parts();
            let waker = Waker::from(parts.me.clone());
            let mut future = pin!(future);
            let future = pin!(poll_fn(|cx| {
                let _during = TaskPoll::begin();
                future.as_mut().poll(cx)
            }));
            run::run(&shard, &parts.me, &waker, &mut parts.batch, future)
        }
        Err(_) => block_on_without_reactor(future),
    }
}

/// For a process that has no descriptors or threads left for a reactor: the future is polled
/// and woken like any other. If it uses a timer or I/O, that returns the error.
#[cold]
fn block_on_without_reactor<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Parker);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            // It never enters a poller, so that there is nothing left to do.
            let _ = self.0.unpark();
        }
    }
    let me = Arc::new(Unpark(Parker::new()));
    let waker = Waker::from(me.clone());
    let cx = &mut Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return output;
        }
        me.0.park();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;
    use std::time::Duration;

    #[test]
    fn future_without_reactor_sleeps_until_woken() {
        let mut polls = 0;
        let output = block_on_without_reactor(poll_fn(|cx| {
            polls += 1;
            let waker = cx.waker().clone();
            match polls {
                1 => waker.wake(),
                2 => {
                    thread::spawn(|| {
                        thread::sleep(Duration::from_millis(20));
                        waker.wake();
                    });
                }
                _ => return Poll::Ready("done"),
            }
            Poll::Pending
        }));
        assert_eq!(output, "done");
        assert_eq!(polls, 3);
    }
}
