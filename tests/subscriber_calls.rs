//! A subscriber of `tracing` that calls the library at each span and event: of this crate's own, and
//! of `polling`'s, which another crate of a program may have turned on. Each call would hang if the
//! library reported anything under a lock or in a seat. A binary of its own: it is the process's
//! subscriber.

mod common;

use std::cell::Cell;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use async_wheel::{Async, Builder, Timer, block_on, diagnostics, driver};
use common::process::alone;
use common::{HOUR, MS, Wakes, armed};
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

thread_local! {
    /// Whether this thread is in the subscriber: what it does there is not traced in turn.
    static CALLS: Cell<bool> = const { Cell::new(false) };
}

/// While it is set, `polling`'s spans and events are not answered: else the reactor has been started,
/// by the answer, before this crate has anything to report.
static ONLY_OURS: AtomicBool = AtomicBool::new(false);

/// Spans and events of this crate, and of `polling`.
static OURS: AtomicUsize = AtomicUsize::new(0);
static POLLINGS: AtomicUsize = AtomicUsize::new(0);

struct Caller;

impl Caller {
    fn call(metadata: &Metadata<'_>) {
        // The answer would get the thread its home before the call that is about to.
        if metadata.name() == "async_wheel::block_on" {
            return;
        }
        let is_pollings = metadata.target().starts_with("polling");
        // Ordering: Relaxed: set before all threads.
        if is_pollings && ONLY_OURS.load(Ordering::Relaxed) {
            return;
        }
        if CALLS.replace(true) {
            return;
        }
        let count = if is_pollings { &POLLINGS } else { &OURS };
        // Ordering: Relaxed: a count, read after the threads were joined.
        count.fetch_add(1, Ordering::Relaxed);
        // Fires, and waits, so that whoever is here would have to drive.
        block_on(Timer::after(MS / 10));
        let _timer = armed(&Wakes::new().waker(), || Timer::after(HOUR));
        // Their numbers follow each other, so that each part of the registry has one.
        let sockets: Vec<_> = (0..16).map(|_| socket()).collect();
        drop(sockets);
        let _ = diagnostics::metrics();
        let _ = diagnostics::shards();
        driver::notify();
        let _ = driver::drive(Some(std::time::Duration::ZERO));
        #[cfg(unix)]
        let _ = async_wheel::os::unix::reactor_fd();
        CALLS.set(false);
    }
}

impl Subscriber for Caller {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        Caller::call(span.metadata());
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        Caller::call(event.metadata());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// A source that is registered at once, since it was made elsewhere.
fn socket() -> Async<UdpSocket> {
    Async::new(UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap()
}

/// A connection that has a message and is closed: sources are registered, moved and dropped.
async fn connection() {
    let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0)).unwrap();
    let address = listener.get_ref().local_addr().unwrap();
    let mut client = Async::<TcpStream>::connect(address).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    client.write_all(b"message").await.unwrap();
    let mut message = [0; 7];
    server.read_exact(&mut message).await.unwrap();
    assert_eq!(&message, b"message");
    drop(socket());
}

/// Threads that are in `block_on` at once and get a shard each; then timers that the fallback thread
/// has to itself.
fn on_threads(threads: usize) {
    let barrier = Barrier::new(threads);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                block_on(async {
                    barrier.wait();
                    connection().await;
                    Timer::after(MS).await;
                    barrier.wait();
                });
            });
        }
    });
    let wakes = Wakes::new();
    for count in 1..=5 {
        let _timer = armed(&wakes.waker(), || Timer::after(MS));
        wakes.wait_for(count);
    }
}

#[track_caller]
fn was_called() {
    // Ordering: Relaxed: the threads were joined.
    assert!(OURS.load(Ordering::Relaxed) > 0, "events of this crate");
    // Ordering: Relaxed: as above.
    let expected = !ONLY_OURS.load(Ordering::Relaxed);
    // Ordering: Relaxed: as above.
    assert_eq!(POLLINGS.load(Ordering::Relaxed) > 0, expected, "events of `polling`");
}

/// The first call starts the reactor while the builder does, and the builder is told so.
#[test]
fn subscriber_calls_back_while_reactor_is_built() {
    alone(|| {
        tracing::subscriber::set_global_default(Caller).unwrap();
        let error = Builder::new().shards(4).build().unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
        on_threads(4);
        was_called();
    });
}

#[test]
fn subscriber_calls_back_at_first_use() {
    alone(|| {
        tracing::subscriber::set_global_default(Caller).unwrap();
        on_threads(4);
        was_called();
    });
}

#[cfg(unix)]
#[test]
#[cfg_attr(async_wheel_single_shard, ignore = "there is no overview")]
fn subscriber_calls_back_as_shards_are_added() {
    alone(|| {
        Builder::new().shards(4).build().unwrap();
        tracing::subscriber::set_global_default(Caller).unwrap();
        assert!(async_wheel::os::unix::reactor_fd().is_some());
        on_threads(6);
        was_called();
        assert_eq!(diagnostics::shards().len(), 4);
    });
}

/// A bad variable is reported at the first use, and the reactor starts all the same.
#[test]
fn subscriber_calls_back_at_warning() {
    const NAME: &str = "subscriber_calls_back_at_warning";
    if common::process::is(NAME) {
        // Ordering: Relaxed: before all threads.
        ONLY_OURS.store(true, Ordering::Relaxed);
        tracing::subscriber::set_global_default(Caller).unwrap();
        on_threads(2);
        return was_called();
    }
    let mut child = common::process::spawn_with(NAME, &[("ASYNC_WHEEL_SHARDS", "many")]);
    let ended = common::process::wait(&mut child, common::PATIENCE);
    assert!(ended.is_some_and(|status| status.success()), "{ended:?}");
}
