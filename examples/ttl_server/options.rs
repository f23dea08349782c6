//! The command line.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use super::command_line;

/// A key-value server that speaks Redis's protocol, each key with an exact end
#[derive(Parser)]
#[command(name = "ttl_server", args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    task: Option<Task>,
    #[command(flatten)]
    server: ServerOptions,
}

#[derive(Subcommand)]
pub enum Task {
    /// Fill a server with keys, measure it, and watch the keys end
    Load(LoadOptions),
    /// Print the medians of runs of `load --json`, which are read from standard input
    Table,
}

/// What the server may do.
#[derive(Args, Clone, Debug)]
pub struct ServerOptions {
    /// The address to listen on
    #[arg(long, value_name = "ADDR", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub bind: IpAddr,
    /// The port to listen on; 0 is one that is free
    #[arg(long, value_name = "PORT", default_value_t = 6379)]
    pub port: u16,
    /// The memory that keys may take, such as 100mb; 0 is no limit
    #[arg(long, value_name = "BYTES", default_value = "0", value_parser = bytes)]
    pub maxmemory: usize,
    /// The most connections at a time
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = at_least_one)]
    pub maxclients: usize,
    /// The longest argument of a command
    #[arg(long, value_name = "BYTES", default_value = "512mb", value_parser = request_bytes)]
    pub proto_max_bulk_len: usize,
    /// The longest command
    #[arg(long, value_name = "BYTES", default_value = "1gb", value_parser = request_bytes)]
    pub query_buffer_limit: usize,
}

impl ServerOptions {
    /// Returns what CONFIG GET tells, by name. `port` is the one that was free.
    pub fn settings(&self, port: u16) -> Vec<(&'static str, String)> {
        vec![
            ("appendonly", "no".to_owned()),
            ("bind", self.bind.to_string()),
            ("client-query-buffer-limit", self.query_buffer_limit.to_string()),
            ("databases", "1".to_owned()),
            ("maxclients", self.maxclients.to_string()),
            ("maxmemory", self.maxmemory.to_string()),
            ("maxmemory-policy", "noeviction".to_owned()),
            ("port", port.to_string()),
            ("proto-max-bulk-len", self.proto_max_bulk_len.to_string()),
            ("save", String::new()),
            ("timeout", "0".to_owned()),
        ]
    }
}

/// What is done with a server.
#[derive(Args, Clone, Debug)]
pub struct LoadOptions {
    /// The server, which must be empty
    #[arg(value_name = "ADDR", value_parser = address)]
    pub address: SocketAddr,
    /// What the server is called in the table
    #[arg(long, value_name = "NAME", default_value = "server")]
    pub name: String,
    /// How many keys are set
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = keys)]
    pub keys: u32,
    /// Connections
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub clients: u16,
    /// Commands that a connection sends before it waits for replies
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub pipeline: u16,
    /// The bytes of a value
    #[arg(long, value_name = "BYTES", default_value_t = 32, value_parser = clap::value_parser!(u32).range(8..=1_048_576))]
    pub value_size: u32,
    /// The time within which all keys end, such as 60s
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = window)]
    pub window: Duration,
    /// The time between two looks at the number of keys
    #[arg(long, value_name = "TIME", default_value = "1ms", value_parser = window)]
    pub step: Duration,
    /// How long after the end of the last key some may still be there
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = window)]
    pub patience: Duration,
    /// Fail if a key is still there so long after its end
    #[arg(long, value_name = "TIME", value_parser = window)]
    pub latest: Option<Duration>,
    /// Print the figures as one JSON object in one line, instead of a table
    #[arg(long)]
    pub json: bool,
}

pub enum Role {
    Server(ServerOptions),
    Load(LoadOptions),
    Table,
}

/// Reads the command line. What is wrong with it is said in one line.
pub fn parse() -> Result<Role, ExitCode> {
    command_line::read(|arguments: Arguments| {
        let server = arguments.server;
        match arguments.task {
            None if server.proto_max_bulk_len > server.query_buffer_limit => {
                Err("--proto-max-bulk-len must not be more than --query-buffer-limit".to_owned())
            }
            None => Ok(Role::Server(server)),
            Some(Task::Load(options)) => Ok(Role::Load(options)),
            Some(Task::Table) => Ok(Role::Table),
        }
    })
}

/// Reads a number of bytes: `1kb` is 1,024 bytes, `1k` is 1,000.
fn bytes(text: &str) -> Result<usize, String> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let unit = match text[digits..].to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" => 1_000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return Err("no number of bytes, such as 100mb".to_owned()),
    };
    let number: usize = text[..digits].parse().map_err(|error| format!("{error}"))?;
    number.checked_mul(unit).ok_or_else(|| "too many bytes".to_owned())
}

fn request_bytes(text: &str) -> Result<usize, String> {
    match bytes(text)? {
        bytes @ 1_024..=0x4000_0000 => Ok(bytes),
        _ => Err("must be from 1kb to 1gb".to_owned()),
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 1..=1_000_000) => Ok(number),
        Ok(_) => Err("must be from 1 to 1,000,000".to_owned()),
        Err(error) => Err(format!("{error}")),
    }
}

fn keys(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(number @ 10..=100_000_000) => Ok(number),
        Ok(_) => Err("must be from 10 to 100,000,000".to_owned()),
        Err(error) => Err(format!("{error}")),
    }
}

fn window(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text);
    let time = time.map_err(|error| format!("{error}, for instance 60s"))?;
    if time.is_zero() || time > Duration::from_secs(86_400) {
        return Err("must be more than zero and at most a day".to_owned());
    }
    Ok(time)
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let mut addresses = text.to_socket_addrs().map_err(|error| error.to_string())?;
    addresses.next().ok_or_else(|| "no address of that name".to_owned())
}
