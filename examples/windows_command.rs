//! Runs a command on Windows and waits for its end, without a thread of the program's.

#[cfg(windows)]
fn main() -> std::io::Result<()> {
    use std::io;
    use std::process::{Command, ExitStatus, Stdio};
    use std::time::Duration;

    use async_wheel::block_on;
    use async_wheel::os::windows::Waitable;
    use async_wheel::time::IoTimeoutExt;

    /// Runs a command and returns how it ended, or kills it if it takes too long.
    async fn run(command: &str, limit: Duration) -> io::Result<ExitStatus> {
        let mut command_line = Command::new("cmd");
        command_line.args(["/C", command]).stdin(Stdio::piped()).stdout(Stdio::null());
        let child = Waitable::new(command_line.spawn()?)?;
        let result = child.ready().io_timeout(limit).await;
        let mut child = child.into_inner()?;
        if let Err(error) = result {
            child.kill()?;
            child.wait()?;
            return Err(error);
        }
        // It has ended: this does not block.
        child.wait()
    }

    block_on(async {
        println!("{}", run("exit 3", Duration::from_secs(30)).await?);
        // Waits for a key that nobody presses.
        match run("pause", Duration::from_millis(500)).await {
            Ok(status) => println!("{status}, without a key"),
            Err(error) => println!("killed: {:?}", error.kind()),
        }
        Ok(())
    })
}

#[cfg(not(windows))]
fn main() {
    println!("This is for Windows.");
}
