//! Serves the metrics of async-wheel over HTTP, for Prometheus to scrape, while a heartbeat server
//! and its clients run in the same process.
//!
//! ```text
//! cargo run --release --example prometheus
//! curl http://127.0.0.1:9464/metrics
//! ```
//!
//! In a program of yours, `collector.rs` is what you need: register it with the registry that you
//! have. docs/metrics.md in the repository explains each number. SIGINT and SIGTERM end the
//! server once it has answered the requests that it has begun to read.

mod collector;
#[path = "../heartbeats/command_line.rs"]
mod command_line;
mod http;
#[path = "../heartbeats/limits.rs"]
mod limits;
mod load;
#[allow(dead_code, unused_imports)] // A part of it is for the clients of the example.
#[path = "../heartbeats/runtime.rs"]
mod runtime;
#[allow(dead_code)] // A part of it is for whoever waits for a first and a last client.
#[path = "../heartbeats/server.rs"]
mod server;
#[path = "../ttl_server/signals.rs"]
mod signals;
#[allow(dead_code)] // A part of it is for the clients of the other example.
#[path = "../heartbeats/stats.rs"]
mod stats;

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;

use async_wheel::{Async, block_on};
use clap::Parser;
use prometheus_client::registry::Registry;

use collector::Collector;
use load::{Load, LoadOptions};

/// An error that ends the program: one line that says what and why.
type Failure = String;

/// The metrics of async-wheel over HTTP, for Prometheus
#[derive(Parser)]
#[command(name = "prometheus")]
struct Options {
    /// The address to serve the metrics on; port 0 is one that is free
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9464")]
    listen: SocketAddr,
    #[command(flatten)]
    load: LoadOptions,
}

fn main() -> ExitCode {
    let options = match command_line::read(Ok::<Options, String>) {
        Ok(options) => options,
        Err(code) => return code,
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::from(2)
        }
    }
}

/// Serves until a signal ends it.
fn run(options: &Options) -> Result<(), Failure> {
    let refused = |error| format!("cannot listen on {}: {error}", options.listen);
    let stop = signals::ending()?;
    let listener = Async::<TcpListener>::bind(options.listen).map_err(refused)?;
    let bound = listener.get_ref().local_addr().map_err(refused)?;
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Collector));
    // This thread is one of them.
    let load = Load::start(&options.load, options.load.threads() - 1)?;
    // Whoever does not read it knows where it listens.
    let _ = writeln!(io::stdout(), "serving http://{bound}/metrics");
    let serving = http::serve(listener, registry, load.executor.clone(), stop);
    block_on(load.executor.run(serving));
    Ok(())
}
