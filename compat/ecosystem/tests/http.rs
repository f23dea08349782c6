//! HTTP/1 over TCP: hyper on async-net and smol, with a limit on each read.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_lite::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, FutureExt, future};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, StatusCode};
use smol::{Executor, Timer};
use smol_hyper::rt::{FuturesIo, SmolTimer};

/// A stream whose reads take so long at most.
struct Limited<S> {
    stream: S,
    limit: Duration,
    timer: Timer,
}

impl<S> Limited<S> {
    fn new(stream: S, limit: Duration) -> Limited<S> {
        Limited { stream, limit, timer: Timer::after(limit) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Limited<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let Limited { stream, limit, timer } = &mut *self;
        if let Poll::Ready(read) = Pin::new(stream).poll_read(cx, buffer) {
            timer.set_after(*limit);
            return Poll::Ready(read);
        }
        timer.poll(cx).map(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Limited<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}

/// Answers with what was sent, or with an error.
async fn echo(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let (status, body) = match request.into_body().collect().await {
        Ok(body) => (StatusCode::OK, body.to_bytes()),
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string().into()),
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert("x-path", path.parse().expect("a path is a header's value"));
    Ok(response)
}

/// Serves for ever, each connection in a task of its own.
async fn serve(
    listener: async_net::TcpListener,
    limit: Duration,
    executor: Arc<Executor<'static>>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(SmolTimer::new())
            .header_read_timeout(Duration::from_secs(10))
            .serve_connection(
                FuturesIo::new(Limited::new(stream, limit)),
                hyper::service::service_fn(echo),
            );
        executor
            .spawn(async move {
                // A client that says nothing for long ends it with an error.
                let _ = connection.await;
            })
            .detach();
    }
}

async fn listen(limit: Duration, executor: &Arc<Executor<'static>>) -> SocketAddr {
    let listener = async_net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    executor.spawn(serve(listener, limit, executor.clone())).detach();
    address
}

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
fn sending_client_is_not_cut_off() {
    run(async |executor| {
        let limit = Duration::from_millis(400);
        let address = listen(limit, &executor).await;
        let mut stream = async_net::TcpStream::connect(address).await.unwrap();
        let head = b"POST / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 20\r\n\r\n";
        stream.write_all(head).await.unwrap();
        for _ in 0..20 {
            Timer::after(Duration::from_millis(40)).await;
            stream.write_all(b"x").await.unwrap();
        }
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.ends_with(&"x".repeat(20)), "{answer}");
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
