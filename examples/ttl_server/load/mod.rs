//! The load program: fills a server with keys, measures it, and watches the keys end.

mod connection;
mod figures;
mod watch;
mod work;

use std::time::{Duration, Instant};

use async_wheel::{Timer, block_on};

use super::options::LoadOptions;
use super::{Failure, clock, info, limits};
use connection::{Connection, Reply};
use figures::Figures;
use work::Command;

pub use figures::table;

/// The least time until the first key ends, once all have their lives.
const LEAD: Duration = Duration::from_secs(2);

/// Measures a server and prints the figures. Returns what is wrong with them.
pub fn run(options: &LoadOptions) -> Result<Vec<String>, Failure> {
    limits::allow_descriptors(u64::from(options.clients) + 64)
        .map_err(|_| "the system allows fewer open files than --clients needs".to_owned())?;
    let figures = block_on(measure(options))?;
    figures.print(options)?;
    Ok(figures.wrong(options))
}

async fn measure(options: &LoadOptions) -> Result<Figures, Failure> {
    let mut connections = Vec::new();
    for _ in 0..options.clients {
        connections.push(Connection::new(options.address).await?);
    }
    let there = size(&mut connections[0]).await?;
    if there != 0 {
        return Err(format!("the server has {there} keys, and has to be empty"));
    }
    let before = memory(&mut connections[0], options).await?;
    let few = options.keys / 10;
    let set = rate(&mut connections, options, Command::Set, few, 1).await?;
    let started = Instant::now();
    let set_pipelined =
        rate(&mut connections, options, Command::Set, options.keys, options.pipeline).await?;
    let took = started.elapsed();
    let after = memory(&mut connections[0], options).await?;
    let get = rate(&mut connections, options, Command::Get, few, 1).await?;
    let get_pipelined =
        rate(&mut connections, options, Command::Get, options.keys, options.pipeline).await?;
    let (mut ends, first) = ends(options, LEAD.max(3 * took));
    let command = Command::EndAt(ends.clone().into());
    let end_pipelined =
        rate(&mut connections, options, command, options.keys, options.pipeline).await?;
    ends.sort_unstable();
    if clock::unix_millis() as u64 >= first {
        return Err("the server was too slow: keys ended before all had their ends".to_owned());
    }
    let seen = watch::until_gone(&mut connections[0], options, &ends).await?;
    let per_key = |after: Option<usize>, before: Option<usize>| {
        Some(after?.saturating_sub(before?) as f64 / f64::from(options.keys))
    };
    Ok(Figures {
        name: options.name.clone(),
        keys: options.keys,
        set,
        set_pipelined,
        get,
        get_pipelined,
        end_pipelined,
        resident_per_key: per_key(after.resident, before.resident),
        used_per_key: per_key(after.used, before.used),
        seen,
    })
}

/// Returns how many commands a second were answered.
async fn rate(
    connections: &mut Vec<Connection>,
    options: &LoadOptions,
    command: Command,
    count: u32,
    pipeline: u16,
) -> Result<f64, Failure> {
    let took = work::run(connections, options, command, count, pipeline).await?;
    Ok(f64::from(count) / took.as_secs_f64())
}

/// Returns ends by chance, in milliseconds since 1970, and the time before which none is.
fn ends(options: &LoadOptions, lead: Duration) -> (Vec<u64>, u64) {
    let first = (clock::unix() + lead).as_millis() as u64;
    let last = first + options.window.as_millis() as u64;
    let mut rng = fastrand::Rng::with_seed(u64::from(options.keys));
    ((0..options.keys).map(|_| rng.u64(first..=last)).collect(), first)
}

async fn size(connection: &mut Connection) -> Result<i64, Failure> {
    let integer = |reply: Reply<'_>| match reply {
        Reply::Integer(number) => Some(number),
        _ => None,
    };
    connection.ask(&[b"DBSIZE"], integer).await
}

/// What a server takes.
struct Memory {
    /// What it says itself.
    used: Option<usize>,
    /// What the system says, if it is a process of this machine.
    resident: Option<usize>,
}

async fn memory(connection: &mut Connection, options: &LoadOptions) -> Result<Memory, Failure> {
    // What was allocated and given back in the last moments is settled.
    Timer::after(Duration::from_millis(200)).await;
    let text = |reply: Reply<'_>| match reply {
        Reply::Bulk(text) => Some(String::from_utf8_lossy(text).into_owned()),
        _ => None,
    };
    let info = connection.ask(&[b"INFO"], text).await?;
    let field =
        |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let process = field("process_id").and_then(|number| number.parse().ok());
    let here = options.address.ip().is_loopback();
    Ok(Memory {
        used: field("used_memory").and_then(|number| number.parse().ok()),
        resident: process.filter(|_| here).and_then(info::resident_of),
    })
}
