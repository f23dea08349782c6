//! Which shard a source or a timer is in: that of the thread that waits for it.

#![cfg(target_os = "linux")]

mod common;

use std::future::poll_fn;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, RawFd};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, MutexGuard};
use std::task::Poll;
use std::thread;
use std::time::Instant;

use async_wheel::{Async, Timer, block_on, diagnostics};
use common::{
    MS, in_time,
    sockets::{LOOPBACK, plain_tcp_pair, unix_pair},
    watchdog,
    workers::{Worker, migrations, pollers_of, sources, two_workers},
};
use futures_lite::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, StreamExt, future};

/// So many waits in a row from one other shard move a source.
const MOVES_AFTER: usize = 16;

/// A listener of this crate's, and its address.
fn listen() -> (Arc<Async<TcpListener>>, SocketAddr) {
    let listener = Async::<TcpListener>::bind(LOOPBACK).unwrap();
    let address = listener.get_ref().local_addr().unwrap();
    (Arc::new(listener), address)
}

/// One thread accepts, another serves.
#[test]
#[cfg_attr(async_wheel_single_shard, ignore = "with one shard all is registered at once")]
fn accepted_connection_is_in_its_servers_shard() {
    let _watchdog = watchdog();
    let (_turn, acceptor, server) = two_workers();
    let (listener, address) = listen();
    let moved = migrations();
    for byte in 0..20u8 {
        let accept = listener.clone();
        let mut client = TcpStream::connect(address).unwrap();
        let accepted = acceptor.run(move || block_on(in_time("a client", accept.accept())));
        let stream = Arc::new(accepted.unwrap().0);
        assert!(pollers_of(&stream).is_empty(), "before its first wait");
        server.wait_in_vain(&stream);
        assert_eq!(pollers_of(&stream), [server.poller]);
        client.write_all(&[byte]).unwrap();
        let read = stream.clone();
        let read = server.run(move || {
            let mut read_byte = [0];
            let read = block_on(in_time("a byte", (&*read).read(&mut read_byte)));
            (read.unwrap(), read_byte)
        });
        assert_eq!(read, (1, [byte]));
    }
    assert_eq!(migrations(), moved, "it was registered where it is");
}

/// What it has to read is there, so that there is no wait.
#[test]
#[cfg_attr(async_wheel_single_shard, ignore = "with one shard all is registered at once")]
fn served_connection_without_wait_is_never_registered() {
    let _watchdog = watchdog();
    let (_turn, acceptor, server) = two_workers();
    let (listener, address) = listen();
    acceptor.wait_in_vain(&listener);
    let before = sources();
    for _ in 0..20 {
        let mut client = TcpStream::connect(address).unwrap();
        client.write_all(b"a request").unwrap();
        let accept = listener.clone();
        let accepted = acceptor.run(move || block_on(in_time("a client", accept.accept())));
        let (mut stream, _) = accepted.unwrap();
        server.run(move || {
            let mut request = [0; 9];
            block_on(stream.read_exact(&mut request)).unwrap();
            block_on(stream.write_all(b"an answer")).unwrap();
            assert!(pollers_of(&stream).is_empty());
            assert_eq!(sources(), before);
        });
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "an answer");
    }
    assert_eq!(sources(), before);
}

/// Its first wait registers a source of this crate's making, there.
#[track_caller]
fn first_wait_registers<T: AsFd + Send + Sync + 'static>(worker: &Worker, made: Async<T>) {
    let source = Arc::new(made);
    assert!(pollers_of(&source).is_empty(), "before its first wait");
    worker.wait_in_vain(&source);
    assert_eq!(pollers_of(&source), [worker.poller]);
}

