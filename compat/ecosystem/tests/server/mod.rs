//! An HTTP server of hyper's on async-net, with a limit on each read.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_lite::{AsyncRead, AsyncWrite, FutureExt};
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

/// Starts a server whose reads take so long at most.
pub async fn listen(limit: Duration, executor: &Arc<Executor<'static>>) -> SocketAddr {
    let listener = async_net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    executor.spawn(serve(listener, limit, executor.clone())).detach();
    address
}
