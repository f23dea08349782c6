//! Waits for the end of a child process, by the system's own event queue: on macOS and the BSDs.
//!
//! There is no thread that waits and no handler of `SIGCHLD`.

#[cfg(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly"
))]
fn main() -> std::io::Result<()> {
    use std::io;
    use std::process::Command;
    use std::time::{Duration, Instant};

    use async_wheel::block_on;
    use async_wheel::os::kqueue::{Exit, Filter};
    use async_wheel::time::IoTimeoutExt;

    block_on(async {
        let start = Instant::now();
        let child = Command::new("sleep").arg("0.3").spawn()?;
        println!("process {} sleeps", child.id());
        let ended = Filter::new(Exit::new(child))?;
        ended.ready().io_timeout(Duration::from_secs(10)).await?;
        println!("it has ended after {:?}", start.elapsed());

        // The other process outlives its limit. Its end is still reported, once it comes.
        let child = Command::new("sleep").arg("1").spawn()?;
        let ended = Filter::new(Exit::new(child))?;
        let limit = Duration::from_millis(100);
        match ended.ready().io_timeout(limit).await {
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                println!("the next one still runs after {limit:?}");
            }
            result => return result,
        }
        ended.ready().await?;
        println!("now it has ended, too");
        Ok(())
    })
}

#[cfg(not(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly"
)))]
fn main() {
    println!("Only macOS and the BSDs have kqueue.");
}
