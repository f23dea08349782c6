//! Paused time: smol's timers, and timeouts of async-net and hyper, of hours and days.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_io::time::{self, Paused, PendingIo};
use futures_lite::{AsyncReadExt, AsyncWriteExt, FutureExt, StreamExt, future};
use smol::{Executor, LocalExecutor, Timer};

mod server;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// Time goes on whenever all wait. Both ends of all I/O are on threads that are paused.
fn by_itself(paused: Paused) -> Paused {
    paused.auto_advance(PendingIo::Jump);
    paused.set_patience(Duration::from_secs(60));
    paused
}

async fn gives_up<T>(after: Duration) -> io::Result<T> {
    Timer::after(after).await;
    Err(io::ErrorKind::TimedOut.into())
}

#[test]
fn smol_timers_follow_the_clock() {
    let paused = by_itself(time::pause());
    let start = time::now();
    let tasks = LocalExecutor::new();
    let interval = tasks.spawn(Timer::interval(HOUR).take(24).collect::<Vec<_>>());
    smol::block_on(tasks.run(async {
        for days in 1..=100 {
            assert_eq!(Timer::after(DAY).await, start + days * DAY);
            assert_eq!(paused.elapsed(), days * DAY);
        }
        let ticks = interval.await;
        assert!(ticks.iter().copied().eq((1..=24).map(|tick| start + tick * HOUR)));
    }));
}

#[test]
fn silence_of_an_hour_times_out() {
    let paused = by_itself(time::pause());
    smol::block_on(async {
        let socket = async_net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let listener = async_net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut buffer = [0; 8];
        let error = socket.recv(&mut buffer).or(gives_up(HOUR)).await.unwrap_err();
        assert_eq!((error.kind(), paused.elapsed()), (io::ErrorKind::TimedOut, HOUR));
        let accepting = async { listener.accept().await.map(drop) };
        let error = accepting.or(gives_up(DAY)).await.unwrap_err();
        assert_eq!((error.kind(), paused.elapsed()), (io::ErrorKind::TimedOut, HOUR + DAY));
    });
}

/// What comes in time is not taken for silence, however short that is.
#[test]
fn datagram_in_the_last_moment_arrives() {
    let paused = by_itself(time::pause());
    let moment = Duration::from_nanos(1);
    smol::block_on(async {
        let receiver = async_net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let sender = async_net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        sender.connect(receiver.local_addr().unwrap()).await.unwrap();
        let sending = async {
            for index in 0..100_u8 {
                Timer::after(DAY - moment).await;
                sender.send(&[index]).await.unwrap();
            }
        };
        let receiving = async {
            let mut buffer = [0; 8];
            for index in 0..100_u8 {
                let received = receiver.recv(&mut buffer).or(gives_up(DAY)).await.unwrap();
                assert_eq!((received, buffer[0]), (1, index));
            }
        };
        future::zip(sending, receiving).await;
    });
    assert_eq!(paused.elapsed(), 100 * (DAY - moment));
}

/// A name is resolved on smol's blocking pool, which is no I/O.
#[test]
fn held_time_waits_for_the_blocking_pool() {
    let paused = by_itself(time::pause());
    let resolving = async {
        let _held = paused.hold();
        async_net::resolve("localhost:80").await
    };
    let addresses = smol::block_on(resolving.or(gives_up(SECOND))).unwrap();
    assert!(addresses.iter().all(|address| address.ip().is_loopback()));
    assert_eq!((addresses.is_empty(), paused.elapsed()), (false, Duration::ZERO));
}

const HEAD: &[u8] =
    b"POST / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 20\r\n\r\n";

/// Runs a test with a server whose reads may take a day, on this thread.
fn with_server(test: impl AsyncFnOnce(&Paused, &mut async_net::TcpStream)) {
    let paused = by_itself(time::pause());
    let executor = Arc::new(Executor::new());
    smol::block_on(executor.run(async {
        let address = server::listen(DAY, &executor).await;
        let mut stream = async_net::TcpStream::connect(address).await.unwrap();
        test(&paused, &mut stream).await;
    }));
}

#[test]
fn silent_client_is_cut_after_a_day() {
    with_server(async |paused, stream| {
        stream.write_all(HEAD).await.unwrap();
        Timer::after(HOUR).await;
        stream.write_all(b"x").await.unwrap();
        let mut answer = Vec::new();
        // Closed with or without an answer.
        let _ = stream.read_to_end(&mut answer).await;
        assert_eq!(paused.elapsed(), HOUR + DAY);
    });
}

#[test]
fn client_that_sends_daily_is_served() {
    with_server(async |paused, stream| {
        stream.write_all(HEAD).await.unwrap();
        for _ in 0..20 {
            Timer::after(DAY - Duration::from_nanos(1)).await;
            stream.write_all(b"x").await.unwrap();
        }
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert_eq!(paused.elapsed(), 20 * DAY - Duration::from_nanos(20));
    });
}

/// hyper asks the system what time it is: its deadline counts from there, the wait is in paused time.
#[test]
fn half_a_head_is_given_up() {
    with_server(async |paused, stream| {
        stream.write_all(&HEAD[..HEAD.len() / 2]).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!((10 * SECOND..HOUR).contains(&paused.elapsed()), "{:?}", paused.elapsed());
    });
}
