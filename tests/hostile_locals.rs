//! The library used while a thread's locals are destroyed, ours among them.

#![cfg(unix)]

mod common;

use std::cell::RefCell;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::task::Waker;
use std::thread;

use async_wheel::{Async, Timer, block_on};
use common::{HOUR, MS, poll_with, watchdog};
use futures_lite::{AsyncReadExt, future};

/// Sets up, waits for and drops timers and sources when the thread's locals are destroyed.
struct Last {
    /// A source of the thread's life, with its peer.
    source: Async<UnixStream>,
    peer: UnixStream,
    done: mpsc::Sender<usize>,
}

impl Drop for Last {
    fn drop(&mut self) {
        self.peer.write_all(b"old").unwrap();
        let source = &mut self.source;
        let old = block_on(async {
            source.readable().await.unwrap();
            source.read(&mut [0; 8]).await.unwrap()
        });
        let (ours, mut peer) = UnixStream::pair().unwrap();
        let mut ours = Async::new(ours).unwrap();
        let late = thread::spawn(move || {
            thread::sleep(MS);
            peer.write_all(b"newer").unwrap();
        });
        // Without a `block_on` of ours, too.
        let new = future::block_on(async {
            Timer::after(MS).await;
            ours.read(&mut [0; 8]).await.unwrap()
        });
        late.join().unwrap();
        // Left registered, and dropped after this.
        let mut left = Timer::after(HOUR);
        let _ = poll_with(Waker::noop(), &mut left);
        self.done.send(old + new).unwrap();
    }
}

thread_local! {
    static LAST: RefCell<Option<Last>> = const { RefCell::new(None) };
}

/// The thread's locals, the library's among them, are destroyed in an order that depends on which
/// was used first.
#[test]
fn sources_work_while_thread_locals_are_destroyed() {
    let _watchdog = watchdog();
    // Locals are destroyed in an order that depends on which was used first.
    for ours_first in [true, false] {
        let (done, receive) = mpsc::channel();
        let thread = thread::spawn(move || {
            if ours_first {
                block_on(Timer::after(MS));
            }
            let (source, peer) = UnixStream::pair().unwrap();
            let keep = || Last { source: Async::new(source).unwrap(), peer, done };
            LAST.with(|last| last.replace(Some(keep())));
            if !ours_first {
                block_on(Timer::after(MS));
            }
        });
        thread.join().unwrap();
        assert_eq!(receive.recv(), Ok(8), "ours first: {ours_first}");
    }
}
