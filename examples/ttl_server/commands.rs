//! The commands: which there are, how many arguments each has, and what is refused before it runs.

use std::borrow::Cow;

use super::keys;
use super::request::Request;
use super::server::Client;
use super::service;

/// What came of a command: its reply is in the output, or this is the error.
pub type Outcome = Result<(), Cow<'static, str>>;

pub const SYNTAX: &str = "ERR syntax error";
pub const NO_INTEGER: &str = "ERR value is not an integer or out of range";

pub struct Command {
    pub name: &'static str,
    /// The number of arguments with the name; at least so many if it is negative.
    pub arity: i32,
    pub flags: &'static [&'static str],
    /// Which arguments are keys: the first, the last (from the end if it is negative), the step.
    pub keys: [i64; 3],
    run: fn(&mut Client<'_>, Request<'_>) -> Outcome,
}

/// Commands that need memory, and are refused when there is none.
const NEEDS_MEMORY: &str = "denyoom";

const READ: &[&str] = &["readonly", "fast"];
const WRITE: &[&str] = &["write", "fast"];
const ALWAYS: &[&str] = &["loading", "stale", "fast"];
const ONE_KEY: [i64; 3] = [1, 1, 1];
const ALL_KEYS: [i64; 3] = [1, -1, 1];
const NO_KEYS: [i64; 3] = [0, 0, 0];

macro_rules! commands {
    ($($name:literal $arity:literal $flags:ident $keys:ident $run:path;)*) => {
        &[$(Command { name: $name, arity: $arity, flags: $flags, keys: $keys, run: $run }),*]
    };
}

const SET: &[&str] = &["write", NEEDS_MEMORY];
const CLEAR: &[&str] = &["write"];

/// All commands, by name.
pub const COMMANDS: &[Command] = commands! {
    "client" -2 ALWAYS NO_KEYS service::client;
    "command" -1 ALWAYS NO_KEYS service::command;
    "config" -2 ALWAYS NO_KEYS service::config;
    "dbsize" 1 READ NO_KEYS keys::count;
    "del" -2 CLEAR ALL_KEYS keys::delete;
    "echo" 2 ALWAYS NO_KEYS service::echo;
    "exists" -2 READ ALL_KEYS keys::exists;
    "expire" -3 WRITE ONE_KEY keys::expire;
    "expireat" -3 WRITE ONE_KEY keys::expire_at;
    "expiretime" 2 READ ONE_KEY keys::end;
    "flushall" -1 CLEAR NO_KEYS keys::clear;
    "flushdb" -1 CLEAR NO_KEYS keys::clear;
    "get" 2 READ ONE_KEY keys::get;
    "hello" -1 ALWAYS NO_KEYS service::hello;
    "info" -1 ALWAYS NO_KEYS service::info;
    "persist" 2 WRITE ONE_KEY keys::persist;
    "pexpire" -3 WRITE ONE_KEY keys::expire_millis;
    "pexpireat" -3 WRITE ONE_KEY keys::expire_at_millis;
    "pexpiretime" 2 READ ONE_KEY keys::end_millis;
    "ping" -1 ALWAYS NO_KEYS service::ping;
    "pttl" 2 READ ONE_KEY keys::left_millis;
    "quit" -1 ALWAYS NO_KEYS service::quit;
    "select" 2 ALWAYS NO_KEYS service::select;
    "set" -3 SET ONE_KEY keys::set;
    "ttl" 2 READ ONE_KEY keys::left;
};

/// What comes after the name of a command that has commands of its own, and their arity.
const SUBCOMMANDS: &[(&str, &str, i32)] = &[
    ("client", "getname", 2),
    ("client", "id", 2),
    ("client", "setname", 3),
    ("command", "count", 2),
    ("command", "docs", -2),
    ("command", "info", -2),
    ("command", "list", -2),
    ("config", "get", -3),
];

/// Returns the command of that name, in letters of either case.
pub fn find(name: &[u8]) -> Option<&'static Command> {
    let mut lower = [0; 16];
    let lower = lower.get_mut(..name.len())?;
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    let by_name = |command: &Command| command.name.as_bytes().cmp(lower);
    COMMANDS.binary_search_by(by_name).ok().map(|index| &COMMANDS[index])
}

/// Runs a request, and leaves its reply in the client's output.
pub fn run(client: &mut Client<'_>, request: Request<'_>) {
    let name = &request[0];
    if name.eq_ignore_ascii_case(b"post") || name.eq_ignore_ascii_case(b"host:") {
        // A browser was sent here, and gets no replies.
        client.output.clear();
        client.closing = true;
        return;
    }
    let outcome = match find(name) {
        None => Err(unknown(request).into()),
        Some(command) => {
            check(command, client, request).and_then(|()| (command.run)(client, request))
        }
    };
    if let Err(error) = outcome {
        client.output.error(&error);
    }
}

fn check(command: &Command, client: &Client<'_>, request: Request<'_>) -> Outcome {
    if !fits(command.arity, request.len()) {
        return Err(wrong_number(command.name).into());
    }
    if request.len() > 1 {
        check_subcommand(command.name, request)?;
    }
    if command.flags.contains(&NEEDS_MEMORY) && client.server.is_full() {
        return Err("OOM command not allowed when used memory > 'maxmemory'.".into());
    }
    Ok(())
}

fn check_subcommand(name: &str, request: Request<'_>) -> Outcome {
    let mut family = SUBCOMMANDS.iter().filter(|(parent, ..)| *parent == name).peekable();
    if family.peek().is_none() {
        return Ok(());
    }
    match family.find(|(_, child, _)| request[1].eq_ignore_ascii_case(child.as_bytes())) {
        Some((_, _, arity)) if fits(*arity, request.len()) => Ok(()),
        Some((_, child, _)) => Err(wrong_number(&format!("{name}|{child}")).into()),
        None => {
            let (child, parent) = (shown(&request[1], 128), name.to_uppercase());
            Err(format!("ERR unknown subcommand '{child}'. Try {parent} HELP.").into())
        }
    }
}

fn fits(arity: i32, arguments: usize) -> bool {
    let wanted = arity.unsigned_abs() as usize;
    if arity < 0 { arguments >= wanted } else { arguments == wanted }
}

pub fn wrong_number(name: &str) -> String {
    format!("ERR wrong number of arguments for '{name}' command")
}

/// Returns at most so many bytes of what a client has sent, as a text.
fn shown(bytes: &[u8], most: usize) -> Cow<'_, str> {
    let bytes = &bytes[..bytes.len().min(most)];
    let end = memchr::memchr(0, bytes).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end])
}

fn unknown(request: Request<'_>) -> String {
    let mut arguments = String::new();
    for argument in request.from(1) {
        if arguments.len() >= 128 {
            break;
        }
        arguments += &format!("'{}' ", shown(argument, 128 - arguments.len()));
    }
    let name = shown(&request[0], 128);
    format!("ERR unknown command '{name}', with args beginning with: {arguments}")
}
