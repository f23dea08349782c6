//! Waits for a signal: its handler writes a byte into a pipe, and the pipe is waited for.
//!
//! Ends at Ctrl-C, and after a second by itself, by a signal that it sends to itself.

#[cfg(unix)]
fn main() -> std::io::Result<()> {
    use std::os::unix::net::UnixStream;
    use std::time::Duration;

    use async_wheel::{Async, Timer, block_on};
    use futures_lite::{AsyncReadExt, FutureExt};
    use rustix::process::{Signal, getpid, kill_process};

    let (mut reader, writer) = Async::<UnixStream>::pair()?;
    // All that a handler may do is done by the crate: one `write`, which does not block.
    signal_hook::low_level::pipe::register(Signal::INT.as_raw(), writer.into_inner()?)?;

    block_on(async {
        println!("press Ctrl-C, or wait a second");
        let interrupted = async { reader.read_exact(&mut [0]).await };
        let impatient = async {
            Timer::after(Duration::from_secs(1)).await;
            kill_process(getpid(), Signal::INT)?;
            // It comes through the pipe like any other.
            std::future::pending().await
        };
        interrupted.or(impatient).await?;
        println!("interrupted");
        Ok(())
    })
}

#[cfg(not(unix))]
fn main() {
    println!("This system has no signals.");
}
