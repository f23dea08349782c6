//! Sources of this crate's making that are not registered yet, and sources that have moved: who else
//! may have their descriptor, and what becomes of them if it is closed or replaced behind the
//! library's back.

#![cfg(target_os = "linux")]

mod common;

use std::io::{ErrorKind, Read, Write};
use std::mem::ManuallyDrop;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use async_wheel::{Async, block_on};
use common::{
    MS, Wakes, in_time, poll_with, process,
    sockets::{Borrowed, LOOPBACK},
    turn, watchdog,
    workers::{Worker, pollers_of, registered, sources, two_workers},
};
use futures_lite::{AsyncReadExt, future};

/// What moves a source.
const MOVES_AFTER: usize = 16;

/// A connection that this crate has accepted, and its client.
fn accepted() -> (Async<TcpStream>, TcpStream) {
    let listener = Async::<TcpListener>::bind(LOOPBACK).unwrap();
    let client = TcpStream::connect(listener.get_ref().local_addr().unwrap()).unwrap();
    let (stream, _) = block_on(in_time("a client", listener.accept())).unwrap();
    (stream, client)
}

/// A second source for a descriptor is refused, whichever thread asks for it.
#[track_caller]
fn is_refused(workers: &[Worker], number: RawFd) {
    let again = move || Async::new(Borrowed(number)).map(drop).unwrap_err().kind();
    for worker in workers {
        assert_eq!(worker.run(again), ErrorKind::AlreadyExists);
    }
    assert_eq!(thread::spawn(again).join().unwrap(), ErrorKind::AlreadyExists);
}

#[track_caller]
fn is_refused_all_its_life<T: AsFd + Send + Sync + 'static>(workers: &[Worker], source: Async<T>) {
    let source = Arc::new(source);
    let before = sources() - pollers_of(&source).len();
    let number = source.get_ref().as_fd().as_raw_fd();
    is_refused(workers, number);
    for worker in workers {
        (0..MOVES_AFTER).for_each(|_| worker.wait_in_vain(&source));
        assert_eq!(pollers_of(&source), [worker.poller]);
        is_refused(workers, number);
    }
    assert_eq!(pollers_of(&source), [workers[1].poller], "where it was");
    assert_eq!(sources(), before + 1);
    let inner = Arc::into_inner(source).unwrap().into_inner().unwrap();
    let next = Async::new(inner).expect("its source has ended");
    is_refused(workers, number);
    drop(next);
    assert_eq!(sources(), before);
}

/// Before its first wait, after it, and after a move.
#[test]
fn duplicate_is_refused_by_any_thread() {
    let _watchdog = watchdog();
    let (_turn, one, other) = two_workers();
    let workers = [one, other];
    let (stream, _client) = accepted();
    is_refused_all_its_life(&workers, stream);
    let (ours, theirs) = Async::<UnixStream>::pair().unwrap();
    is_refused_all_its_life(&workers, ours);
    is_refused_all_its_life(
        &workers,
        theirs.into_inner().map(|it| Async::new(it).unwrap()).unwrap(),
    );
    is_refused_all_its_life(&workers, Async::<UdpSocket>::bind(LOOPBACK).unwrap());
    is_refused_all_its_life(&workers, Async::<TcpListener>::bind(LOOPBACK).unwrap());
}

/// Closes a source's descriptor behind its back.
fn close(source: &impl AsRawFd) {
    // SAFETY: a system call. The number's next owner, if it gets one, is known to the test, and the
    // value that names it still is not dropped (`let_go`).
    assert_eq!(unsafe { libc::close(source.as_raw_fd()) }, 0);
}

/// Ends a source and leaves its descriptor's number to whoever has it.
fn let_go<T: IntoRawFd>(source: Async<T>) -> RawFd {
    source.into_inner().unwrap().into_raw_fd()
}

