//! A run whose two sides need more descriptors than one process may have: the server then runs
//! in a process of its own, started and ended by the clients'.

use std::io::{self, BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::thread;

use async_channel::Receiver;
use serde_json::Value;

use super::options::Options;

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
            .args(["--listen", "127.0.0.1:0", "--json", "--child"])
            .args(["--connections", &options.connections.to_string()])
            .args(["--threads", &options.threads.to_string()])
            .args(["--period", &format!("{}ns", options.period.as_nanos())])
            .args(["--idle", &format!("{}ns", options.idle.as_nanos())])
            .args(["--seconds", &options.seconds.as_secs_f64().to_string()])
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

    /// Its figures, once its last client has gone.
    pub fn figures(mut self) -> Result<Value, String> {
        let why = |error: &dyn std::fmt::Display| format!("the server's process failed: {error}");
        let mut text = String::new();
        let output = self.child.stdout.as_mut().expect("it was piped");
        output.read_to_string(&mut text).map_err(|error| why(&error))?;
        self.child.wait().map_err(|error| why(&error))?;
        serde_json::from_str(text.lines().last().unwrap_or_default()).map_err(|error| why(&error))
    }
}

/// In the server's process: a channel that is closed when the clients' process has ended.
pub fn parent() -> Receiver<()> {
    let (send, receive) = async_channel::bounded(1);
    thread::spawn(move || {
        // Nothing is ever written there: it ends.
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        drop(send);
    });
    receive
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // After `figures` it has ended already; otherwise something went wrong here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
