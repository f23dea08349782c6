//! What asks for a timer of a runtime's, and gets async-io's: hyper through smol-hyper, quinn,
//! async-std and futures-time. Each must wait as long as it says, on the shim.

#![allow(dead_code, reason = "it uses a part of the fixture of the library's own tests")]

#[path = "../../../tests/common/time.rs"]
mod time;

use std::future::{pending, poll_fn};
use std::io::IoSliceMut;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use futures_lite::{AsyncReadExt, AsyncWriteExt, future};
use hyper::rt::Timer as _;
use quinn::Runtime as _;
use smol_hyper::rt::{FuturesIo, SmolTimer};
use time::{MS, PATIENCE};

/// Checks that a future ends when so much has passed, and not long after.
#[track_caller]
fn takes<T>(least: Duration, run: impl Future<Output = T>) -> T {
    let start = Instant::now();
    let result = smol::block_on(run);
    let elapsed = start.elapsed();
    assert!(elapsed >= least, "after {elapsed:?}, before {least:?}");
    assert!(elapsed < least + PATIENCE, "after {elapsed:?}, long after {least:?}");
    result
}

#[test]
fn timer_of_hyper_waits_as_long_as_said() {
    let timer = SmolTimer::new();
    takes(20 * MS, timer.sleep(20 * MS));
    takes(20 * MS, timer.sleep_until(Instant::now() + 20 * MS));
}

/// hyper resets one sleep for each request instead of making another.
#[test]
fn timer_of_hyper_is_reset() {
    let timer = SmolTimer::new();
    let mut sleep = timer.sleep(Duration::from_secs(3_600));
    assert!(smol::block_on(future::poll_once(&mut sleep)).is_none());
    timer.reset(&mut sleep, Instant::now() + 20 * MS);
    takes(15 * MS, sleep);
}

/// A client that never ends its head.
#[test]
fn header_timeout_of_hyper_fires() {
    let limit = 50 * MS;
    let error = takes(limit, async {
        let listener = async_net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut client = async_net::TcpStream::connect(address).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nho").await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let service = hyper::service::service_fn(
            async |_| -> Result<hyper::Response<String>, std::io::Error> { pending().await },
        );
        hyper::server::conn::http1::Builder::new()
            .timer(SmolTimer::new())
            .header_read_timeout(limit)
            .serve_connection(FuturesIo::new(stream), service)
            .await
            .unwrap_err()
    });
    assert!(error.is_timeout(), "{error:?}");
}

#[test]
fn timer_of_quinn_fires_and_is_reset() {
    let mut timer = quinn::SmolRuntime.new_timer(Instant::now() + 20 * MS);
    takes(15 * MS, poll_fn(|cx| timer.as_mut().poll(cx)));
    timer.as_mut().reset(Instant::now() + 20 * MS);
    takes(15 * MS, poll_fn(|cx| timer.as_mut().poll(cx)));
}

#[test]
fn socket_of_quinn_receives_what_is_sent() {
    let socket = || UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    let [sender, receiver] =
        [socket(), socket()].map(|socket| quinn::SmolRuntime.wrap_udp_socket(socket).unwrap());
    let mut bytes = [0; 100];
    let mut meta = [quinn::udp::RecvMeta::default()];
    let received = takes(20 * MS, async {
        let send = async {
            smol::Timer::after(20 * MS).await;
            let mut writable = sender.clone().create_io_poller();
            poll_fn(|cx| writable.as_mut().poll_writable(cx)).await.unwrap();
            let contents = b"hello";
            let transmit = quinn::udp::Transmit {
                destination: receiver.local_addr().unwrap(),
                ecn: None,
                contents,
                segment_size: None,
                src_ip: None,
            };
            sender.try_send(&transmit).unwrap();
        };
        let receive =
            poll_fn(|cx| receiver.poll_recv(cx, &mut [IoSliceMut::new(&mut bytes)], &mut meta));
        future::zip(send, receive).await.1.unwrap()
    });
    assert_eq!((received, meta[0].len), (1, 5));
    assert_eq!(&bytes[..5], b"hello");
}

#[test]
fn async_std_sleeps_and_times_out() {
    takes(20 * MS, async_std::task::sleep(20 * MS));
    let result = takes(20 * MS, async_std::future::timeout(20 * MS, pending::<()>()));
    assert!(result.is_err());
}

/// async-std has an executor and sockets of its own on async-io.
#[test]
fn async_std_serves_a_client() {
    let answer = async_std::task::block_on(async {
        let listener = async_std::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let server = async_std::task::spawn(async move {
            let (mut stream, _) = listener.accept().await?;
            let mut question = [0; 2];
            stream.read_exact(&mut question).await?;
            async_std::task::sleep(10 * MS).await;
            stream.write_all(b"yes").await
        });
        let mut stream = async_std::net::TcpStream::connect(address).await?;
        stream.write_all(b"so").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        server.await?;
        std::io::Result::Ok(answer)
    });
    assert_eq!(answer.unwrap(), "yes");
}

#[test]
fn futures_time_sleeps_and_times_out() {
    use futures_time::future::FutureExt;
    use futures_time::time::Duration;

    takes(20 * MS, futures_time::task::sleep(Duration::from_millis(20)));
    let result = takes(20 * MS, pending::<()>().timeout(Duration::from_millis(20)));
    assert!(result.is_err());
}