#[test]
#[cfg_attr(async_wheel_single_shard, ignore = "with one shard all is registered at once")]
fn first_wait_registers_whatever_was_made() {
    let _watchdog = watchdog();
    let (_turn, maker, waiter) = two_workers();
    let moved = migrations();
    for worker in [&maker, &waiter] {
        let (ours, theirs) = maker.run(|| Async::<UnixStream>::pair().unwrap());
        first_wait_registers(worker, ours);
        first_wait_registers(worker, theirs);
        let (ours, _theirs) = maker.run(|| Async::<UnixDatagram>::pair().unwrap());
        first_wait_registers(worker, ours);
        first_wait_registers(worker, maker.run(|| Async::<UdpSocket>::bind(LOOPBACK).unwrap()));
        first_wait_registers(worker, maker.run(|| Async::<TcpListener>::bind(LOOPBACK).unwrap()));
    }
    assert_eq!(migrations(), moved);
}

/// One thread wraps a source, another one is the first that waits for it.
#[test]
#[cfg_attr(async_wheel_single_shard, ignore = "there is one shard")]
fn wrapped_source_moves_at_its_first_wait() {
    let _watchdog = watchdog();
    let (_turn, home, other) = two_workers();
    let moved = migrations();
    let (source, mut peer) = home.run(unix_pair);
    let source = Arc::new(source);
    assert_eq!(pollers_of(&source), [home.poller]);
    other.wait_in_vain(&source);
    assert_eq!(pollers_of(&source), [other.poller]);
    assert_eq!(migrations(), moved + 1);
    peer.write_all(b"x").unwrap();
    let read = source.clone();
    other.run(move || block_on(in_time("it is readable", read.readable())).unwrap());

    // The other way round it stays.
    let (source, _peer) = home.run(unix_pair);
    let source = Arc::new(source);
    home.wait_in_vain(&source);
    other.wait_in_vain(&source);
    assert_eq!(pollers_of(&source), [home.poller]);
    assert_eq!(migrations(), moved + 1);
}

/// A stolen task makes its sources be waited for by one thread after the other.
#[test]
fn source_waited_for_in_turns_stays() {
    let _watchdog = watchdog();
    let (_turn, home, other) = two_workers();
    let (source, _peer) = home.run(unix_pair);
    let source = Arc::new(source);
    let moved = migrations();
    for _ in 0..3 * MOVES_AFTER {
        home.wait_in_vain(&source);
        other.wait_in_vain(&source);
    }
    for _ in 0..3 {
        home.wait_in_vain(&source);
        (1..MOVES_AFTER).for_each(|_| other.wait_in_vain(&source));
    }
    assert_eq!(pollers_of(&source), [home.poller]);
    assert_eq!(migrations(), moved);
}

#[test]
#[cfg_attr(async_wheel_single_shard, ignore = "there is one shard")]
fn waits_in_a_row_move_source_once() {
    let _watchdog = watchdog();
    let (_turn, home, other) = two_workers();
    let (source, mut peer) = home.run(|| Async::<UnixStream>::pair().unwrap());
    let source = Arc::new(source);
    home.wait_in_vain(&source);
    let moved = migrations();
    for (there, round) in [(&other, 1), (&home, 2), (&other, 3)] {
        let here = pollers_of(&source);
        (1..MOVES_AFTER).for_each(|_| there.wait_in_vain(&source));
        assert_eq!(pollers_of(&source), here, "one more is missing");
        there.wait_in_vain(&source);
        assert_eq!(pollers_of(&source), [there.poller]);
        (0..2 * MOVES_AFTER).for_each(|_| there.wait_in_vain(&source));
        assert_eq!(migrations(), moved + round);
    }
    block_on(peer.write_all(b"x")).unwrap();
    let read = source.clone();
    home.run(move || block_on(in_time("it is readable", read.readable())).unwrap());
}

/// How far the two threads of a transfer have got, which take turns each [`TURN`] bytes.
#[derive(Default)]
struct Turns {
    /// So many bytes were sent, and the writer does not touch the source.
    sent: AtomicUsize,
    /// So many were received, and the reader waits for more.
    received: AtomicUsize,
}

