//! `fork` without `exec`. The child gets a working reactor of its own, or a clear error where
//! something is the parent's; nothing that it does reaches the parent; and nothing hangs.

// A child may hang with parking_lot, whose table of waiting threads does not survive a fork.
#![cfg(all(unix, not(feature = "parking_lot")))]

mod common;

use std::future::{pending, poll_fn};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use async_wheel::{Async, Builder, Timer, block_on, diagnostics};
use common::{HOUR, MS, PATIENCE, Wakes, armed, eventually, poll_with, process, watchdog};
use futures_lite::{AsyncReadExt, FutureExt, StreamExt, future};

/// Ends the child: with 0 if all was well. Prints nothing; some lock may be locked for good.
fn exit(code: i32) -> ! {
    // SAFETY: a system call.
    unsafe { libc::_exit(code) }
}

fn fork() -> libc::pid_t {
    // SAFETY: the child does what the tests are about: it uses the library, the allocator
    // (which C libraries keep usable) and its one thread, and ends by `_exit`.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork failed");
    child
}

/// Runs code in a child; fails if it panics or hangs there.
#[track_caller]
fn in_child(what: &str, code: impl FnOnce()) {
    let child = fork();
    if child == 0 {
        exit(i32::from(catch_unwind(AssertUnwindSafe(code)).is_err()));
    }
    let status = status_of(child).unwrap_or_else(|| panic!("the child hangs: {what}"));
    assert_eq!(status, 0, "in the child: {what}");
}

/// Returns how a child ended; `None` if it did not.
fn status_of(child: libc::pid_t) -> Option<i32> {
    let start = Instant::now();
    let mut status = 0;
    loop {
        // SAFETY: the status is ours to be written to.
        let ended = unsafe { libc::waitpid(child, &mut status, libc::WNOHANG) };
        assert!(ended >= 0, "the child is nobody's");
        if ended == child {
            return Some(status);
        }
        if start.elapsed() > PATIENCE {
            // SAFETY: a system call about a process of ours.
            unsafe { libc::kill(child, libc::SIGKILL) };
            // SAFETY: the status is ours to be written to.
            unsafe { libc::waitpid(child, &mut status, 0) };
            return None;
        }
        thread::sleep(MS);
    }
}

/// What works anywhere works in a child: timers and I/O, in `block_on` and without.
fn everything_works() {
    let start = Instant::now();
    block_on(Timer::after(2 * MS));
    future::block_on(Timer::after(2 * MS));
    assert!(start.elapsed() >= 4 * MS);
    block_on(async {
        let ticks = Timer::interval(MS).take(3).count();
        assert_eq!(ticks.await, 3);
    });
    let (ours, mut peer) = UnixStream::pair().unwrap();
    let mut ours = Async::new(ours).unwrap();
    let writer = thread::spawn(move || {
        for byte in 0..4u8 {
            block_on(Timer::after(MS));
            peer.write_all(&[byte]).unwrap();
        }
    });
    for byte in 0..4u8 {
        let mut read = [0];
        let length = if byte % 2 == 0 {
            block_on(ours.read(&mut read)).unwrap()
        } else {
            future::block_on(ours.read(&mut read)).unwrap()
        };
        assert_eq!((length, read), (1, [byte]));
    }
    writer.join().unwrap();
}

/// Timers and I/O work in a child, in its children, and in the parent afterwards, whether or not
/// the forking thread has a home shard.
#[test]
fn child_gets_its_own_reactor() {
    let _watchdog = watchdog();
    block_on(Timer::after(MS));
    in_child("from a thread with a home shard", everything_works);
    thread::spawn(|| in_child("from a thread without one", everything_works)).join().unwrap();
    in_child("with children of its own", || {
        in_child("without a reactor in between", everything_works);
        everything_works();
        in_child("with one", || {
            everything_works();
            in_child("and so on", everything_works);
        });
        everything_works();
    });
    everything_works();
}

/// Forks on until there are `MOST` generations of processes, and then once more.
fn go_on_forking(generation: u32) {
    const MOST: u32 = 64;
    if generation == MOST {
        let (ours, _peer) = UnixStream::pair().unwrap();
        let error = Async::new(ours).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::Other);
        assert!(error.to_string().contains("too many processes"), "{error}");
        block_on(Timer::after(MS));
        future::block_on(Timer::after(MS));
        // Nor does a call need a reactor to be woken.
        let (send, receive) = async_channel::bounded(1);
        let sender = thread::spawn(move || send.send_blocking(()).unwrap());
        block_on(receive.recv()).unwrap();
        return sender.join().unwrap();
    }
    // Those in between that need no reactor count as well.
    if generation % 9 == 0 {
        everything_works();
    }
    let child = fork();
    if child == 0 {
        exit(i32::from(catch_unwind(|| go_on_forking(generation + 1)).is_err()));
    }
    let well = status_of(child) == Some(0);
    if generation > 0 {
        // The generation that failed has said how.
        exit(i32::from(!well));
    }
    assert!(well, "in some generation");
}

