//! The server in paused time: keys that live for days and years. Server and clients are tasks of one
//! thread, and TCP is real.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use async_wheel::time::{self, Paused, PendingIo};
use async_wheel::{Async, Timer, block_on};
use futures_lite::io::BufReader;
use futures_lite::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, future};

use super::server;
use super::tests::options;

const MILLISECOND: Duration = Duration::from_millis(1);
const DAY: Duration = Duration::from_secs(86_400);

/// Runs a server, and a test that is told where it listens.
fn with_server(paused: &Paused, test: impl AsyncFnOnce(SocketAddr)) {
    // The clock stands still as long as a task has something to do.
    paused.set_patience(Duration::from_secs(60));
    let options = options(&[]);
    let listener = server::listen(&options).unwrap();
    let address = listener.get_ref().local_addr().unwrap();
    block_on(server::serve(options, listener, test(address))).unwrap();
}

/// A client on the server's thread.
struct Peer {
    reader: BufReader<Async<TcpStream>>,
}

impl Peer {
    async fn connect(address: SocketAddr) -> Peer {
        let stream = Async::<TcpStream>::connect(address).await.unwrap();
        stream.get_ref().set_nodelay(true).unwrap();
        Peer { reader: BufReader::new(stream) }
    }

    /// Sends an inline command, and returns the reply: a bulk string without its length.
    async fn ask(&mut self, command: &str) -> String {
        self.reader.get_mut().write_all(format!("{command}\r\n").as_bytes()).await.unwrap();
        let mut line = String::new();
        self.reader.read_line(&mut line).await.unwrap();
        match line.trim_end().strip_prefix('$').and_then(|length| length.parse::<usize>().ok()) {
            Some(length) => {
                let mut bytes = vec![0; length + 2];
                self.reader.read_exact(&mut bytes).await.unwrap();
                String::from_utf8_lossy(&bytes[..length]).into_owned()
            }
            None => line.trim_end().to_owned(),
        }
    }

    async fn ask_number(&mut self, command: &str) -> i64 {
        let reply = self.ask(command).await;
        reply.strip_prefix(':').and_then(|number| number.parse().ok()).expect(&reply)
    }

    /// Returns a number that INFO tells.
    async fn told(&mut self, field: &str) -> u64 {
        let info = self.ask("info").await;
        let line = info.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        line.unwrap().parse().unwrap()
    }
}

/// Hazard: a key of a month goes a millisecond too early, or stays until somebody asks for it.
#[test]
fn key_of_a_month_goes_to_the_millisecond() {
    let paused = time::pause();
    with_server(&paused, async |address| {
        let mut peer = Peer::connect(address).await;
        assert_eq!(peer.ask("set key value ex 2592000").await, "+OK");
        paused.advance(30 * DAY - MILLISECOND).await;
        assert_eq!(
            (peer.ask("get key").await, peer.ask("pttl key").await),
            ("value".into(), ":1".into())
        );
        assert_eq!(peer.told("uptime_in_days").await, 29);
        paused.advance(MILLISECOND).await;
        // The number of keys does not make the server look at any.
        assert_eq!(peer.ask("dbsize").await, ":0");
        assert_eq!((peer.told("expired_keys").await, peer.told("uptime_in_days").await), (1, 30));
    });
    assert_eq!(paused.elapsed(), 30 * DAY);
}

/// Hazard: an end that is changed after days fires at the old time, or never.
#[test]
fn end_changed_after_days_is_what_counts() {
    let paused = time::pause();
    with_server(&paused, async |address| {
        let mut peer = Peer::connect(address).await;
        for name in ["sooner", "later", "never", "dated", "kept"] {
            assert_eq!(peer.ask(&format!("set {name} value ex 864000")).await, "+OK");
        }
        paused.advance(9 * DAY).await;
        assert_eq!(peer.ask("expire sooner 3600").await, ":1");
        assert_eq!(peer.ask("expire later 2592000").await, ":1");
        assert_eq!(peer.ask("persist never").await, ":1");
        // On the clock of clients, two days after its end until then.
        let end = peer.ask_number("pexpiretime dated").await + 2 * 86_400_000;
        assert_eq!(peer.ask(&format!("pexpireat dated {end}")).await, ":1");
        assert_eq!(peer.ask("set kept other keepttl").await, "+OK");
        for (days, left) in [
            (0, "sooner later never dated kept"),
            (1, "later never dated"),
            (1, "later never dated"),
            (1, "later never"),
            (26, "later never"),
            (1, "never"),
            (3_650, "never"),
        ] {
            paused.advance(days * DAY).await;
            let mut found = Vec::new();
            for name in ["sooner", "later", "never", "dated", "kept"] {
                if peer.ask(&format!("exists {name}")).await == ":1" {
                    found.push(name);
                }
            }
            assert_eq!(found.join(" "), left, "after {:?}", paused.elapsed());
        }
        assert_eq!(peer.ask("ttl never").await, ":-1");
    });
}

/// Hazard: of many keys, some go at the end of another.
#[test]
fn keys_of_a_year_go_in_order() {
    let paused = time::pause();
    with_server(&paused, async |address| {
        let mut peer = Peer::connect(address).await;
        let mut rng = fastrand::Rng::with_seed(1);
        let mut ends = BTreeMap::<u64, i64>::new();
        let mut left = 2_000;
        for number in 0..left {
            // Some at the same time.
            let seconds = rng.u64(1..365 * 86_400) / 100_000 * 100_000 + rng.u64(1..10);
            assert_eq!(peer.ask(&format!("set key{number} value ex {seconds}")).await, "+OK");
            *ends.entry(seconds).or_default() += 1;
        }
        for (seconds, count) in ends {
            assert!(paused.advance_to_next().await.is_some());
            assert_eq!(paused.elapsed(), Duration::from_secs(seconds));
            left -= count;
            assert_eq!(peer.ask_number("dbsize").await, left);
        }
        assert_eq!((left, paused.advance_to_next().await), (0, None));
        assert_eq!(peer.told("expired_keys").await, 2_000);
    });
}

/// Hazard: whether a key is seen at its end depends on who is woken first: the task that removes it, or
/// the connection.
#[test]
fn ended_key_is_gone_in_any_order() {
    time::for_each_seed(0..50, |paused| {
        paused.auto_advance(PendingIo::Jump);
        with_server(paused, async |address| {
            let life = async |name: &str| {
                let mut peer = Peer::connect(address).await;
                assert_eq!(peer.ask(&format!("set {name} value px 1000")).await, "+OK");
                Timer::after(Duration::from_secs(1) - MILLISECOND).await;
                assert_eq!(peer.ask(&format!("get {name}")).await, "value");
                Timer::after(MILLISECOND).await;
                assert_eq!(peer.ask(&format!("get {name}")).await, "$-1");
            };
            future::zip(life("one"), future::zip(life("two"), life("three"))).await;
        });
        assert_eq!(paused.elapsed(), Duration::from_secs(1));
    });
}
