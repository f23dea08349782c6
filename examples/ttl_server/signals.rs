//! The signals that end the server.

use std::future::Future;

use super::Failure;

/// Returns a future that is ready when the process is asked to end.
#[cfg(unix)]
pub fn ending() -> Result<impl Future<Output = ()>, Failure> {
    use std::os::unix::net::UnixStream;

    use async_wheel::Async;
    use futures_lite::AsyncReadExt;
    use rustix::process::Signal;

    let failed = |error| format!("cannot wait for signals: {error}");
    let (mut reader, writer) = Async::<UnixStream>::pair().map_err(failed)?;
    let writer = writer.into_inner().map_err(failed)?;
    for signal in [Signal::INT, Signal::TERM] {
        let writer = writer.try_clone().map_err(failed)?;
        signal_hook::low_level::pipe::register(signal.as_raw(), writer).map_err(failed)?;
    }
    Ok(async move {
        // A byte for each signal.
        let _ = reader.read(&mut [0]).await;
    })
}

/// Windows ends a process without asking.
#[cfg(not(unix))]
pub fn ending() -> Result<impl Future<Output = ()>, Failure> {
    Ok(std::future::pending())
}
