//! Timers and I/O of this crate in a program that runs on tokio, driven by a task of tokio's, with
//! no thread beside its own.
//!
//! In a runtime of one thread, and in one with two workers.

#[cfg(target_os = "linux")]
#[path = "event_loops/work.rs"]
mod work;

#[cfg(target_os = "linux")]
fn main() -> std::io::Result<()> {
    use std::io;
    use std::time::Duration;

    use async_wheel::{Builder, driver, os::unix::reactor_fd};
    use tokio::io::{Interest, unix::AsyncFd};
    use tokio::runtime;

    /// Drives as long as the runtime lives.
    async fn drive() -> io::Result<()> {
        let reactor = reactor_fd().ok_or(io::ErrorKind::Unsupported)?;
        // What is readable by now, for a timer of earlier, makes an edge as well.
        // SAFETY: the descriptor stays open for the life of the process.
        let reactor = unsafe { AsyncFd::register_with_interest(reactor, Interest::READABLE)? };
        loop {
            // Cleared first: what comes during the rounds makes another edge.
            reactor.readable().await?.clear_ready();
            // What the last round has left does not, so that there are rounds until nothing is.
            while driver::drive(Some(Duration::ZERO))? != driver::Round::default() {
                tokio::task::yield_now().await;
            }
        }
    }

    async fn main() -> io::Result<()> {
        let driver = tokio::spawn(drive());
        let work = tokio::spawn(work::work());
        tokio::select! {
            result = driver => result?,
            result = work => result?,
        }
    }

    Builder::new().fallback_thread(false).build()?;
    println!("one thread");
    runtime::Builder::new_current_thread().enable_io().build()?.block_on(main())?;
    println!("two workers");
    runtime::Builder::new_multi_thread().worker_threads(2).enable_io().build()?.block_on(main())
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("Only on Linux is the reactor's descriptor readable for timers.");
}
