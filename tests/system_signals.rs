//! Signals by the thousand, with a handler that lets system calls be interrupted. A binary of
//! its own: the handler is the process's.

#![cfg(unix)]

mod common;

use std::cell::Cell;
use std::net::{TcpListener, TcpStream};
use std::os::unix::thread::JoinHandleExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use async_wheel::{Async, Timer, block_on};
use common::{MS, PATIENCE, sockets::LOOPBACK, watchdog};
use futures_lite::{AsyncReadExt, AsyncWriteExt, future};

const WORKERS: usize = 4;

/// Signals that were handled: by each worker, and by the fallback.
static SIGNALS: [AtomicUsize; WORKERS + 1] = [const { AtomicUsize::new(0) }; WORKERS + 1];

thread_local! {
    /// Whose signals are counted on this thread. Nobody but workers and the fallback gets any.
    static WHOSE: Cell<usize> = const { Cell::new(WORKERS) };
}

extern "C" fn count(_: libc::c_int) {
    SIGNALS[WHOSE.get()].fetch_add(1, Ordering::Relaxed);
}

/// Installs the handler, without `SA_RESTART`.
fn handle_signals() {
    // SAFETY: all zeros are a structure that asks for nothing.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = count as extern "C" fn(libc::c_int) as libc::sighandler_t;
    // SAFETY: the handler does nothing but count, in a place that is there from the first.
    assert_eq!(unsafe { libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut()) }, 0);
}

/// Returns `true` when each of these was interrupted often, and all of them often enough.
fn interrupted(whose: &[AtomicUsize]) -> bool {
    let counts = || whose.iter().map(|count| count.load(Ordering::Relaxed));
    counts().all(|count| count > 10) && counts().sum::<usize>() > 200
}

async fn timers_and_io() {
    for _ in 0..20 {
        let start = Instant::now();
        let due = start + 3 * MS;
        assert_eq!(Timer::at(due).await, due);
        assert!(Instant::now() >= due, "early");
    }
    let listener = Async::<TcpListener>::bind(LOOPBACK).unwrap();
    let address = listener.get_ref().local_addr().unwrap();
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut read = Vec::new();
        stream.read_to_end(&mut read).await.unwrap();
        read.len()
    };
    let client = async {
        let mut stream = Async::<TcpStream>::connect(address).await.unwrap();
        for _ in 0..40 {
            stream.write_all(&[7; 20_000]).await.unwrap();
            Timer::after(MS / 4).await;
        }
    };
    assert_eq!(future::zip(server, client).await.0, 800_000);
}

/// Threads in either `block_on` and the fallback thread are interrupted thousands of times: no
/// operation fails, and no timer is early.
#[test]
fn interrupted_system_calls_are_no_error() {
    let _watchdog = watchdog();
    handle_signals();
    let done = Arc::new(AtomicBool::new(false));
    // Elsewhere the fallback thread is not found.
    let told = if cfg!(target_os = "linux") { &SIGNALS[..] } else { &SIGNALS[..WORKERS] };
    let start = Instant::now();
    let workers: Vec<_> = (0..WORKERS)
        .map(|index| {
            thread::spawn(move || {
                WHOSE.set(index);
                // Once at least, and on until all were interrupted, or should have been: the rest of
                // the patience is for the work that is under way then.
                loop {
                    if index % 2 == 0 {
                        block_on(timers_and_io());
                    } else {
                        future::block_on(timers_and_io());
                    }
                    if interrupted(told) || start.elapsed() > PATIENCE / 2 {
                        break;
                    }
                }
            })
        })
        .collect();
    // To each worker, and to the fallback.
    let threads: Vec<_> = workers.iter().map(JoinHandleExt::as_pthread_t).collect();
    let storm = thread::spawn({
        let done = done.clone();
        move || {
            while !done.load(Ordering::SeqCst) {
                for thread in &threads {
                    // SAFETY: a thread that is not joined before this one has its id still.
                    unsafe { libc::pthread_kill(*thread, libc::SIGUSR1) };
                }
                thread::sleep(MS / 10);
            }
        }
    });
    let fallback_storm = thread::spawn({
        let done = done.clone();
        move || {
            while !done.load(Ordering::SeqCst) {
                signal_fallback();
                thread::sleep(MS / 5);
            }
        }
    });
    // Finished first, joined last: until then their ids are good.
    common::eventually("the work is done", || workers.iter().all(|worker| worker.is_finished()));
    done.store(true, Ordering::SeqCst);
    storm.join().unwrap();
    fallback_storm.join().unwrap();
    workers.into_iter().for_each(|worker| worker.join().unwrap());
    assert!(interrupted(told), "{SIGNALS:?} signals");
}

/// Sends a signal to each thread of the fallback's name: to none until there is one.
#[cfg(target_os = "linux")]
fn signal_fallback() {
    for thread in common::threads::named("async-wheel") {
        // SAFETY: a system call about a thread that never ends.
        unsafe { libc::syscall(libc::SYS_tgkill, std::process::id(), thread, libc::SIGUSR1) };
    }
}

/// Elsewhere the fallback thread is not found.
#[cfg(not(target_os = "linux"))]
fn signal_fallback() {}