/// There are reactors for 64 generations of processes. In the next one what needs a reactor is an
/// error; timers and `block_on` go on without.
#[test]
fn sixty_fifth_fork_generation_gets_an_error() {
    // By itself: generations count from the first process that had a reactor.
    process::alone(|| {
        go_on_forking(0);
    });
}

/// Threads of the parent hold the library's locks at the moment of the fork. The child uses and
/// drops what the parent had.
#[test]
fn fork_with_locks_held_leaves_none_locked() {
    let _watchdog = watchdog();
    let stop = Arc::new(AtomicBool::new(false));
    let busy: Vec<_> = (0..4)
        .map(|index| {
            let stop = stop.clone();
            thread::spawn(move || {
                let work = async {
                    while !stop.load(Ordering::SeqCst) {
                        let (ours, _peer) = UnixStream::pair().unwrap();
                        let ours = Async::new(ours).unwrap();
                        let _ = future::poll_once(ours.readable()).await;
                        for timer in 0..50 {
                            let mut timer = Timer::after(timer * MS);
                            let _ = future::poll_once(&mut timer).await;
                        }
                        Timer::after(Duration::from_micros(100)).await;
                    }
                };
                if index % 2 == 0 { block_on(work) } else { future::block_on(work) }
            })
        })
        .collect();
    let mut timer = armed(Waker::noop(), || Timer::after(HOUR));
    let (ours, _peer) = UnixStream::pair().unwrap();
    let ours = Async::new(ours).unwrap();
    let mut readable = ours.readable();
    assert!(poll_with(Waker::noop(), &mut readable).is_pending());
    let mut timer = Some(&mut timer);
    let mut readable = Some(readable);
    for _ in 0..30 {
        in_child("one of many", || {
            // What the parent had is moved and dropped, and something new is done.
            let timer = timer.take().unwrap();
            timer.set_after(MS);
            block_on(&mut *timer);
            drop(std::mem::replace(timer, Timer::never()));
            drop(readable.take());
            block_on(Timer::after(MS));
        });
    }
    stop.store(true, Ordering::SeqCst);
    busy.into_iter().for_each(|thread| thread.join().unwrap());
}

