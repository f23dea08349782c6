//! HTTP/1 over TCP: hyper on async-net and smol, with a limit on each read.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_lite::{AsyncReadExt, AsyncWriteExt, FutureExt, future};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use smol::{Executor, Timer};
use smol_hyper::rt::FuturesIo;

mod server;

use server::listen;

/// Runs a future with an executor on this thread and another.
fn run<T>(test: impl AsyncFnOnce(Arc<Executor<'static>>) -> T) -> T {
    let executor = Arc::new(Executor::new());
    let (stop, stopped) = smol::channel::bounded::<Infallible>(1);
    std::thread::scope(|scope| {
        scope.spawn(|| smol::block_on(executor.run(stopped.recv())));
        let result = smol::block_on(executor.run(test(executor.clone())));
        drop(stop);
        result
    })
}

#[test]
fn requests_over_one_connection_are_answered_in_order() {
    run(async |executor| {
        let address = listen(Duration::from_secs(30), &executor).await;
        let stream = async_net::TcpStream::connect(address).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(FuturesIo::new(stream)).await.unwrap();
        executor.spawn(async move { connection.await.unwrap() }).detach();
        for index in 0..100 {
            let body = vec![index as u8; index * 1000];
            let request = Request::post(format!("/{index}"))
                .header("host", "localhost")
                .body(Full::new(Bytes::from(body.clone())))
                .unwrap();
            sender.ready().await.unwrap();
            let response = sender.send_request(request).await.unwrap();
            assert_eq!(response.status(), StatusCode::OK);
            assert_eq!(response.headers()["x-path"], format!("/{index}"));
            assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), body);
        }
    });
}

#[test]
fn many_clients_at_once_are_served() {
    run(async |executor| {
        let address = listen(Duration::from_secs(30), &executor).await;
        let clients: Vec<_> = (0..100)
            .map(|index| {
                let executor_ = executor.clone();
                executor.spawn(async move {
                    let stream = async_net::TcpStream::connect(address).await.unwrap();
                    let (mut sender, connection) =
                        hyper::client::conn::http1::handshake(FuturesIo::new(stream))
                            .await
                            .unwrap();
                    executor_.spawn(async move { connection.await.unwrap() }).detach();
                    for _ in 0..10 {
                        let request = Request::post("/")
                            .header("host", "localhost")
                            .body(Full::new(Bytes::from(format!("client {index}"))))
                            .unwrap();
                        sender.ready().await.unwrap();
                        let response = sender.send_request(request).await.unwrap();
                        let body = response.into_body().collect().await.unwrap().to_bytes();
                        assert_eq!(body, format!("client {index}"));
                        Timer::after(Duration::from_millis(1)).await;
                    }
                })
            })
            .collect();
        for client in clients {
            client.await;
        }
    });
}

#[test]
fn silent_client_is_cut_by_read_limit() {
    run(async |executor| {
        let limit = Duration::from_millis(100);
        let address = listen(limit, &executor).await;
        let start = Instant::now();
        let mut stream = async_net::TcpStream::connect(address).await.unwrap();
        stream.write_all(b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-le").await.unwrap();
        let mut answer = Vec::new();
        // Closed with or without an answer, with or without a reset.
        let _ = stream.read_to_end(&mut answer).await;
        let elapsed = start.elapsed();
        assert!(elapsed >= limit, "cut off after {elapsed:?}");
        assert!(elapsed < Duration::from_secs(10), "cut off after {elapsed:?}");
    });
}

#[test]
fn dropped_read_leaves_the_stream_usable() {
    run(async |_| {
        let listener = async_net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (mut client, (mut server, _)) =
            future::try_zip(async_net::TcpStream::connect(address), listener.accept())
                .await
                .unwrap();
        let mut buffer = [0; 5];
        for _ in 0..20 {
            let read = server.read(&mut buffer).or(async {
                Timer::after(Duration::from_millis(2)).await;
                Err(io::ErrorKind::TimedOut.into())
            });
            assert_eq!(read.await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        }
        client.write_all(b"hello").await.unwrap();
        server.read_exact(&mut buffer).await.unwrap();
        assert_eq!(&buffer, b"hello");
    });
}