/// What the echo takes at once, all of which it has to have, and what is a number of those.
const PIECE: usize = 97;
const TURN: usize = 100 * PIECE;
const BYTES: usize = 100 * TURN;

/// Waits until another thread has counted so far. Polls nothing meanwhile, and drives.
async fn until(count: &AtomicUsize, reached: usize) {
    poll_fn(|cx| {
        // Ordering: SeqCst, as all in here: a test.
        if count.load(Ordering::SeqCst) >= reached {
            return Poll::Ready(());
        }
        thread::yield_now();
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Threads that read and write, and draw the source into their shards meanwhile. What is written
/// comes back from an echo. At the end of each turn nothing is under way, and it is drawn to the
/// reader's shard and, while that waits, to the writer's.
fn transfer_while_moving<T>(
    (_turn, reader, writer): (MutexGuard<'static, ()>, Worker, Worker),
    source: Async<T>,
    echo: impl Fn(&mut [u8]) + Send + 'static,
) where
    T: AsFd + Send + Sync + 'static,
    for<'a> &'a Async<T>: AsyncRead + AsyncWrite,
{
    let (source, turns) = (Arc::new(source), Arc::new(Turns::default()));
    let moved = migrations();
    let echo = thread::spawn(move || {
        for _ in 0..BYTES / PIECE {
            echo(&mut [0; PIECE]);
        }
    });
    let write = write_in_turns(source.clone(), turns.clone(), writer.poller);
    let read = read_in_turns(source, turns, reader.poller);
    thread::scope(|scope| {
        scope.spawn(|| writer.run(|| block_on(in_time("all is written", write))));
        reader.run(|| block_on(in_time("all is read", read)));
    });
    echo.join().unwrap();
    if !cfg!(async_wheel_single_shard) {
        let moves = migrations() - moved;
        eprintln!("{moves} migrations");
        // To the writer's at the end of each turn. How many more there are is up to the system.
        assert!(moves >= BYTES / TURN - 1, "{moves} migrations");
    }
}

async fn write_in_turns<T>(source: Arc<Async<T>>, turns: Arc<Turns>, poller: RawFd)
where
    T: AsFd,
    for<'a> &'a Async<T>: AsyncWrite,
{
    let mut sent = 0;
    while sent < BYTES {
        let end_of_turn = (sent / TURN + 1) * TURN;
        let until_here = end_of_turn.min(sent + 1 + sent % 1009);
        let piece: Vec<u8> = (sent..until_here).map(|at| (at % 251) as u8).collect();
        (&*source).write_all(&piece).await.unwrap();
        sent = until_here;
        draw(&source).await;
        if sent == end_of_turn && sent < BYTES {
            turns.sent.store(sent, Ordering::SeqCst);
            until(&turns.received, sent).await;
            draw_to(&source, poller).await;
        }
    }
    turns.sent.store(sent, Ordering::SeqCst);
}

async fn read_in_turns<T>(source: Arc<Async<T>>, turns: Arc<Turns>, poller: RawFd)
where
    T: AsFd,
    for<'a> &'a Async<T>: AsyncRead,
{
    let mut received = 0;
    while received < BYTES {
        let mut buffer = [0; 700];
        let read = poll_fn(|cx| {
            let read = Pin::new(&mut &*source).poll_read(cx, &mut buffer);
            if read.is_pending() && received % TURN == 0 {
                turns.received.store(received, Ordering::SeqCst);
            }
            read
        });
        let read = read.await.unwrap();
        let expected = (received..received + read).map(|at| (at % 251) as u8);
        assert!(expected.eq(buffer[..read].iter().copied()), "at {received}");
        received += read;
        draw(&source).await;
        if received % TURN == 0 {
            until(&turns.sent, received).await;
            draw_to(&source, poller).await;
        }
    }
}

/// Draws a source to a shard while no other thread but one that waits touches it. Once is enough; but
/// an event that was under way may wake that one, and its next wait is one in between.
async fn draw_to<T: AsFd>(source: &Async<T>, poller: RawFd) {
    for _ in 0..4 {
        draw(source).await;
        if pollers_of(source) == [poller] {
            return;
        }
    }
    panic!("it does not move to {poller}: {:?}", pollers_of(source));
}

/// Waits so often that a source is drawn here, unless another thread waits in between.
async fn draw<T>(source: &Async<T>) {
    for _ in 0..MOVES_AFTER {
        let _ = future::poll_once(source.readable()).await;
    }
}

#[test]
fn transfer_loses_nothing_while_its_source_moves() {
    let _watchdog = watchdog();
    // Other tests count sources: none is made before the turn has come.
    let workers = two_workers();
    let (ours, peer) = unix_pair();
    rustix::net::sockopt::set_socket_send_buffer_size(&ours, 4096).unwrap();
    rustix::net::sockopt::set_socket_send_buffer_size(&peer, 4096).unwrap();
    transfer_while_moving(workers, ours, move |bytes| {
        (&peer).read_exact(bytes).unwrap();
        (&peer).write_all(bytes).unwrap();
    });
    let workers = two_workers();
    let (ours, peer) = plain_tcp_pair();
    rustix::net::sockopt::set_socket_send_buffer_size(&ours, 4096).unwrap();
    transfer_while_moving(workers, Async::new(ours).unwrap(), move |bytes| {
        (&peer).read_exact(bytes).unwrap();
        (&peer).write_all(bytes).unwrap();
    });
}

/// The timers of each shard.
fn timers() -> Vec<usize> {
    diagnostics::shards().iter().map(|shard| shard.timers).collect()
}

#[test]
#[cfg_attr(async_wheel_single_shard, ignore = "there is one shard")]
fn interval_goes_where_it_is_polled() {
    let _watchdog = watchdog();
    let (_turn, home, other) = two_workers();
    let before = timers();
    let mut ticks = Timer::interval(MS);
    let at = |worker: &Worker, mut ticks: Timer| {
        worker.run(move || {
            // The tick after next has an entry, where this thread is.
            for _ in 0..3 {
                block_on(in_time("a tick", ticks.next())).unwrap();
            }
            while block_on(future::poll_once(ticks.next())).is_some() {}
            ticks
        })
    };
    for _ in 0..5 {
        ticks = at(&home, ticks);
        let there = timers();
        ticks = at(&other, ticks);
        let elsewhere = timers();
        let total = |timers: &[usize]| timers.iter().sum::<usize>();
        assert_eq!(total(&there), total(&before) + 1);
        assert_eq!(total(&elsewhere), total(&before) + 1);
        let place =
            |timers: &[usize]| timers.iter().zip(&before).position(|(now, before)| now > before);
        assert_ne!(place(&there), place(&elsewhere), "{there:?} {elsewhere:?}");
    }
    drop(ticks);
    assert_eq!(timers(), before);
}

#[test]
#[cfg_attr(async_wheel_single_shard, ignore = "there is one shard")]
fn postponed_timer_goes_where_it_is_polled() {
    let _watchdog = watchdog();
    let (_turn, home, other) = two_workers();
    let before = timers();
    let place = || timers().iter().zip(&before).position(|(now, before)| now > before);
    let poll = |worker: &Worker, mut timer: Timer| {
        worker.run(move || {
            timer.set_after(100 * MS);
            assert!(block_on(future::poll_once(&mut timer)).is_none());
            timer
        })
    };
    let mut timer = poll(&home, Timer::never());
    let there = place();
    timer = poll(&other, timer);
    let elsewhere = place();
    assert!(there.is_some() && elsewhere.is_some() && there != elsewhere);
    let set = Instant::now();
    timer.set_after(5 * MS);
    assert_eq!(place(), elsewhere, "it is not polled");
    assert!(block_on(in_time("the timer", timer)) >= set + 5 * MS);
    assert_eq!(timers(), before);
}
