//! A key-value server that speaks Redis's protocol, so that `redis-cli` and `redis-benchmark` run
//! on it. Each key is an entry of a `DelayQueue`, and is gone when its end comes.
//!
//! ```text
//! cargo run --release --example ttl_server
//! redis-cli set greeting hello px 1500
//! redis-cli get greeting
//! ```
//!
//! It has the commands PING, ECHO, SET, GET, DEL, EXISTS, EXPIRE, PEXPIRE, EXPIREAT, PEXPIREAT,
//! TTL, PTTL, EXPIRETIME, PEXPIRETIME, PERSIST, DBSIZE, FLUSHALL, FLUSHDB, INFO, COMMAND, CONFIG
//! GET, SELECT, CLIENT, HELLO and QUIT, with the replies and the errors of Redis 7.0.
//!
//! One thread does it all: a task for each connection, and one that removes the keys.
//!
//! ```text
//! cargo run --release --example ttl_server -- load 127.0.0.1:6379
//! ```
//!
//! fills a server, this one or Redis, with a million keys, measures it, and watches when the keys
//! are gone. `ci/ttl_server.sh` does so with both.

mod clock;
#[path = "../heartbeats/command_line.rs"]
mod command_line;
mod commands;
mod info;
mod inline;
mod keys;
#[path = "../heartbeats/limits.rs"]
mod limits;
mod load;
mod options;
mod reply;
mod request;
mod server;
mod service;
mod signals;
mod store;
#[cfg(test)]
mod tests;
#[cfg(all(test, feature = "test-util"))]
mod tests_in_paused_time;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;

use async_wheel::block_on;

use options::{Role, ServerOptions};

/// An error that ends the program: one line that says what and why.
type Failure = String;

/// Descriptors beside those of the connections.
const MORE_DESCRIPTORS: usize = 64;

fn main() -> ExitCode {
    let outcome = match options::parse() {
        Ok(Role::Server(options)) => run(options).map(|()| Vec::new()),
        Ok(Role::Load(options)) => load::run(&options),
        Ok(Role::Table) => load::table().map(|()| Vec::new()),
        Err(code) => return code,
    };
    match outcome {
        Ok(wrong) if wrong.is_empty() => ExitCode::SUCCESS,
        Ok(wrong) => {
            wrong.iter().for_each(|line| eprintln!("wrong: {line}"));
            ExitCode::FAILURE
        }
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::from(2)
        }
    }
}

/// Runs the server until a signal ends it.
fn run(options: ServerOptions) -> Result<(), Failure> {
    let descriptors = options.maxclients + MORE_DESCRIPTORS;
    if limits::allow_descriptors(descriptors as u64).is_err() {
        eprintln!("note: the system allows fewer open files than --maxclients needs");
    }
    let address = SocketAddr::from((options.bind, options.port));
    let stop = signals::ending()?;
    let listener =
        server::listen(&options).map_err(|error| format!("cannot listen on {address}: {error}"))?;
    let bound = listener.get_ref().local_addr();
    let bound = bound.map_err(|error| format!("the listener has no address: {error}"))?;
    // Whoever does not read it knows where it listens.
    let _ = writeln!(io::stdout(), "listening on {bound}");
    block_on(server::serve(options, listener, stop))
        .map_err(|error| format!("cannot serve: {error}"))
}
