//! The HTTP server: hyper on `Async` streams, with timers for its limits.

use std::convert::Infallible;
use std::future::Future;
use std::net::{TcpListener, TcpStream};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use async_channel::Receiver;
use async_executor::Executor;
use async_wheel::time::TimeoutExt;
use async_wheel::{Async, Timer};
use futures_lite::FutureExt;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::rt::Sleep;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use prometheus_client::encoding::prometheus_text;
use prometheus_client::registry::Registry;
use smol_hyper::rt::FuturesIo;

/// How long a connection may take to the end of a request's head: longer than the minute that
/// Prometheus waits between two scrapes, unless it is configured.
const HEAD: Duration = Duration::from_secs(90);
/// How long the requests that were begun have, once the server is to end.
const LAST: Duration = Duration::from_secs(1);
/// How long to wait after the system refused a connection.
const REFUSED: Duration = Duration::from_millis(100);
/// The most connections at a time.
const CONNECTIONS: usize = 64;

/// Serves until `stop` is ready, and then what was begun.
pub async fn serve(
    listener: Async<TcpListener>,
    registry: Registry,
    executor: Arc<Executor<'static>>,
    stop: impl Future<Output = ()>,
) {
    let registry = Arc::new(registry);
    // Closed when the connections are to end.
    let (stopping, stopped) = async_channel::bounded::<()>(1);
    // Full when there are enough connections: each takes a message out when it ends.
    let (places, taken) = async_channel::bounded::<()>(CONNECTIONS);
    let mut tasks = Vec::new();
    let accept = async {
        loop {
            let _ = places.send(()).await;
            match listener.accept().await {
                Ok((stream, _)) => {
                    let (registry, stopped) = (registry.clone(), stopped.clone());
                    let taken = taken.clone();
                    tasks.retain(|task: &async_executor::Task<()>| !task.is_finished());
                    tasks.push(executor.spawn(async move {
                        connection(stream, registry, stopped).await;
                        let _ = taken.try_recv();
                    }));
                }
                Err(error) => {
                    let _ = taken.try_recv();
                    eprintln!("warning: cannot accept: {error}");
                    Timer::after(REFUSED).await;
                }
            }
        }
    };
    accept.or(stop).await;
    drop((listener, stopping));
    let rest = async {
        for task in tasks {
            task.await;
        }
    };
    // The others are dropped.
    let _ = rest.timeout(LAST).await;
}

/// Serves a connection until it is closed. Once the server is to end, only the request that was
/// begun is answered.
async fn connection(stream: Async<TcpStream>, registry: Arc<Registry>, stopped: Receiver<()>) {
    let service = service_fn(|request| {
        let answer = answer(&request, &registry);
        async { Ok::<_, Infallible>(answer) }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(Wheel)
            .header_read_timeout(HEAD)
            .serve_connection(FuturesIo::new(stream), service)
    );
    let ended = async {
        // An error is the peer's.
        let _ = connection.as_mut().await;
        true
    };
    let stopping = async {
        let _ = stopped.recv().await;
        false
    };
    if !ended.or(stopping).await {
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }
}

fn answer(request: &Request<Incoming>, registry: &Registry) -> Response<String> {
    if !matches!(request.method(), &Method::GET | &Method::HEAD) {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n".to_owned());
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    if request.uri().path() != "/metrics" {
        return text(StatusCode::NOT_FOUND, "the metrics are at /metrics\n".to_owned());
    }
    let mut metrics = String::new();
    match prometheus_text::encode(&mut metrics, registry) {
        Ok(()) => {
            let mut response = text(StatusCode::OK, metrics);
            let kind = HeaderValue::from_static(prometheus_text::CONTENT_TYPE);
            response.headers_mut().insert(CONTENT_TYPE, kind);
            response
        }
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
    }
}

fn text(status: StatusCode, text: String) -> Response<String> {
    let mut response = Response::new(text);
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// The timers of hyper, which are ours.
struct Wheel;

/// A timer without its `Instant`.
struct Sleeping(Timer);

impl hyper::rt::Timer for Wheel {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        Box::pin(Sleeping(Timer::after(duration)))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Sleeping(Timer::at(deadline)))
    }

    /// Postpones the timer instead of making another.
    fn reset(&self, sleep: &mut Pin<Box<dyn Sleep>>, deadline: Instant) {
        match sleep.as_mut().downcast_mut_pin::<Sleeping>() {
            Some(mut sleeping) => sleeping.0.set_at(deadline),
            None => *sleep = self.sleep_until(deadline),
        }
    }
}

impl Sleep for Sleeping {}

impl Future for Sleeping {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        ready!(self.0.poll(cx));
        Poll::Ready(())
    }
}
