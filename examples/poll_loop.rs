//! Timers and I/O of this crate in a loop around `poll(2)`, with no thread beside it.
//!
//! The loop reads lines from the standard input, and sleeps in `poll` for those and for the
//! reactor. Tasks are one future, polled in the same loop. It ends when that is done.
//!
//! ```sh
//! seq 3 | cargo run --example poll_loop
//! ```

#[cfg(unix)]
#[path = "event_loops/work.rs"]
mod work;

#[cfg(unix)]
fn main() -> std::io::Result<()> {
    use std::future::Future;
    use std::io;
    use std::pin::pin;
    use std::sync::Arc;
    use std::task::{Context, Poll, Wake, Waker};
    use std::time::{Duration, Instant};

    use async_wheel::{Builder, driver, os::unix::reactor_fd};
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    /// Ends the sleep of the loop, from whichever thread.
    struct Notify;

    impl Wake for Notify {
        fn wake(self: Arc<Self>) {
            driver::notify();
        }
    }

    /// How long the loop may sleep: on Linux the descriptor is readable when a timer is due.
    fn limit() -> Option<Timespec> {
        if cfg!(target_os = "linux") {
            return None;
        }
        let left = driver::next_deadline()?.saturating_duration_since(Instant::now());
        Timespec::try_from(left).ok()
    }

    Builder::new().fallback_thread(false).build()?;
    let reactor = reactor_fd().ok_or(io::ErrorKind::Unsupported)?;
    let stdin = io::stdin();
    let mut input_is_open = true;

    let waker = Waker::from(Arc::new(Notify));
    let mut cx = Context::from_waker(&waker);
    let mut task = pin!(work::work());
    loop {
        if let Poll::Ready(result) = task.as_mut().poll(&mut cx) {
            return result;
        }
        let mut fds = [PollFd::new(&reactor, PollFlags::IN), PollFd::new(&stdin, PollFlags::IN)];
        let watched = if input_is_open { 2 } else { 1 };
        match poll(&mut fds[..watched], limit().as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        // Whatever has ended the sleep. This wakes tasks, and never sleeps.
        driver::drive(Some(Duration::ZERO))?;
        if input_is_open && !fds[1].revents().is_empty() {
            let mut buffer = [0; 1_024];
            let count = rustix::io::read(&stdin, &mut buffer)?;
            input_is_open = count > 0;
            String::from_utf8_lossy(&buffer[..count])
                .lines()
                .for_each(|line| println!("input {line}"));
        }
    }
}

#[cfg(not(unix))]
fn main() {
    println!("This system has no poll(2).");
}
