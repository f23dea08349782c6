//! The locks of the crate `parking_lot`, with the feature of that name.
//!
//! The threads that wait for any of them are in one table of the process. A child that is forked
//! while a thread is at that table finds it locked for good, and hangs at the first lock that it
//! has to wait for. So this is not the default.

use std::time::Duration;

pub(crate) use ::parking_lot::MutexGuard;

/// A lock that a panic does not poison: what it guards is whole whenever it is given back.
#[derive(Debug)]
pub(crate) struct Mutex<T>(::parking_lot::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Mutex<T> {
        Mutex(::parking_lot::Mutex::new(value))
    }

    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        #[cfg(async_wheel_deadlocks)]
        deadlocks::watch();
        self.0.lock()
    }
}

/// A condition variable.
#[derive(Debug)]
pub(crate) struct Condvar(::parking_lot::Condvar);

impl Condvar {
    pub(crate) const fn new() -> Condvar {
        Condvar(::parking_lot::Condvar::new())
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }

    pub(crate) fn wait<'a, T>(&self, mut guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.0.wait(&mut guard);
        guard
    }

    pub(crate) fn wait_for<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
        limit: Duration,
    ) -> MutexGuard<'a, T> {
        self.0.wait_for(&mut guard, limit);
        guard
    }
}

/// Looks for deadlocks among the library's locks, for `ci/parking_lot.sh`: needs the feature
/// `deadlock_detection` of `parking_lot`.
#[cfg(async_wheel_deadlocks)]
mod deadlocks {
    use std::io::Write;
    use std::sync::Once;
    use std::time::Duration;

    use ::parking_lot::deadlock::check_deadlock;

    /// Starts a thread, at the first lock of the process, that ends the process when some threads
    /// wait for one another. It says which, and where they are.
    pub(super) fn watch() {
        static STARTED: Once = Once::new();
        STARTED.call_once(|| {
            let thread = std::thread::Builder::new().name("deadlocks".to_owned());
            thread.spawn(check).expect("the thread that looks for deadlocks starts");
        });
    }

    fn check() {
        loop {
            std::thread::sleep(Duration::from_millis(500));
            let cycles = check_deadlock();
            if cycles.is_empty() {
                continue;
            }
            // Not by `eprintln`, which a test may have captured.
            let mut error = std::io::stderr().lock();
            for thread in cycles.iter().flatten() {
                let (id, trace) = (thread.thread_id(), thread.backtrace());
                let _ = writeln!(error, "deadlock: {id:?} waits for a lock:\n{trace:?}");
            }
            std::process::abort();
        }
    }
}

#[cfg(all(test, async_wheel_deadlocks))]
mod tests {
    use std::process::{Command, Stdio};
    use std::sync::{Arc, Barrier};
    use std::thread;

    use super::Mutex;

    const CHILD: &str = "ASYNC_WHEEL_DEADLOCK";

    /// Two threads that take two locks in either order.
    fn deadlock() {
        let locks = Arc::new([Mutex::new(()), Mutex::new(())]);
        let both = Arc::new(Barrier::new(2));
        let threads = [(0, 1), (1, 0)].map(|(first, second)| {
            let (locks, both) = (locks.clone(), both.clone());
            thread::spawn(move || {
                let _first = locks[first].lock();
                both.wait();
                let _second = locks[second].lock();
            })
        });
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }

    /// Else a run that finds none says nothing.
    #[test]
    fn deadlock_ends_the_process() {
        if std::env::var_os(CHILD).is_some() {
            deadlock();
            return;
        }
        let name = concat!(module_path!(), "::deadlock_ends_the_process");
        let (_, name) = name.split_once("::").unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args([name, "--exact"])
            .env(CHILD, "1")
            .stdout(Stdio::null())
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&child.stderr);
        assert!(!child.status.success(), "it ended well");
        assert_eq!(error.matches("waits for a lock").count(), 2, "{error}");
    }
}