/// Threads that contend for the locks of timers and of the wait queue, until they are stopped.
struct Contention {
    stop: Arc<AtomicBool>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Contention {
    fn of(threads: usize) -> Contention {
        let stop = Arc::new(AtomicBool::new(false));
        let contend = |number| {
            let stop = stop.clone();
            thread::spawn(move || {
                let mut far = armed(Waker::noop(), || Timer::after(HOUR));
                while !stop.load(Ordering::SeqCst) {
                    if number % 2 == 0 {
                        far.set_after(HOUR);
                    } else {
                        block_on(Timer::after(MS / 20));
                    }
                }
            })
        };
        let threads = (0..threads).map(contend).collect();
        Contention { stop, threads }
    }

    fn end(self) {
        self.stop.store(true, Ordering::SeqCst);
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}

/// Threads of the parent wait for locks at the moment of the fork, and the child's threads contend
/// for locks: what the parent's wait left in a lock's tables must not hang them.
#[test]
fn contending_child_finds_no_lock_held() {
    let _watchdog = watchdog();
    let contention = Contention::of(8);
    for _ in 0..60 {
        in_child("contends for locks", || {
            let contention = Contention::of(8);
            thread::sleep(20 * MS);
            contention.end();
        });
    }
    contention.end();
}

/// The waker of a parent's `block_on` call has a copy in the child, with the same notify fd.
#[test]
fn waker_woken_in_child_leaves_parent_parked() {
    // By itself, so that nothing else drives a round meanwhile.
    process::alone(|| {
        let (send, receive) = mpsc::channel();
        let asleep = thread::spawn(move || {
            let mut polls = 0;
            block_on(poll_fn(|cx| {
                polls += 1;
                let _ = send.send(cx.waker().clone());
                if polls == 1 { Poll::Pending } else { Poll::Ready(()) }
            }));
        });
        let waker = receive.recv().unwrap();
        let rounds = || diagnostics::shards().iter().map(|shard| shard.rounds).sum::<usize>();
        // It parks in its poller, and the fallback after it.
        let awake = || diagnostics::shards().iter().map(|shard| shard.awake).sum::<usize>();
        eventually("it is parked", || awake() == 0);
        let mut before = 0;
        eventually("nobody drives any more", || {
            thread::sleep(100 * MS);
            rounds() == std::mem::replace(&mut before, rounds())
        });
        for _ in 0..5 {
            in_child("wakes a call of the parent's", || waker.wake_by_ref());
        }
        thread::sleep(20 * MS);
        assert_eq!(rounds(), before);
        waker.wake();
        asleep.join().unwrap();
    });
}

/// A timer that is armed at the moment of the fork has an entry in each process.
#[test]
fn parents_timer_fires_in_both_processes() {
    let _watchdog = watchdog();
    let wakes = Wakes::new();
    let due = Instant::now() + 300 * MS;
    let mut timer = Timer::at(due);
    assert!(poll_with(&wakes.waker(), &mut timer).is_pending());
    let mut interval = Timer::interval_at(due, MS);
    assert!(poll_with(&wakes.waker(), &mut interval.next()).is_pending());
    in_child("a timer of the parent's", || {
        let mut polls = 0;
        let counted = std::future::poll_fn(|cx| {
            polls += 1;
            Pin::new(&mut timer).poll(cx)
        });
        assert_eq!(block_on(counted), due);
        // Parked, and not polling until it is due: it has an entry of the child's.
        assert!(polls < 10, "{polls} polls");
        assert_eq!(future::block_on(interval.next()), Some(due));
        assert_eq!(block_on(interval.next()), Some(due + MS));
        // Set anew, cleared and dropped.
        timer.set_after(MS);
        future::block_on(&mut timer);
        timer.set_after(HOUR);
        timer.clear();
        drop(std::mem::replace(&mut timer, Timer::never()));
    });
    wakes.wait_for(2);
    assert!(poll_with(&wakes.waker(), &mut timer).is_ready());
    assert_eq!(block_on(interval.next()), Some(due));
}

/// Waiting for a source of the parent's is an error in the child, each time, until it is taken out
/// and wrapped anew. An operation that need not wait works.
#[test]
fn parents_source_is_an_error_in_child() {
    let _watchdog = watchdog();
    let (ours, mut peer) = UnixStream::pair().unwrap();
    let mut source = Async::new(ours).unwrap();
    // One wait is under way.
    let _ = future::block_on(future::poll_once(source.readable()));
    in_child("a source of the parent's", move || {
        for _ in 0..2 {
            assert!(block_on(source.readable()).is_err());
            assert!(future::block_on(source.writable()).is_err());
            assert!(block_on(poll_fn(|cx| source.poll_readable(cx))).is_err());
            assert!(block_on(source.read(&mut [0])).is_err());
            // An operation that need not wait is none of the reactor's.
            assert_eq!(block_on(source.write_with(|mut s| s.write(b"x"))).unwrap(), 1);
            everything_works();
        }
        // Taken out and wrapped anew, it is the child's own.
        let own = Async::new(source.into_inner().unwrap()).unwrap();
        peer.write_all(b"go").unwrap();
        block_on(own.readable()).unwrap();
        assert_eq!((own.get_ref()).read(&mut [0; 8]).unwrap(), 2);
    });
}

/// The parent has made a source and never waited for it, so that no poller has it: it is the
/// parent's all the same.
#[test]
fn unregistered_source_is_an_error_in_child() {
    let _watchdog = watchdog();
    let (source, mut peer) = Async::<UnixStream>::pair().unwrap();
    let wakes = Wakes::new();
    let mut peer_waits = peer.readable();
    assert!(poll_with(&wakes.waker(), &mut peer_waits).is_pending());
    for used in [false, true] {
        in_child("a source that nobody has waited for", || {
            if used {
                everything_works();
            }
            // SAFETY: the child ends without dropping it a second time.
            let mut source = unsafe { std::ptr::read(&source) };
            for _ in 0..2 {
                let errors = [
                    block_on(source.readable()).unwrap_err(),
                    future::block_on(source.writable()).unwrap_err(),
                    block_on(poll_fn(|cx| source.poll_readable(cx))).unwrap_err(),
                    block_on(source.read(&mut [0])).unwrap_err(),
                ];
                for error in errors {
                    assert!(error.to_string().contains("forked from"), "{error}");
                }
            }
            // An operation that need not wait is none of the reactor's.
            assert_eq!(block_on(source.write_with(|mut it| it.write(b"x"))).unwrap(), 1);
            // Its number is used again, by what is the child's.
            let number = source.as_raw_fd();
            drop(source);
            let mut made = Vec::new();
            while !made.iter().any(|it: &Async<UnixStream>| it.as_raw_fd() == number) {
                let (ours, theirs) = Async::<UnixStream>::pair().unwrap();
                made.extend([ours, theirs]);
            }
            for pair in made.chunks(2) {
                assert!(block_on(future::poll_once(pair[0].readable())).is_none());
                pair[1].get_ref().write_all(b"x").unwrap();
                block_on(pair[0].readable()).unwrap();
                block_on(pair[1].writable()).unwrap();
            }
        });
    }
    // In the parent they are what they were: one unregistered, one waited for.
    wakes.wait_for(1);
    assert!(poll_with(&wakes.waker(), &mut peer_waits).is_ready());
    drop(peer_waits);
    let mut heard = [0; 2];
    block_on(peer.read_exact(&mut heard)).unwrap();
    assert_eq!(&heard, b"xx", "one of each child");
    let mut waits = source.readable();
    assert!(poll_with(&wakes.waker(), &mut waits).is_pending());
    peer.get_ref().write_all(b"x").unwrap();
    wakes.wait_for(2);
    assert!(poll_with(&wakes.waker(), &mut waits).is_ready());
}

/// A child takes an unregistered source out and wraps it anew: it is the child's own.
#[test]
fn unregistered_source_is_wrapped_anew_in_child() {
    let _watchdog = watchdog();
    let (source, peer) = Async::<UnixStream>::pair().unwrap();
    in_child("a source that nobody has waited for", || {
        // SAFETY: the child ends without dropping it a second time.
        let source = unsafe { std::ptr::read(&source) };
        let own = Async::new(source.into_inner().unwrap()).unwrap();
        assert!(block_on(future::poll_once(own.readable())).is_none());
        peer.get_ref().write_all(b"go").unwrap();
        block_on(own.readable()).unwrap();
        assert_eq!(own.get_ref().read(&mut [0; 8]).unwrap(), 2);
    });
    let wakes = Wakes::new();
    let mut waits = source.readable();
    assert!(poll_with(&wakes.waker(), &mut waits).is_pending(), "the child has read it");
    peer.get_ref().write_all(b"x").unwrap();
    wakes.wait_for(1);
}

/// A child drops, clears and uses what was the parent's: nothing is deregistered or lost in the
/// parent.
#[test]
fn drops_in_the_child_leave_the_parent_alone() {
    let _watchdog = watchdog();
    let pairs: Vec<_> = (0..8).map(|_| UnixStream::pair().unwrap()).collect();
    let (sources, mut peers): (Vec<_>, Vec<_>) =
        pairs.into_iter().map(|(ours, peer)| (Async::new(ours).unwrap(), peer)).unzip();
    let wakes = Wakes::new();
    let mut waits: Vec<_> = sources.iter().map(|source| source.readable()).collect();
    for wait in &mut waits {
        assert!(poll_with(&wakes.waker(), wait).is_pending());
    }
    let mut timer = armed(&wakes.waker(), || Timer::after(HOUR));
    let mut waits = Some(waits);
    for used in [false, true] {
        in_child("drops all that was the parent's", || {
            if used {
                everything_works();
            }
            timer.clear();
            drop(waits.take());
            for source in &sources {
                // SAFETY: the child ends without dropping them a second time.
                drop(unsafe { std::ptr::read(source) });
            }
        });
    }
    let mut waits = waits.unwrap();
    assert_eq!(wakes.count(), 0);
    for (index, peer) in peers.iter_mut().enumerate() {
        peer.write_all(b"still there?").unwrap();
        wakes.wait_for(index + 1);
    }
    assert!(waits.iter_mut().all(|wait| poll_with(&wakes.waker(), wait).is_ready()));
    timer.set_after(MS);
    wakes.wait_for(sources.len() + 1);
}

/// A future forks: in the child the call goes on until it has to wait, and panics then. The next
/// call works.
#[test]
fn fork_inside_block_on_panics_in_child() {
    let _watchdog = watchdog();
    let parent = std::process::id();
    // The child goes on with the call until it has to wait.
    let ended = catch_unwind(|| {
        block_on(async {
            Timer::after(MS).await;
            let child = fork();
            if child == 0 {
                pending::<()>().await;
            }
            let status = status_of(child);
            Timer::after(MS).await;
            status
        })
    });
    if std::process::id() != parent {
        // The next call is none the worse for it.
        let told = ended.is_err_and(|payload| {
            payload.downcast_ref::<&str>().is_some_and(|told| told.contains("inside block_on"))
        });
        exit(i32::from(!told || catch_unwind(everything_works).is_err()));
    }
    assert_eq!(ended.unwrap(), Some(0), "the child hangs or is not told");

    // A call of its own within the parent's works; so does returning without waiting.
    let ended = catch_unwind(|| {
        block_on(async {
            let mut deadline = Timer::after(HOUR);
            let _ = future::poll_once(&mut deadline).await;
            let child = fork();
            if child == 0 {
                everything_works();
            }
            child
        })
    });
    if std::process::id() != parent {
        exit(i32::from(ended.is_err()));
    }
    assert_eq!(status_of(ended.unwrap()), Some(0), "a call within the parent's");
    everything_works();
}

/// Arms a timer whose waker forks, and waits for the child. The timer goes with the result.
fn fork_in_a_wake() -> (libc::pid_t, Timer) {
    let (send, children) = mpsc::channel();
    let send = Mutex::new(send);
    let forks = Wakes::calling(move || {
        let child = fork();
        // In the child the channel may be locked for good.
        if child > 0 {
            let _ = send.lock().unwrap().send(child);
        }
    });
    let timer = armed(&forks.waker(), || Timer::after(5 * MS));
    (children.recv_timeout(PATIENCE).expect("the waker forks"), timer)
}

/// A waker forks on the driver's thread: its copy in the child must not take the parent's events,
/// and ends.
#[test]
fn waker_that_forks_takes_nothing_from_parent() {
    // By itself: whichever thread drives is the one that is copied.
    process::alone(|| {
        // Several times, with time for the copies to take something if they do.
        for _ in 0..5 {
            let (child, _timer) = fork_in_a_wake();
            let (ours, mut peer) = UnixStream::pair().unwrap();
            let mut ours = Async::new(ours).unwrap();
            for _ in 0..30 {
                peer.write_all(b"x").unwrap();
                future::block_on(Timer::after(MS));
                let late = async {
                    Timer::after(PATIENCE).await;
                    panic!("a child took the event");
                };
                assert_eq!(future::block_on(ours.read(&mut [0; 8]).or(late)).unwrap(), 1);
            }
            // The copy of the fallback thread in the child ends, and so the child.
            assert!(status_of(child).is_some(), "the copy of the fallback thread goes on");
        }
    });
}

/// A waker forks on the driver's thread while other threads hold its shard's lock of timers: the
/// child must not wait for that.
#[test]
fn waker_that_forks_under_contention_hangs_no_child() {
    // By itself: whichever thread drives is the one that is copied.
    process::alone(|| {
        block_on(Timer::after(MS));
        // Threads outside `block_on`: the first shard's lock of timers is taken all the time.
        let contention = Contention::of(3);
        for _ in 0..40 {
            let (child, _timer) = fork_in_a_wake();
            assert!(status_of(child).is_some(), "the child waits for a lock of the parent's");
        }
        contention.end();
    });
}

/// A child is killed while it waits.
#[test]
fn killed_child_locks_nothing_of_the_parent() {
    let _watchdog = watchdog();
    let child = fork();
    if child == 0 {
        block_on(pending::<()>());
        exit(1);
    }
    block_on(Timer::after(20 * MS));
    // SAFETY: a system call about a process of ours.
    unsafe { libc::kill(child, libc::SIGKILL) };
    assert!(status_of(child).is_some());
    everything_works();
}

/// What the builder said is kept before the fallback thread begins: its hook may fork while `build`
/// goes on in the parent.
#[test]
fn child_of_start_hook_is_built_alike() {
    static STARTS: AtomicUsize = AtomicUsize::new(0);
    process::alone(|| {
        let (send, receive) = mpsc::channel();
        let send = Mutex::new(send);
        let hook = move || {
            // Ordering: Relaxed: a count.
            if STARTS.fetch_add(1, Ordering::Relaxed) > 0 {
                return;
            }
            let child = fork();
            if child == 0 {
                let starts_alike = || {
                    everything_works();
                    // Ordering: Relaxed: a count.
                    eventually("its own hook", || STARTS.load(Ordering::Relaxed) == 2);
                };
                exit(i32::from(catch_unwind(starts_alike).is_err()));
            }
            send.lock().unwrap().send(status_of(child)).unwrap();
        };
        Builder::new().on_thread_start(hook).build().unwrap();
        assert_eq!(receive.recv_timeout(PATIENCE), Ok(Some(0)));
    });
}
