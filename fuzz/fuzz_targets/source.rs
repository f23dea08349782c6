//! Readiness of both ends of a socket pair, against a count of the bytes that are on the way.

#![no_main]

mod common;

use std::future::Future;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use arbitrary::Arbitrary;
use async_wheel::Async;
use common::{MOST_OPERATIONS, Task, pass};
use futures_io::{AsyncRead, AsyncWrite};
use libfuzzer_sys::fuzz_target;

/// Tasks that poll.
const TASKS: usize = 3;
/// Futures for each direction of each end.
const FUTURES: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Arbitrary)]
enum Direction {
    Read,
    Write,
}

use Direction::{Read as Reading, Write as Writing};

#[derive(Clone, Copy, Debug, Arbitrary)]
enum Operation {
    /// By plain system calls.
    Send {
        far: bool,
        bytes: u8,
    },
    Receive {
        far: bool,
        bytes: u8,
    },
    /// Until it would block.
    Fill {
        far: bool,
    },
    Drain {
        far: bool,
    },
    Shutdown {
        far: bool,
    },
    /// By `AsyncRead` and `AsyncWrite`.
    PollTransfer {
        far: bool,
        direction: Direction,
        task: u8,
        bytes: u8,
    },
    /// `poll_readable` and `poll_writable`.
    PollEvent {
        far: bool,
        direction: Direction,
        task: u8,
    },
    /// `readable` and `writable`: makes the future if there is none, and polls it.
    PollFuture {
        far: bool,
        direction: Direction,
        place: u8,
        task: u8,
    },
    DropFuture {
        far: bool,
        direction: Direction,
        place: u8,
    },
    /// Wraps the descriptor anew, or a duplicate of it.
    Rewrap {
        far: bool,
        duplicate: bool,
    },
    Pass {
        time: u8,
        driving: bool,
    },
    /// Waits for whoever has to be woken by now.
    Check {
        driving: bool,
    },
}

#[derive(Debug, Arbitrary)]
struct Program {
    inside: bool,
    /// Whether the program drives at the end, if it can, or blocks its thread.
    driving: bool,
    operations: Vec<Operation>,
}

/// A stream of bytes that can be told from each other.
#[derive(Clone, Copy, Default)]
struct Pipe {
    sent: u64,
    received: u64,
    ended: bool,
}

impl Pipe {
    fn is_empty(self) -> bool {
        self.sent == self.received
    }

    fn byte(position: u64) -> u8 {
        (position % 251) as u8
    }

    fn next(self, bytes: usize) -> Vec<u8> {
        (self.sent..).take(bytes).map(Pipe::byte).collect()
    }

    fn receive(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            assert_eq!(byte, Pipe::byte(self.received), "at {} of the stream", self.received);
            self.received += 1;
        }
        assert!(self.received <= self.sent, "more came out than went in");
        assert!(!bytes.is_empty() || (self.ended && self.is_empty()), "ended too early");
    }
}

/// Somebody who was told `Pending`.
struct Waiters {
    task: Arc<Task>,
    /// Its wakes before that.
    wakes: usize,
}

impl Waiters {
    async fn woken(&self, driving: bool, what: &str) {
        self.task.woken_more_than(self.wakes, driving, what).await;
    }
}

type Tasks = [Arc<Task>; TASKS];

fn tasks() -> Tasks {
    std::array::from_fn(|_| Task::new())
}

type Wait = Pin<Box<dyn Future<Output = std::io::Result<()>>>>;

/// A direction of an end, and who waits for it. Each place has tasks of its own, so that no
/// other place's wake is taken for its own.
struct Side {
    tasks: Tasks,
    /// Who waits in the poll methods.
    waiting: Option<Waiters>,
    /// Whether the poll methods have said `Pending` since `poll_event` last said ready.
    pending: bool,
    futures: [Option<(Wait, Waiters)>; FUTURES],
    future_tasks: [Tasks; FUTURES],
}

impl Side {
    fn new() -> Side {
        Side {
            tasks: tasks(),
            waiting: None,
            pending: false,
            futures: Default::default(),
            future_tasks: std::array::from_fn(|_| tasks()),
        }
    }

    /// Polls a poll method. Whoever waits there already is woken if another task takes the
    /// place.
    async fn poll<T>(&mut self, task: u8, on: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        let task = &self.tasks[usize::from(task) % TASKS];
        let waiting = Waiters { task: task.clone(), wakes: task.wakes() };
        let waker: Waker = task.waker();
        let result = on(&mut Context::from_waker(&waker));
        if result.is_pending() {
            self.pending = true;
            if let Some(before) = self.waiting.replace(waiting) {
                let same =
                    self.waiting.as_ref().is_some_and(|now| Arc::ptr_eq(&now.task, &before.task));
                if !same {
                    before.woken(false, "the task that another has replaced").await;
                }
            }
        }
        result
    }