/// Each way to wait is an error.
#[track_caller]
fn waits_are_errors(source: &Async<UnixStream>, is: impl Fn(&std::io::Error) -> bool) {
    for _ in 0..3 {
        let errors = [
            block_on(in_time("an error", source.readable())).unwrap_err(),
            future::block_on(in_time("an error", source.writable())).unwrap_err(),
            block_on(in_time("an error", std::future::poll_fn(|cx| source.poll_readable(cx))))
                .unwrap_err(),
            block_on(in_time("an error", { source }.read(&mut [0]))).unwrap_err(),
        ];
        assert!(errors.iter().all(&is), "{errors:?}");
    }
}

/// Closed before its first wait, and the number is nobody's.
#[test]
#[cfg_attr(async_wheel_single_shard, ignore = "with one shard all is registered at once")]
fn waits_for_closed_unregistered_source_are_errors() {
    // By itself: nobody else may get the number.
    process::alone(|| {
        let _watchdog = watchdog();
        let (source, _peer) = Async::<UnixStream>::pair().unwrap();
        let before = sources();
        close(&source);
        let closed = rustix::io::Errno::BADF.raw_os_error();
        waits_are_errors(&source, |error| error.raw_os_error() == Some(closed));
        assert_eq!(sources(), before);
        let_go(source);
    });
}

/// Gives the number of a source to another file, as if it had been closed and opened.
fn replace(source: impl AsFd, by: impl AsFd) -> Borrowed {
    let number = source.as_fd().as_raw_fd();
    // SAFETY: the number is open, and is not closed here.
    let owned = unsafe { OwnedFd::from_raw_fd(number) };
    rustix::io::dup2(by, &mut ManuallyDrop::new(owned)).unwrap();
    Borrowed(number)
}

/// It waits, and is woken by what its peer writes.
#[track_caller]
fn is_alive<T: AsFd>(source: &Async<T>, mut peer: impl Write) {
    let wakes = Wakes::new();
    let mut waits = source.readable();
    assert!(poll_with(&wakes.waker(), &mut waits).is_pending());
    peer.write_all(b"for the new one").unwrap();
    wakes.wait_for(1);
    assert!(matches!(poll_with(&wakes.waker(), &mut waits), Poll::Ready(Ok(()))));
    assert_eq!(rustix::io::read(source.get_ref(), &mut [0; 32]), Ok(15));
}

