//! Timers and I/O of this crate in an event loop of calloop's, with no thread beside it.

#[cfg(target_os = "linux")]
#[path = "event_loops/work.rs"]
mod work;

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use std::future::Future;
    use std::io;
    use std::pin::pin;
    use std::sync::Arc;
    use std::task::{Context, Poll, Wake, Waker};
    use std::time::Duration;

    use async_wheel::{Builder, driver, os::unix::reactor_fd};
    use calloop::{EventLoop, Interest, Mode, PostAction, generic::Generic};

    /// Ends the sleep of the loop, from whichever thread.
    struct Notify;

    impl Wake for Notify {
        fn wake(self: Arc<Self>) {
            driver::notify();
        }
    }

    Builder::new().fallback_thread(false).build()?;
    let reactor = reactor_fd().ok_or(io::Error::from(io::ErrorKind::Unsupported))?;
    let mut event_loop = EventLoop::try_new()?;
    // Readable as long as something is left, so that one round a turn of the loop is enough, and
    // calloop's other sources have their turn.
    let source = Generic::new(reactor, Interest::READ, Mode::Level);
    event_loop.handle().insert_source(source, |_, _, _: &mut ()| {
        driver::drive(Some(Duration::ZERO)).map(|_| PostAction::Continue)
    })?;

    let waker = Waker::from(Arc::new(Notify));
    let mut cx = Context::from_waker(&waker);
    let mut task = pin!(work::work());
    loop {
        if let Poll::Ready(result) = task.as_mut().poll(&mut cx) {
            return Ok(result?);
        }
        event_loop.dispatch(None, &mut ())?;
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("Only on Linux is the reactor's descriptor readable for timers.");
}
