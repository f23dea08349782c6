//! A poller that takes no more registrations (`fs.epoll.max_user_watches`). That limit is all
//! processes' of a user; so a filter of system calls refuses them, to one thread.

#![cfg(all(target_os = "linux", target_endian = "little"))]

mod common;

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use async_wheel::{Async, block_on};
use common::{
    Wakes, in_time, not_tested, poll_with,
    sockets::unix_pair,
    watchdog,
    workers::{Worker, migrations, pollers_of, sources, two_workers},
};
use futures_lite::{AsyncReadExt, future};

const MOVES_AFTER: usize = 16;

/// Lets nothing be added to a poller by this thread, for its life.
fn refuse_registrations() -> io::Result<()> {
    let step = |code: u32, k: u32, jt, jf| libc::sock_filter { code: code as u16, jt, jf, k };
    let (load, equal, end) = (
        libc::BPF_LD | libc::BPF_W | libc::BPF_ABS,
        libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
        libc::BPF_RET | libc::BPF_K,
    );
    let mut steps = [
        // The number of the call, and the lower half of its second argument.
        step(load, 0, 0, 0),
        step(equal, libc::SYS_epoll_ctl as u32, 0, 3),
        step(load, 24, 0, 0),
        step(equal, libc::EPOLL_CTL_ADD as u32, 0, 1),
        step(end, libc::SECCOMP_RET_ERRNO | libc::ENOSPC as u32, 0, 0),
        step(end, libc::SECCOMP_RET_ALLOW, 0, 0),
    ];
    let filter = libc::sock_fprog { len: steps.len() as u16, filter: steps.as_mut_ptr() };
    // SAFETY: a system call without pointers.
    let allowed = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    if allowed != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the filter lives until the system has read it.
    match unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &filter) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Returns `false` if this machine does not allow it.
#[track_caller]
fn refuses(worker: &Worker) -> bool {
    let refused = worker.run(refuse_registrations);
    if let Err(error) = &refused {
        not_tested(&format!("no filter of system calls: {error}"));
    }
    refused.is_ok()
}

fn is_no_space(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENOSPC)
}

/// Events come, to whichever thread waits.
#[track_caller]
fn is_alive(workers: [&Worker; 2], source: &Arc<Async<UnixStream>>, mut peer: &UnixStream) {
    for worker in workers {
        let wakes = Wakes::new();
        let (waker, waiting) = (wakes.waker(), source.clone());
        let waits = worker.run(move || {
            let mut waits = waiting.readable_owned();
            assert!(poll_with(&waker, &mut waits).is_pending());
            waits
        });
        peer.write_all(b"x").unwrap();
        wakes.wait_for(1);
        drop(waits);
        assert_eq!(source.get_ref().read(&mut [0; 8]).unwrap(), 1);
    }
}

#[test]
#[cfg_attr(async_wheel_single_shard, ignore = "with one shard all is registered at once")]
fn refused_move_leaves_source_where_it_is() {
    let _watchdog = watchdog();
    let (_turn, home, other) = two_workers();
    if !refuses(&other) {
        return;
    }
    let (moved, before) = (migrations(), sources());
    // One that was waited for at home, and one whose first wait is elsewhere.
    let (made, made_peer) = home.run(|| Async::<UnixStream>::pair().unwrap());
    let (wrapped, wrapped_peer) = home.run(unix_pair);
    let (made, wrapped) = (Arc::new(made), Arc::new(wrapped));
    home.wait_in_vain(&made);
    for (source, peer) in [(&made, made_peer.get_ref()), (&wrapped, &wrapped_peer)] {
        // Also when the wait that would move it is the one that arms it.
        is_alive([&other, &home], source, peer);
        for _ in 0..3 {
            (0..MOVES_AFTER).for_each(|_| other.wait_in_vain(source));
            assert_eq!(pollers_of(source), [home.poller]);
            is_alive([&other, &home], source, peer);
        }
    }
    assert_eq!((migrations(), sources()), (moved, before + 2));
    drop((made, wrapped));
    assert_eq!(sources(), before, "places that were kept for them");
}

/// Until a poller takes it.
#[test]
#[cfg_attr(async_wheel_single_shard, ignore = "with one shard all is registered at once")]
fn refused_first_wait_is_an_error() {
    let _watchdog = watchdog();
    let (_turn, home, other) = two_workers();
    if !refuses(&other) {
        return;
    }
    let before = sources();
    let (source, peer) = other.run(|| Async::<UnixStream>::pair().unwrap());
    let source = Arc::new(source);
    for _ in 0..3 {
        let stream = source.clone();
        let errors = other.run(move || {
            [
                block_on(in_time("an error", stream.readable())).unwrap_err(),
                block_on(in_time("an error", stream.writable())).unwrap_err(),
                block_on(std::future::poll_fn(|cx| stream.poll_readable(cx))).unwrap_err(),
                block_on(in_time("an error", (&*stream).read(&mut [0]))).unwrap_err(),
            ]
        });
        assert!(errors.iter().all(is_no_space), "{errors:?}");
        assert!(pollers_of(&source).is_empty());
        assert_eq!(sources(), before);
        // What need not wait works.
        peer.get_ref().write_all(b"x").unwrap();
        let stream = source.clone();
        let read = other.run(move || block_on((&*stream).read(&mut [0; 8])));
        assert_eq!(read.unwrap(), 1);
    }
    // So do waits elsewhere, and then here as well.
    home.wait_in_vain(&source);
    assert_eq!(pollers_of(&source), [home.poller]);
    is_alive([&other, &home], &source, peer.get_ref());
    let wrap = UnixStream::pair().unwrap().0;
    let error = other.run(move || Async::new(wrap).map(drop).unwrap_err());
    assert!(is_no_space(&error), "{error:?}");
    assert!(future::block_on(future::poll_once(peer.readable())).is_none());
}