/// The number of a source that nobody has waited for is wrapped anew.
fn number_is_wrapped_anew<T: IntoRawFd + AsFd>(old: Async<T>) {
    let before = sources();
    let (new, peer) = UnixStream::pair().unwrap();
    let number = replace(old.get_ref(), &new);
    let new = Async::new(number).unwrap();
    for _ in 0..2 {
        is_alive(&new, &peer);
        let error = block_on(in_time("an error", old.readable())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let error = future::block_on(in_time("an error", old.writable())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        // Nor is what it would do tried.
        let tried = block_on(old.read_with(|_| -> std::io::Result<()> { panic!("a stranger's") }));
        assert_eq!(tried.unwrap_err().kind(), ErrorKind::NotFound);
    }
    assert_eq!(sources(), before + 1);
    let number = let_go(old);
    is_alive(&new, &peer);
    assert_eq!(Async::new(Borrowed(number)).unwrap_err().kind(), ErrorKind::AlreadyExists);
    drop(new);
    // SAFETY: nobody else has it any more.
    drop(unsafe { OwnedFd::from_raw_fd(number) });
    assert_eq!(sources(), before);
}

#[test]
#[cfg_attr(async_wheel_single_shard, ignore = "with one shard all is registered at once")]
fn wrapped_number_of_unregistered_source_is_its_own() {
    let _watchdog = watchdog();
    let _turn = common::turn();
    let (stream, _client) = accepted();
    number_is_wrapped_anew(stream);
    number_is_wrapped_anew(Async::<UnixStream>::pair().unwrap().0);
    number_is_wrapped_anew(Async::<UdpSocket>::bind(LOOPBACK).unwrap());
    number_is_wrapped_anew(Async::<TcpListener>::bind(LOOPBACK).unwrap());
}

/// The system gives the number of a closed source to what this crate makes.
fn number_is_made_anew(is_waited_for: bool, is_accepted: bool) {
    let listener = Async::<TcpListener>::bind(LOOPBACK).unwrap();
    let client = TcpStream::connect(listener.get_ref().local_addr().unwrap()).unwrap();
    let (old, _peer) = Async::<UnixStream>::pair().unwrap();
    let number = old.as_raw_fd();
    let before = sources();
    let wakes = Wakes::new();
    let mut waits = old.readable();
    if is_waited_for {
        assert!(poll_with(&wakes.waker(), &mut waits).is_pending());
    }
    close(&old);
    let is_stale = || waits_are_errors(&old, |error| error.kind() == ErrorKind::NotFound);
    if is_accepted {
        let (new, _) = block_on(in_time("a client", listener.accept())).unwrap();
        assert_eq!(new.as_raw_fd(), number);
        is_stale();
        is_alive(&new, &client);
        is_stale();
    } else {
        let (new, peer) = Async::<UnixStream>::pair().unwrap();
        assert_eq!(new.as_raw_fd(), number);
        is_stale();
        is_alive(&new, peer.get_ref());
        is_stale();
    }
    assert_eq!(sources(), before, "the old one has no entry left");
    if is_waited_for {
        wakes.wait_for(1);
        let told = poll_with(&wakes.waker(), &mut waits);
        assert!(matches!(told, Poll::Ready(Err(_))), "{told:?}");
    }
    drop(waits);
    let_go(old);
}

#[test]
#[cfg_attr(async_wheel_single_shard, ignore = "with one shard all is registered at once")]
fn number_made_anew_is_the_new_sources() {
    // By itself: nobody else may get the number.
    process::alone(|| {
        let _watchdog = watchdog();
        for (is_waited_for, is_accepted) in
            [(false, false), (false, true), (true, false), (true, true)]
        {
            number_is_made_anew(is_waited_for, is_accepted);
        }
    });
}

/// A registered source's number goes to what the library does not know, and the old one is waited
/// for until it would move.
fn stranger_has_the_number(keeps_old_open: bool) {
    let (_turn, home, other) = two_workers();
    let before = sources();
    let (source, old_peer) = home.run(|| Async::<UnixStream>::pair().unwrap());
    let source = Arc::new(source);
    home.wait_in_vain(&source);
    let waiting = Wakes::new();
    let waits = {
        let waker = waiting.waker();
        let mut waits = source.clone().readable_owned();
        assert!(poll_with(&waker, &mut waits).is_pending());
        waits
    };
    let kept = keeps_old_open.then(|| source.get_ref().try_clone().unwrap());
    let (stranger, mut strangers_peer) = UnixStream::pair().unwrap();
    stranger.set_nonblocking(true).unwrap();
    replace(source.as_fd(), &stranger);
    let error = (0..2 * MOVES_AFTER).find_map(|_| {
        let source = source.clone();
        other.run(move || block_on(future::poll_once(source.readable())))
    });
    assert_eq!(error.expect("an error").unwrap_err().kind(), ErrorKind::NotFound);
    waiting.wait_for(1);
    // No poller has the stranger.
    assert!(pollers_of(&source).is_empty());
    let inode = rustix::fs::fstat(&stranger).unwrap().st_ino;
    assert!(registered().iter().all(|it| it.inode != inode), "{:?}", registered());
    assert_eq!(sources(), before);
    // Nor is anybody woken for it, or for the old one.
    strangers_peer.write_all(b"for the stranger").unwrap();
    if kept.is_some() {
        old_peer.get_ref().write_all(b"for nobody").unwrap();
    }
    waiting.stays_at(1);
    assert_eq!((&stranger).read(&mut [0; 32]).unwrap(), 16);
    // It can be wrapped and used.
    let wrapped = Async::new(Borrowed(source.as_raw_fd())).unwrap();
    is_alive(&wrapped, &strangers_peer);
    let again = block_on(in_time("an error", source.readable())).unwrap_err();
    assert_eq!(again.kind(), ErrorKind::NotFound);
    drop((wrapped, waits));
}

#[test]
#[cfg_attr(async_wheel_single_shard, ignore = "there is one shard")]
fn move_leaves_stranger_with_the_number_alone() {
    let _watchdog = watchdog();
    stranger_has_the_number(false);
}

/// The old file has another descriptor, so that it is registered still, by the number.
#[test]
#[cfg_attr(async_wheel_single_shard, ignore = "there is one shard")]
fn move_leaves_stranger_alone_while_file_lives() {
    let _watchdog = watchdog();
    stranger_has_the_number(true);
}

/// The system knows no peer of a connection that was reset. It was taken for another file once.
#[test]
fn duplicate_of_reset_connection_is_refused() {
    let _turn = turn();
    let listener = Async::<TcpListener>::bind(LOOPBACK).unwrap();
    let client = TcpStream::connect(listener.get_ref().local_addr().unwrap()).unwrap();
    let (stream, _) = block_on(listener.accept()).unwrap();
    rustix::net::sockopt::set_socket_linger(&client, Some(Duration::ZERO)).unwrap();
    drop(client);
    thread::sleep(20 * MS);
    let second = Async::new(stream.get_ref()).map(drop);
    let waits = block_on(future::poll_once(stream.readable()));
    assert_eq!(second.unwrap_err().kind(), ErrorKind::AlreadyExists, "waits: {waits:?}");
}

/// The first wait of a source whose number is another file's by then registers that one. Its owner
/// can wrap it nevertheless.
#[test]
#[cfg_attr(async_wheel_single_shard, ignore = "with one shard all is registered at once")]
fn first_wait_leaves_stranger_to_its_owner() {
    let _turn = turn();
    let (source, _peer) = Async::<UnixStream>::pair().unwrap();
    let (stranger, _strangers_peer) = UnixStream::pair().unwrap();
    // SAFETY: the number is open, and is not closed here.
    let number = unsafe { OwnedFd::from_raw_fd(source.as_raw_fd()) };
    rustix::io::dup2(stranger.as_fd(), &mut ManuallyDrop::new(number)).unwrap();
    let mut waits = source.readable();
    assert!(block_on(future::poll_once(&mut waits)).is_none());
    let _owned = Async::new(Borrowed(source.as_raw_fd())).unwrap();
    let ended = block_on(in_time("the old source", waits));
    assert_eq!(ended.unwrap_err().kind(), ErrorKind::NotFound);
}

/// The wait that is to move a closed source asks the poller, which knows.
#[test]
#[cfg_attr(async_wheel_single_shard, ignore = "with one shard all is registered at once")]
fn move_of_closed_source_is_an_error() {
    process::alone(|| {
        let (_turn, home, other) = two_workers();
        let (source, peer) = home.run(|| Async::<UnixStream>::pair().unwrap());
        let source = Arc::new(source);
        home.wait_in_vain(&source);
        // SAFETY: a system call; the number is nobody's until it is taken again below.
        unsafe { libc::close(source.as_raw_fd()) };
        let waits = source.clone();
        let error =
            other.run(move || (0..40).find_map(|_| block_on(future::poll_once(waits.readable()))));
        // For its drop to close.
        // SAFETY: it is the source's again from here on, which owns it.
        let number = unsafe { OwnedFd::from_raw_fd(source.as_raw_fd()) };
        rustix::io::dup2(peer.as_fd(), &mut ManuallyDrop::new(number)).unwrap();
        assert!(matches!(error, Some(Err(_))), "{error:?}");
    });
}
