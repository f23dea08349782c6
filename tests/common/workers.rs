//! Threads in `block_on` that do what they are told, and which poller has registered what.

use std::fs;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, MutexGuard, mpsc};
use std::thread::{self, JoinHandle};

use async_wheel::{Async, block_on, diagnostics};
use futures_lite::future;

use super::eventually;

type Job = Box<dyn FnOnce() + Send>;

/// A thread that is in `block_on` until this is dropped.
pub struct Worker {
    jobs: Option<async_channel::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    /// The descriptor of its shard's poller.
    pub poller: RawFd,
}

impl Worker {
    fn new() -> Worker {
        let (jobs, receive) = async_channel::unbounded::<Job>();
        let work = async move {
            while let Ok(job) = receive.recv().await {
                job();
            }
        };
        let thread = Some(thread::spawn(|| block_on(work)));
        let mut worker = Worker { jobs: Some(jobs), thread, poller: -1 };
        worker.poller = worker.run(|| {
            let (probe, _peer) = UnixStream::pair().unwrap();
            let probe = Async::new(probe).unwrap();
            only(&pollers_of(&probe))
        });
        worker
    }

    /// Has a job done.
    #[track_caller]
    pub fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (done, result) = mpsc::channel();
        let job = Box::new(move || drop(done.send(job())));
        self.jobs.as_ref().unwrap().send_blocking(job).unwrap();
        result.recv().expect("the job is done")
    }

    /// Waits once for what is not there.
    #[track_caller]
    pub fn wait_in_vain<T: Send + Sync + 'static>(&self, source: &Arc<Async<T>>) {
        let source = source.clone();
        let there = self.run(move || block_on(future::poll_once(source.readable())).is_some());
        assert!(!there, "ready, or an error");
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.jobs = None;
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || thread::panicking(), "a job panicked");
    }
}

/// Waits for this test's turn, and starts two threads, with a shard each if there are two. Drop the
/// turn last.
pub fn two_workers() -> (MutexGuard<'static, ()>, Worker, Worker) {
    let turn = super::turn();
    let assigned = || diagnostics::shards().iter().map(|shard| shard.threads).sum::<usize>();
    eventually("threads of earlier tests are gone", || assigned() == 0);
    let workers = (Worker::new(), Worker::new());
    if !cfg!(async_wheel_single_shard) {
        assert_ne!(workers.0.poller, workers.1.poller, "there are two processors");
    }
    (turn, workers.0, workers.1)
}

/// How many sources have moved so far.
pub fn migrations() -> usize {
    diagnostics::shards().iter().map(|shard| shard.migrations).sum()
}

/// How many sources are registered.
pub fn sources() -> usize {
    diagnostics::shards().iter().map(|shard| shard.sources).sum()
}

/// A registration, as the system tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registered {
    /// The descriptor of the poller.
    pub poller: RawFd,
    /// The number that was registered.
    pub number: RawFd,
    /// The inode of the file that had it then.
    pub inode: u64,
}

/// Returns what is registered with the pollers of this process.
pub fn registered() -> Vec<Registered> {
    let is_poller = |fd: &RawFd| {
        let target = fs::read_link(format!("/proc/self/fd/{fd}"));
        target.is_ok_and(|target| target.as_os_str() == "anon_inode:[eventpoll]")
    };
    let fds = fs::read_dir("/proc/self/fd").unwrap();
    let numbers = fds.filter_map(|fd| fd.ok()?.file_name().to_str()?.parse().ok());
    let of_poller = |poller: RawFd| {
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{poller}")).unwrap_or_default();
        info.lines().filter_map(|line| parse(poller, line)).collect::<Vec<_>>()
    };
    numbers.filter(is_poller).flat_map(of_poller).collect()
}

/// Parses `tfd: 5 events: … data: … pos:0 ino:61e2 sdev:9`.
fn parse(poller: RawFd, line: &str) -> Option<Registered> {
    let number = line.strip_prefix("tfd:")?.split_whitespace().next()?.parse().unwrap();
    let inode = line.split_once("ino:")?.1.split_whitespace().next()?;
    Some(Registered { poller, number, inode: u64::from_str_radix(inode, 16).unwrap() })
}

/// Returns the pollers that have registered a descriptor.
pub fn pollers_of(fd: impl AsFd) -> Vec<RawFd> {
    let number = fd.as_fd().as_raw_fd();
    let inode = rustix::fs::fstat(&fd).unwrap().st_ino;
    let mut all = registered();
    all.retain(|registered| (registered.number, registered.inode) == (number, inode));
    all.iter().map(|registered| registered.poller).collect()
}

#[track_caller]
fn only(pollers: &[RawFd]) -> RawFd {
    assert_eq!(pollers.len(), 1, "{pollers:?}");
    pollers[0]
}
