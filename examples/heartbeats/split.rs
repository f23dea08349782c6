//! A run whose two sides need more descriptors than one process may have: the server then runs
//! in a process of its own, started and ended by the clients'.

use std::io::{self, BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::thread;

use super::options::Options;
use super::report::Report;

/// The word before the address in the server's first line on standard error.
pub const LISTENING: &str = "listening on ";

/// A server in a process of its own.
pub struct ServerProcess {
    child: Child,
    pub address: SocketAddr,
}

impl ServerProcess {
    pub fn start(options: &Options) -> Result<ServerProcess, String> {
        let why = |error: io::Error| format!("cannot start the server's process: {error}");
        let program = std::env::current_exe().map_err(why)?;
        let mut child = Command::new(program)
            .args(options.arguments(options.runtime))
            .args(["--listen", "127.0.0.1:0"])
            // It ends with this process, whatever ends that.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(why)?;
        let mut line = String::new();
        let mut errors = BufReader::new(child.stderr.take().expect("it was piped"));
        errors.read_line(&mut line).map_err(why)?;
        let address = line
            .strip_prefix(LISTENING)
            .and_then(|rest| rest.split_whitespace().next())
            .and_then(|address| address.parse().ok())
            .ok_or_else(|| format!("the server's process says: {}", line.trim()))?;
        // What else it has to say goes where ours goes.
        thread::spawn(move || io::copy(&mut errors, &mut io::stderr()));
        Ok(ServerProcess { child, address })
    }

    /// Returns its figures, once its last client has gone.
    pub fn report(mut self) -> Result<Report, String> {
        let why = |error: &dyn std::fmt::Display| format!("the server's process failed: {error}");
        // If no client ever came, it waits for this.
        drop(self.child.stdin.take());
        let mut text = String::new();
        let output = self.child.stdout.as_mut().expect("it was piped");
        output.read_to_string(&mut text).map_err(|error| why(&error))?;
        self.child.wait().map_err(|error| why(&error))?;
        serde_json::from_str(&text).map_err(|error| why(&error))
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // After `report` it has ended already; otherwise something went wrong here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