    /// Waits until everybody who was told `Pending` is woken.
    async fn woken(&self, driving: bool, what: &str) {
        if let Some(waiting) = &self.waiting {
            waiting.woken(driving, &format!("poll method, {what}")).await;
        }
        for (_, waiting) in self.futures.iter().flatten() {
            waiting.woken(driving, &format!("future, {what}")).await;
        }
    }

    /// Polls the futures until each is ready: there has been an event since they were made.
    async fn complete(&mut self, driving: bool) {
        for place in &mut self.futures {
            while let Some((wait, waiting)) = place {
                waiting.woken(driving, "future that is not ready yet").await;
                waiting.wakes = waiting.task.wakes();
                let waker = waiting.task.waker();
                if let Poll::Ready(result) = wait.as_mut().poll(&mut Context::from_waker(&waker)) {
                    result.expect("waiting does not fail");
                    *place = None;
                }
            }
        }
    }
}

struct End {
    stream: Arc<Async<UnixStream>>,
    read: Side,
    write: Side,
}

impl End {
    fn new(stream: UnixStream) -> End {
        let stream = Arc::new(Async::new(stream).expect("a socket can be registered"));
        End { stream, read: Side::new(), write: Side::new() }
    }

    fn rewrap(self, duplicate: bool) -> End {
        let End { stream, read, write } = self;
        // With them go the references that the futures own.
        drop((read, write));
        let stream = Arc::into_inner(stream).expect("nobody else has the stream");
        End::new(if duplicate {
            let other = stream.get_ref().try_clone().expect("a descriptor can be duplicated");
            drop(stream);
            other
        } else {
            stream.into_inner().expect("the registration can be ended")
        })
    }

    fn side(&mut self, direction: Direction) -> &mut Side {
        match direction {
            Reading => &mut self.read,
            Writing => &mut self.write,
        }
    }
}

struct Pair {
    ends: [Option<End>; 2],
    /// By who writes.
    pipes: [Pipe; 2],
}

impl Pair {
    fn end(&mut self, end: usize) -> &mut End {
        self.ends[end].as_mut().expect("there is an end but while it is wrapped anew")
    }

    /// How many bytes the system took.
    fn send(&mut self, end: usize, bytes: usize) -> usize {
        if self.pipes[end].ended {
            return 0;
        }
        let bytes = self.pipes[end].next(bytes);
        match self.end(end).stream.get_ref().write(&bytes) {
            Ok(sent) => {
                self.pipes[end].sent += sent as u64;
                sent
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
                0
            }
        }
    }

    /// How many bytes there were.
    fn receive(&mut self, end: usize, bytes: usize) -> usize {
        let mut buffer = vec![0; bytes];
        match self.end(end).stream.get_ref().read(&mut buffer) {
            Ok(read) => {
                self.pipes[1 - end].receive(&buffer[..read]);
                read
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
                0
            }
        }
    }

    async fn transfer(&mut self, end: usize, direction: Direction, task: u8, bytes: usize) {
        let (out, back) = (self.pipes[end], self.pipes[1 - end]);
        let there = self.end(end);
        let mut stream = &*there.stream;
        match direction {
            Reading => {
                let mut buffer = vec![0; bytes];
                let read = |cx: &mut Context<'_>| Pin::new(&mut stream).poll_read(cx, &mut buffer);
                match there.read.poll(task, read).await {
                    Poll::Ready(read) => {
                        let read = read.expect("reading does not fail");
                        self.pipes[1 - end].receive(&buffer[..read]);
                    }
                    Poll::Pending => assert!(back.is_empty() && !back.ended, "pending with data"),
                }
            }
            // Writing after a shutdown is a signal that would end the process.
            Writing if out.ended => {}
            Writing => {
                let bytes = out.next(bytes);
                let write = |cx: &mut Context<'_>| Pin::new(&mut stream).poll_write(cx, &bytes);
                match there.write.poll(task, write).await {
                    Poll::Ready(sent) => {
                        self.pipes[end].sent += sent.expect("writing does not fail") as u64;
                    }
                    Poll::Pending => assert!(!out.is_empty(), "pending with an empty buffer"),
                }
            }
        }
    }

