//! The server as clients see it, over TCP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use async_channel::Sender;
use async_wheel::block_on;
use clap::Parser;

use super::options::ServerOptions;
use super::server;

/// How long anything may take that is to come.
const LONG: Duration = Duration::from_secs(20);

/// Returns the options of a command line, with a port that is free.
pub fn options(arguments: &[&str]) -> ServerOptions {
    #[derive(Parser)]
    struct Arguments {
        #[command(flatten)]
        server: ServerOptions,
    }
    Arguments::parse_from(["ttl_server", "--port", "0"].iter().chain(arguments)).server
}

/// A server in a thread, until it is dropped.
struct Running {
    address: SocketAddr,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    fn new(arguments: &[&str]) -> Running {
        let options = options(arguments);
        let listener = server::listen(&options).unwrap();
        let address = listener.get_ref().local_addr().unwrap();
        let (stop, stopped) = async_channel::bounded::<()>(1);
        let thread = thread::spawn(move || {
            let stopped = async move { _ = stopped.recv().await };
            block_on(server::serve(options, listener, stopped)).unwrap();
        });
        Running { address, stop: Some(stop), thread: Some(thread) }
    }

    fn connect(&self) -> Peer {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        Peer { reader: BufReader::new(stream) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map_or(Ok(()), JoinHandle::join);
        assert!(ended.is_ok() || thread::panicking(), "the server has panicked");
    }
}

/// A client.
struct Peer {
    reader: BufReader<TcpStream>,
}

impl Peer {
    fn send(&mut self, bytes: &[u8]) {
        self.reader.get_mut().write_all(bytes).unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.reader.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Sends an inline command, and returns the reply: a bulk string without its length.
    fn ask(&mut self, command: &str) -> String {
        self.send(format!("{command}\r\n").as_bytes());
        let line = self.line();
        match line.strip_prefix('$').and_then(|length| length.parse::<usize>().ok()) {
            Some(length) => {
                let mut bytes = vec![0; length + 2];
                self.reader.read_exact(&mut bytes).unwrap();
                String::from_utf8_lossy(&bytes[..length]).into_owned()
            }
            None => line,
        }
    }

    /// Returns a number that INFO tells.
    fn told(&mut self, field: &str) -> u64 {
        let info = self.ask("info");
        let line = info.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        line.unwrap().parse().unwrap()
    }

    /// Returns everything until the server closes.
    fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        self.reader.read_to_end(&mut rest).unwrap();
        String::from_utf8_lossy(&rest).into_owned()
    }
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < LONG, "not so within {LONG:?}: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Hazard: bytes that are no request are taken for one, or keep the connection for ever.
#[test]
fn malformed_protocol_is_refused_and_closed() {
    let server = Running::new(&["--proto-max-bulk-len", "1mb"]);
    let long_line = "x".repeat((64 << 10) + 1);
    for (bytes, expected) in [
        ("*abc\r\n", "invalid multibulk length"),
        ("*2147483648\r\n", "invalid multibulk length"),
        ("*99999999999999999999\r\n", "invalid multibulk length"),
        ("*1\r\n:1\r\n", "expected '$', got ':'"),
        ("*2\r\n$4\r\nPING\r\nx\r\n", "expected '$', got 'x'"),
        ("*1\r\n$-1\r\n", "invalid bulk length"),
        ("*1\r\n$abc\r\n", "invalid bulk length"),
        ("*1\r\n$1048577\r\n", "invalid bulk length"),
        ("*1\r\n$99999999999999999999\r\n", "invalid bulk length"),
        ("set \"a\r\n", "unbalanced quotes in request"),
        (&long_line, "too big inline request"),
        (&format!("*{}", &long_line[1..]), "too big mbulk count string"),
        (&format!("*1\r\n${}", &long_line[1..]), "too big bulk count string"),
    ] {
        let mut peer = server.connect();
        peer.send(bytes.as_bytes());
        assert_eq!(peer.rest(), format!("-ERR Protocol error: {expected}\r\n"));
    }
    assert_eq!(server.connect().ask("ping"), "+PONG");
}

/// Hazard: requests before a malformed one go without their replies.
#[test]
fn requests_before_malformed_one_are_answered() {
    let server = Running::new(&[]);
    let mut peer = server.connect();
    peer.send(b"*1\r\n$4\r\nPING\r\n\r\nPING\r\n*0\r\n*-1\r\n*1\r\n$4\r\nPING\r\n*x\r\n");
    let pongs = "+PONG\r\n".repeat(3);
    assert_eq!(peer.rest(), format!("{pongs}-ERR Protocol error: invalid multibulk length\r\n"));
}

/// Hazard: a wrong command ends a connection that could go on, or changes something.
#[test]
fn wrong_command_leaves_connection_open() {
    let server = Running::new(&[]);
    let mut peer = server.connect();
    assert_eq!(peer.ask("set kept value"), "+OK");
    for (command, expected) in [
        (
            "nonsense a 'b c'",
            "-ERR unknown command 'nonsense', with args beginning with: 'a' 'b c'",
        ),
        ("get", "-ERR wrong number of arguments for 'get' command"),
        ("config get", "-ERR wrong number of arguments for 'config|get' command"),
        ("config nonsense", "-ERR unknown subcommand 'nonsense'. Try CONFIG HELP."),
        ("set kept other nonsense", "-ERR syntax error"),
        ("set kept other nx xx", "-ERR syntax error"),
        ("set kept other ex", "-ERR syntax error"),
        ("set kept other ex 10 px 10", "-ERR syntax error"),
        ("set kept other keepttl px 10", "-ERR syntax error"),
        ("set kept other ex 0", "-ERR invalid expire time in 'set' command"),
        ("set kept other px -1", "-ERR invalid expire time in 'set' command"),
        ("set kept other px 9223372036854775807", "-ERR invalid expire time in 'set' command"),
        ("set kept other exat 9223372036854775807", "-ERR invalid expire time in 'set' command"),
        ("set kept other px 9223372036854775808", "-ERR value is not an integer or out of range"),
        ("set kept other px 010", "-ERR value is not an integer or out of range"),
        ("expire kept 9223372036854775807", "-ERR invalid expire time in 'expire' command"),
        ("pexpireat kept 1.5", "-ERR value is not an integer or out of range"),
        ("expire kept 10 nonsense", "-ERR Unsupported option nonsense"),
        ("expire kept 10 gt lt", "-ERR GT and LT options at the same time are not compatible"),
        ("select 1", "-ERR DB index is out of range"),
        ("select x", "-ERR value is not an integer or out of range"),
        ("hello 4", "-NOPROTO unsupported protocol version"),
        ("flushall nonsense", "-ERR syntax error"),
    ] {
        assert_eq!(peer.ask(command), expected, "{command}");
    }
    assert_eq!((peer.ask("get kept"), peer.ask("ttl kept")), ("value".into(), ":-1".into()));
}

/// Hazard: a key goes before its end, or stays until somebody asks for it.
#[test]
fn key_is_gone_at_its_end() {
    let server = Running::new(&[]);
    let mut peer = server.connect();
    let start = Instant::now();
    assert_eq!(peer.ask("set key value px 100"), "+OK");
    // The number of keys does not make the server look at any.
    wait_until("the key is gone", || peer.ask("dbsize") == ":0");
    assert!(start.elapsed() >= Duration::from_millis(100));
    assert_eq!(peer.told("expired_keys"), 1);
}

/// Hazard: an end that is changed fires at the old time, or never.
#[test]
fn changed_end_is_the_one_that_counts() {
    let server = Running::new(&[]);
    let mut peer = server.connect();
    peer.ask("set sooner value px 100000");
    // Time enough for what follows, on a busy machine.
    for key in ["later", "never", "over", "kept"] {
        peer.ask(&format!("set {key} value px 1500"));
    }
    assert_eq!(peer.ask("pexpire sooner 60"), ":1");
    assert_eq!(peer.ask("pexpire later 100000"), ":1");
    assert_eq!(peer.ask("persist never"), ":1");
    assert_eq!(peer.ask("expire over -1"), ":1");
    assert_eq!(peer.ask("set kept other keepttl"), "+OK");
    assert_eq!(peer.ask("exists over"), ":0");
    wait_until("two keys are left", || peer.ask("dbsize") == ":2");
    assert_eq!(peer.ask("exists later never"), ":2");
    let left: i64 = peer.ask("ttl later")[1..].parse().unwrap();
    assert!((50..=100).contains(&left), "{left}");
    assert_eq!(peer.ask("ttl never"), ":-1");
}

/// Hazard: clients that are gone hold connections, or what they have sent.
#[test]
fn vanished_clients_cost_nothing() {
    let server = Running::new(&[]);
    let mut peer = server.connect();
    peer.ask("set key value");
    let before = peer.told("used_memory");
    for number in 0..1_000 {
        let mut vanishing = server.connect();
        let all = b"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$100000\r\nxxxxxxxxxxxxxxxxxx";
        vanishing.send(&all[..1 + number % (all.len() - 1)]);
    }
    wait_until("one client is left", || peer.told("connected_clients") == 1);
    assert_eq!((peer.told("used_memory"), peer.ask("get key")), (before, "value".to_owned()));
}

/// Hazard: the replies for a client that takes none grow without bound.
#[test]
fn client_that_does_not_read_waits() {
    let server = Running::new(&[]);
    let mut peer = server.connect();
    let length = 1 << 20;
    peer.send(format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${length}\r\n").as_bytes());
    peer.send(&vec![b'v'; length]);
    peer.send(b"\r\n");
    assert_eq!(peer.line(), "+OK");
    let mut silent = server.connect();
    silent.send("get k\r\n".repeat(2_000).as_bytes());
    wait_until("some were answered", || peer.told("keyspace_hits") > 1);
    thread::sleep(Duration::from_millis(200));
    // Some megabytes are in the system's buffers.
    assert!(peer.told("keyspace_hits") < 200, "{}", peer.told("keyspace_hits"));
    drop(silent);
    wait_until("it is gone", || peer.told("connected_clients") == 1);
}

/// Hazard: what does not fit takes the place of what is there.
#[test]
fn full_memory_refuses_and_keeps_keys() {
    let server = Running::new(&["--maxmemory", "100kb"]);
    let mut peer = server.connect();
    let full = "-OOM command not allowed when used memory > 'maxmemory'.";
    let stored =
        (0..).take_while(|number| peer.ask(&format!("set key{number} value{number}")) != full);
    let stored = stored.count();
    assert!((100..2_000).contains(&stored), "{stored}");
    assert_eq!(peer.ask("set key0 other"), full);
    for number in 0..stored {
        assert_eq!(peer.ask(&format!("get key{number}")), format!("value{number}"));
    }
    assert_eq!(peer.ask("pexpire key0 10"), ":1");
    wait_until("there is room", || peer.ask("set new value") == "+OK");
}

/// Hazard: more connections than there are descriptors for.
#[test]
fn client_too_many_is_turned_away() {
    let server = Running::new(&["--maxclients", "2"]);
    let (mut first, mut second) = (server.connect(), server.connect());
    assert_eq!((first.ask("ping"), second.ask("ping")), ("+PONG".into(), "+PONG".into()));
    assert_eq!(server.connect().rest(), "-ERR max number of clients reached\r\n");
    drop(second);
    wait_until("there is room", || first.told("connected_clients") == 1);
    assert_eq!(server.connect().ask("ping"), "+PONG");
}

/// Hazard: a request that is longer than it may be takes memory without end.
#[test]
fn request_over_the_limit_ends_connection() {
    let server = Running::new(&["--proto-max-bulk-len", "2kb", "--query-buffer-limit", "4kb"]);
    let mut peer = server.connect();
    let argument = format!("$1024\r\n{}\r\n", "x".repeat(1_024));
    peer.send(b"*100\r\n");
    let sent =
        (0..100).take_while(|_| peer.reader.get_mut().write_all(argument.as_bytes()).is_ok());
    sent.for_each(drop);
    // Closed, or reset since there was more to read.
    assert!(!matches!(peer.reader.read(&mut [0]), Ok(1..)));
    assert_eq!(server.connect().ask("ping"), "+PONG");
}

/// Hazard: a client of version 3 gets what only version 2 has.
#[test]
fn version_three_has_maps_and_nulls() {
    let server = Running::new(&[]);
    let mut peer = server.connect();
    assert_eq!(peer.ask("get nothing"), "$-1");
    peer.send(b"hello 3 setname me\r\nget nothing\r\nclient getname\r\nquit\r\n");
    let rest = peer.rest();
    assert!(rest.starts_with("%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n"), "{rest:?}");
    assert!(rest.ends_with("*0\r\n_\r\n$2\r\nme\r\n+OK\r\n"), "{rest:?}");
}

/// Hazard: a web page makes a browser send commands.
#[test]
fn browser_is_not_listened_to() {
    let server = Running::new(&[]);
    let mut peer = server.connect();
    peer.send(b"POST / HTTP/1.1\r\nset key value\r\n");
    assert_eq!(peer.rest(), "");
    assert_eq!(server.connect().ask("dbsize"), ":0");
}
