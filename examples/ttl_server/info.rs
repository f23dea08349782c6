//! What INFO tells.

use std::fmt::Write;

use super::clock;
use super::server::Server;
use super::service::VERSION;

/// Returns the sections that are wanted.
pub fn sections(server: &Server, wanted: impl Fn(&str) -> bool) -> String {
    let all = [
        ("Server", about_server(server)),
        ("Clients", about_clients(server)),
        ("Memory", about_memory(server)),
        ("Stats", about_counts(server)),
        ("Keyspace", about_keys(server)),
    ];
    let mut text = String::new();
    for (name, lines) in all {
        if wanted(name) {
            let gap = if text.is_empty() { "" } else { "\r\n" };
            let _ = write!(text, "{gap}# {name}\r\n{lines}");
        }
    }
    text
}

macro_rules! lines {
    ($($name:literal: $value:expr,)*) => {
        [$(format!(concat!($name, ":{}\r\n"), $value)),*].concat()
    };
}

fn about_server(server: &Server) -> String {
    let uptime = clock::now().saturating_duration_since(server.started).as_secs();
    lines! {
        "redis_version": VERSION,
        "redis_mode": "standalone",
        "process_id": std::process::id(),
        "tcp_port": server.address.port(),
        "uptime_in_seconds": uptime,
        "uptime_in_days": uptime / 86_400,
    }
}

fn about_clients(server: &Server) -> String {
    lines! {
        "connected_clients": server.connected.get(),
        "maxclients": server.options.maxclients,
        "blocked_clients": 0,
    }
}

fn about_memory(server: &Server) -> String {
    let (used, resident) = (server.store.borrow().memory(), resident().unwrap_or(0));
    lines! {
        "used_memory": used,
        "used_memory_human": human(used),
        "used_memory_rss": resident,
        "used_memory_rss_human": human(resident),
        "maxmemory": server.options.maxmemory,
        "maxmemory_human": human(server.options.maxmemory),
        "maxmemory_policy": "noeviction",
    }
}

fn about_counts(server: &Server) -> String {
    let counts = server.store.borrow().counts();
    lines! {
        "total_connections_received": server.accepted.get(),
        "total_commands_processed": server.commands.get(),
        "rejected_connections": server.rejected.get(),
        "expired_keys": counts.expired,
        "evicted_keys": 0,
        "keyspace_hits": counts.hits,
        "keyspace_misses": counts.misses,
    }
}

fn about_keys(server: &Server) -> String {
    let store = server.store.borrow();
    if store.len() == 0 {
        return String::new();
    }
    format!("db0:keys={},expires={},avg_ttl=0\r\n", store.len(), store.ending())
}

/// Returns the bytes of this process that are in memory.
fn resident() -> Option<usize> {
    resident_of(std::process::id())
}

/// Returns the bytes of a process of this machine that are in memory, where the system tells.
pub fn resident_of(process: u32) -> Option<usize> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: usize = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes << 10)
}

/// Returns a number of bytes in the unit that fits.
fn human(bytes: usize) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "K", "M"] {
        if value < 1024.0 {
            let digits = if unit == "B" { 0 } else { 2 };
            return format!("{value:.digits$}{unit}");
        }
        value /= 1024.0;
    }
    format!("{value:.2}G")
}