    async fn poll_event(&mut self, end: usize, direction: Direction, task: u8) {
        let there = self.end(end);
        let stream = there.stream.clone();
        let side = there.side(direction);
        let first = !side.pending;
        let event = |cx: &mut Context<'_>| match direction {
            Reading => stream.poll_readable(cx),
            Writing => stream.poll_writable(cx),
        };
        if let Poll::Ready(result) = side.poll(task, event).await {
            result.expect("waiting does not fail");
            assert!(!first, "ready without having been pending");
            side.pending = false;
        }
    }

    fn poll_future(&mut self, end: usize, direction: Direction, place: u8, task: u8) {
        let there = self.end(end);
        let stream = there.stream.clone();
        let side = there.side(direction);
        let index = usize::from(place) % FUTURES;
        let task = &side.future_tasks[index][usize::from(task) % TASKS];
        let waiting = Waiters { task: task.clone(), wakes: task.wakes() };
        let (mut wait, first) = match side.futures[index].take() {
            Some((wait, _)) => (wait, false),
            None => {
                let wait: Wait = match direction {
                    Reading => Box::pin(stream.readable_owned()),
                    Writing => Box::pin(stream.writable_owned()),
                };
                (wait, true)
            }
        };
        match wait.as_mut().poll(&mut Context::from_waker(&task.waker())) {
            Poll::Ready(result) => {
                result.expect("waiting does not fail");
                assert!(!first, "ready without having been pending");
            }
            Poll::Pending => side.futures[index] = Some((wait, waiting)),
        }
    }

    /// Waits for whoever waits for something that is so.
    async fn check(&mut self, driving: bool) {
        for end in 0..2 {
            let [readable, writable] = {
                let back = self.pipes[1 - end];
                [!back.is_empty() || back.ended, self.pipes[end].is_empty()]
            };
            if readable {
                self.end(end).read.woken(driving, "readable").await;
            }
            if writable {
                self.end(end).write.woken(driving, "writable").await;
            }
        }
    }
}

async fn run(program: Program) {
    let (near, far) = UnixStream::pair().expect("a socket pair can be made");
    let ends = [Some(End::new(near)), Some(End::new(far))];
    let mut pair = Pair { ends, pipes: [Pipe::default(); 2] };
    for operation in program.operations.into_iter().take(MOST_OPERATIONS) {
        match operation {
            Operation::Send { far, bytes } => {
                pair.send(usize::from(far), usize::from(bytes));
            }
            // An empty read could not be told from the end of the stream.
            Operation::Receive { far, bytes } => {
                pair.receive(usize::from(far), 1 + usize::from(bytes));
            }
            Operation::Fill { far } => while pair.send(usize::from(far), 16_384) > 0 {},
            Operation::Drain { far } => while pair.receive(usize::from(far), 65_536) > 0 {},
            Operation::Shutdown { far } => {
                let stream = pair.end(usize::from(far)).stream.clone();
                stream.get_ref().shutdown(Shutdown::Write).expect("a socket can be shut down");
                pair.pipes[usize::from(far)].ended = true;
            }
            Operation::PollTransfer { far, direction, task, bytes } => {
                pair.transfer(usize::from(far), direction, task, 1 + usize::from(bytes)).await;
            }
            Operation::PollEvent { far, direction, task } => {
                pair.poll_event(usize::from(far), direction, task).await;
            }
            Operation::PollFuture { far, direction, place, task } => {
                pair.poll_future(usize::from(far), direction, place, task);
            }
            Operation::DropFuture { far, direction, place } => {
                let side = pair.end(usize::from(far)).side(direction);
                side.futures[usize::from(place) % FUTURES] = None;
            }
            Operation::Rewrap { far, duplicate } => {
                let end = &mut pair.ends[usize::from(far)];
                *end = end.take().map(|end| end.rewrap(duplicate));
            }
            Operation::Pass { time, driving } => pass(time, driving).await,
            Operation::Check { driving } => pair.check(driving).await,
        }
    }
    // Everything becomes ready: the buffers are empty, and then each end is sent a byte.
    for end in 0..2 {
        while pair.receive(end, 65_536) > 0 {}
    }
    for end in 0..2 {
        pair.end(end).write.woken(program.driving, "writable at last").await;
        pair.end(end).write.complete(program.driving).await;
    }
    for end in 0..2 {
        pair.send(end, 1);
    }
    for end in 0..2 {
        pair.end(end).read.woken(program.driving, "readable at last").await;
        pair.end(end).read.complete(program.driving).await;
    }
}

fuzz_target!(|program: Program| {
    common::run(program.inside, run(program));
});
