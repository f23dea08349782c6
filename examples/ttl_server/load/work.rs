//! The work: commands on all keys, from several connections, and how many of them a second.

use std::rc::Rc;
use std::time::{Duration, Instant};

use async_executor::{LocalExecutor, Task};
use fastrand::Rng;

use super::connection::{Connection, Reply, Requests};
use crate::Failure;
use crate::options::LoadOptions;

/// How long keys live until their ends are set: longer than the measurement takes.
const LIFE: std::ops::Range<u32> = 3_600_000..7_200_000;

#[derive(Clone)]
pub enum Command {
    /// Sets keys by turns, each with a life of its own.
    Set,
    /// Reads keys by chance.
    Get,
    /// Gives each key its end, in milliseconds since 1970.
    EndAt(Rc<[u64]>),
}

/// Runs a command on so many keys, `pipeline` at a time from each connection. Returns how long it
/// took.
pub async fn run(
    connections: &mut Vec<Connection>,
    options: &LoadOptions,
    command: Command,
    count: u32,
    pipeline: u16,
) -> Result<Duration, Failure> {
    let executor = LocalExecutor::new();
    let step = connections.len();
    let start = Instant::now();
    let tasks: Vec<Task<Result<Connection, Failure>>> = connections
        .drain(..)
        .enumerate()
        .map(|(first, connection)| {
            let numbers = (first as u32..count).step_by(step);
            let share =
                Share { options, command: command.clone(), rng: Rng::with_seed(first as u64) };
            executor.spawn(share.run(connection, numbers, pipeline.into()))
        })
        .collect();
    executor
        .run(async {
            for task in tasks {
                connections.push(task.await?);
            }
            Ok(())
        })
        .await
        .map(|()| start.elapsed())
}

/// What one connection does.
struct Share<'a> {
    options: &'a LoadOptions,
    command: Command,
    rng: Rng,
}

impl Share<'_> {
    async fn run(
        mut self,
        mut connection: Connection,
        mut numbers: impl Iterator<Item = u32>,
        pipeline: usize,
    ) -> Result<Connection, Failure> {
        let mut requests = Requests::default();
        let mut keys = Vec::with_capacity(pipeline);
        loop {
            keys.clear();
            keys.extend(numbers.by_ref().take(pipeline));
            if keys.is_empty() {
                return Ok(connection);
            }
            requests.clear();
            for key in &mut keys {
                if let Command::Get = self.command {
                    *key = self.rng.u32(..self.options.keys);
                }
                self.request(*key, &mut requests);
            }
            let check = |index: usize, reply: Reply<'_>| match self.is_right(keys[index], reply) {
                true => Ok(()),
                false => Err(reply.unexpected()),
            };
            connection.exchange(&requests, check).await?;
        }
    }

    fn request(&mut self, key: u32, requests: &mut Requests) {
        let name = name(key);
        match &self.command {
            Command::Set => {
                let life = self.rng.u32(LIFE).to_string();
                let value = value(key, self.options.value_size);
                requests.add(&[b"SET", name.as_bytes(), value.as_bytes(), b"PX", life.as_bytes()]);
            }
            Command::Get => requests.add(&[b"GET", name.as_bytes()]),
            Command::EndAt(ends) => {
                let end = ends[key as usize].to_string();
                requests.add(&[b"PEXPIREAT", name.as_bytes(), end.as_bytes()]);
            }
        }
    }

    fn is_right(&self, key: u32, reply: Reply<'_>) -> bool {
        match &self.command {
            Command::Set => reply == Reply::Simple(b"OK"),
            Command::Get => reply == Reply::Bulk(value(key, self.options.value_size).as_bytes()),
            Command::EndAt(_) => reply == Reply::Integer(1),
        }
    }
}

/// Returns the name of a key, which has 16 bytes.
fn name(key: u32) -> String {
    format!("key:{key:012}")
}

fn value(key: u32, size: u32) -> String {
    format!("{key:0size$}", size = size as usize)
}
