//! Operations from other threads.
//!
//! A handle writes down what it wants in an inbox, and wakes the task that polls the queue unless
//! another has since that task last looked. The owner of the queue carries it out. So the queue itself
//! is nobody else's, and its own operations take no lock while no handle has written.

use std::error::Error;
use std::fmt;
use std::mem;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

use atomic_waker::AtomicWaker;

use super::key::{Key, QueueId};
use crate::clock;
use crate::sync::{AtomicUsize, Mutex, Ordering, is_same_task};

/// What a queue and its handles share.
pub(super) struct Shared<T> {
    queue: QueueId,
    inbox: Mutex<Inbox<T>>,
    /// One if there is something in the inbox, else zero. Written under its lock only.
    mail: AtomicUsize,
    /// The task that waits for the queue, unless it was woken.
    waker: AtomicWaker,
}

struct Inbox<T> {
    operations: Vec<Operation<T>>,
    handles: usize,
    /// Whether the queue is gone.
    is_closed: bool,
    /// The number that the next entry of a handle gets.
    next_number: u64,
}

/// The waker of a task in a form that runs none of the task's code when it is cloned, nor when it is
/// dropped while there is another clone. An `AtomicWaker` does both while it is locked: a panic in
/// there would leave it locked for good.
pub(super) struct Task(Waker);

impl Task {
    pub(super) fn new(waker: &Waker) -> Arc<Task> {
        Arc::new(Task(waker.clone()))
    }

    /// Returns `true` if this is the task that a waker wakes.
    pub(super) fn is(&self, waker: &Waker) -> bool {
        is_same_task(&self.0, waker)
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.0.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.wake_by_ref();
    }
}

/// What a handle wants.
pub(super) enum Operation<T> {
    Insert { number: u64, value: T, deadline: Option<Instant> },
    Remove(Key),
    Reset(Key, Option<Instant>),
}

impl<T> Shared<T> {
    pub(super) fn new(queue: QueueId) -> Shared<T> {
        let inbox = Inbox { operations: Vec::new(), handles: 0, is_closed: false, next_number: 0 };
        Shared {
            queue,
            inbox: Mutex::new(inbox),
            mail: AtomicUsize::new(0),
            waker: AtomicWaker::new(),
        }
    }

    /// Puts an operation into the inbox: what `make` makes of an unused number. `Err` with it if
    /// the queue is gone.
    fn send(&self, make: impl FnOnce(u64) -> Operation<T>) -> Result<u64, Operation<T>> {
        let mut inbox = self.inbox.lock();
        let number = inbox.next_number;
        let operation = make(number);
        if inbox.is_closed {
            return Err(operation);
        }
        inbox.next_number += 1;
        inbox.operations.push(operation);
        // Ordering: Relaxed: the lock orders what is in the inbox. For `receive` after a registration
        // of the waker, see there.
        self.mail.store(1, Ordering::Relaxed);
        drop(inbox);
        // Finds nobody if another has woken the task, and it has not looked since.
        self.waker.wake();
        Ok(number)
    }

    /// Takes what is in the inbox.
    ///
    /// After [`register`](Shared::register), what is missed here wakes the task: registration and
    /// wake change the same word of the `AtomicWaker`, each with acquire and release. If the wake is
    /// first, this load sees the store to `mail` that came before it; if not, it finds the waker.
    #[inline]
    pub(super) fn receive(&self) -> Vec<Operation<T>> {
        // Ordering: Relaxed: it only says whether the lock is worth taking.
        if self.mail.load(Ordering::Relaxed) == 0 {
            return Vec::new();
        }
        let mut inbox = self.inbox.lock();
        // Ordering: Relaxed: as in `send`.
        self.mail.store(0, Ordering::Relaxed);
        mem::take(&mut inbox.operations)
    }

    /// Lets handles wake this task from now on. The caller keeps the former one until this has
    /// returned.
    pub(super) fn register(&self, task: &Arc<Task>) {
        self.waker.register(&Waker::from(Arc::clone(task)));
    }

    /// Wakes the task that waits, if there is one.
    pub(super) fn wake(&self) {
        self.waker.wake();
    }

    /// Forgets the task that waited. It is woken no more.
    pub(super) fn unregister(&self) {
        drop(self.waker.take());
    }

    pub(super) fn has_handles(&self) -> bool {
        self.inbox.lock().handles > 0
    }

    /// Refuses all operations from now on, and returns those that were not carried out.
    pub(super) fn close(&self) -> Vec<Operation<T>> {
        let mut inbox = self.inbox.lock();
        inbox.is_closed = true;
        mem::take(&mut inbox.operations)
    }
}

/// Inserts entries into a [`DelayQueue`](super::DelayQueue), and resets and removes them, from any
/// thread. Made by [`DelayQueue::handle`](super::DelayQueue::handle).
///
/// Each call takes a short lock and wakes the task that polls the queue, if no call has since it
/// last looked. The queue carries out what was asked for, in that order, by its next poll at the
/// latest; until then it takes memory, whatever it is: handles are not held up by a task that is
/// slow. Time counts from the call of the handle.
///
/// Clones are handles of the same queue.
///
/// # Examples
///
/// ```
/// use async_wheel::time::DelayQueue;
/// use futures_lite::StreamExt;
/// use std::{thread, time::Duration};
///
/// let mut queue = DelayQueue::new();
/// let handle = queue.handle();
/// thread::spawn(move || {
///     let first = handle.insert("a", Duration::from_millis(1)).unwrap();
///     handle.insert("b", Duration::from_millis(2)).unwrap();
///     handle.remove(first).unwrap();
/// });
/// let rest = async_wheel::block_on(queue.map(|expired| expired.into_inner()).collect::<Vec<_>>());
/// assert!(rest == ["b"] || rest == ["a", "b"], "removed before it was due, or not");
/// ```
pub struct Handle<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Handle<T> {
    pub(super) fn new(shared: &Arc<Shared<T>>) -> Handle<T> {
        shared.inbox.lock().handles += 1;
        Handle { shared: Arc::clone(shared) }
    }

    /// Inserts a value that expires when `timeout` has passed from now. With a timeout that the
    /// clock cannot count to, it never does.
    ///
    /// # Errors
    ///
    /// [`Closed`] with the value if the queue was dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::DelayQueue;
    /// use std::time::Duration;
    ///
    /// let queue = DelayQueue::new();
    /// let handle = queue.handle();
    /// assert!(handle.insert("a", Duration::from_secs(1)).is_ok());
    /// drop(queue);
    /// let error = handle.insert("b", Duration::from_secs(1)).unwrap_err();
    /// assert_eq!(error.into_inner(), "b");
    /// ```
    pub fn insert(&self, value: T, timeout: Duration) -> Result<Key, Closed<T>> {
        self.send_insert(value, clock::now().checked_add(timeout))
    }

    /// Inserts a value that expires at `deadline`.
    ///
    /// # Errors
    ///
    /// [`Closed`] with the value if the queue was dropped.
    ///
    /// # Examples
    ///
    /// The queue sees what a handle did when it carries it out, here to change the value:
    ///
    /// ```
    /// use async_wheel::time::DelayQueue;
    /// use std::time::{Duration, Instant};
    ///
    /// let mut queue = DelayQueue::new();
    /// let deadline = Instant::now() + Duration::from_secs(60);
    /// let key = queue.handle().insert_at("a", deadline)?;
    /// assert_eq!(queue.get(key), None);
    /// assert_eq!(queue.get_mut(key), Some(&mut "a"));
    /// assert_eq!(queue.deadline(key), Some(deadline));
    /// # Ok::<(), async_wheel::time::delay_queue::Closed<&str>>(())
    /// ```
    pub fn insert_at(&self, value: T, deadline: Instant) -> Result<Key, Closed<T>> {
        self.send_insert(value, Some(deadline))
    }

    fn send_insert(&self, value: T, deadline: Option<Instant>) -> Result<Key, Closed<T>> {
        let sent = self.shared.send(|number| Operation::Insert { number, value, deadline });
        match sent {
            Ok(number) => Ok(Key::remote(self.shared.queue, number)),
            Err(Operation::Insert { value, .. }) => Err(Closed(value)),
            Err(_) => unreachable!("what was refused is what was sent"),
        }
    }

    /// Removes an entry. Its value is dropped by the owner of the queue.
    ///
    /// An entry that expires before the queue hears of it is yielded all the same. Nothing is done
    /// if the key leads nowhere by then.
    ///
    /// # Errors
    ///
    /// [`Closed`] if the queue was dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::DelayQueue;
    /// use std::time::Duration;
    ///
    /// let mut queue = DelayQueue::new();
    /// let key = queue.insert("a", Duration::from_secs(60));
    /// queue.handle().remove(key)?;
    /// assert!(queue.remove(key).is_err());
    /// # Ok::<(), async_wheel::time::delay_queue::Closed>(())
    /// ```
    pub fn remove(&self, key: Key) -> Result<(), Closed> {
        self.send(Operation::Remove(key))
    }

    /// Lets an entry expire when `timeout` has passed from now, instead of when it would have.
    ///
    /// An entry that expires before the queue hears of it is yielded all the same. Nothing is done
    /// if the key leads nowhere by then.
    ///
    /// # Errors
    ///
    /// [`Closed`] if the queue was dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::DelayQueue;
    /// use futures_lite::StreamExt;
    /// use std::time::Duration;
    ///
    /// # async_wheel::block_on(async {
    /// let mut queue = DelayQueue::new();
    /// let key = queue.insert("a", Duration::MAX);
    /// queue.handle().reset(key, Duration::from_millis(1))?;
    /// assert_eq!(queue.next().await.unwrap().into_inner(), "a");
    /// # Ok::<(), async_wheel::time::delay_queue::Closed>(()) }).unwrap();
    /// ```
    pub fn reset(&self, key: Key, timeout: Duration) -> Result<(), Closed> {
        self.send(Operation::Reset(key, clock::now().checked_add(timeout)))
    }

    /// Lets an entry expire at `deadline`, instead of when it would have. As
    /// [`reset`](Handle::reset) otherwise.
    ///
    /// # Errors
    ///
    /// [`Closed`] if the queue was dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::DelayQueue;
    /// use futures_lite::StreamExt;
    /// use std::time::{Duration, Instant};
    ///
    /// # async_wheel::block_on(async {
    /// let mut queue = DelayQueue::new();
    /// let key = queue.insert("a", Duration::MAX);
    /// let deadline = Instant::now();
    /// queue.handle().reset_at(key, deadline)?;
    /// assert_eq!(queue.next().await.unwrap().deadline(), deadline);
    /// # Ok::<(), async_wheel::time::delay_queue::Closed>(()) }).unwrap();
    /// ```
    pub fn reset_at(&self, key: Key, deadline: Instant) -> Result<(), Closed> {
        self.send(Operation::Reset(key, Some(deadline)))
    }

    fn send(&self, operation: Operation<T>) -> Result<(), Closed> {
        match self.shared.send(|_| operation) {
            Ok(_) => Ok(()),
            Err(_) => Err(Closed(())),
        }
    }

    /// Returns `true` if the queue was dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::DelayQueue;
    ///
    /// let queue = DelayQueue::<u32>::new();
    /// let handle = queue.handle();
    /// drop(queue);
    /// assert!(handle.is_closed());
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.inbox.lock().is_closed
    }
}

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Handle<T> {
        Handle::new(&self.shared)
    }
}

impl<T> Drop for Handle<T> {
    fn drop(&mut self) {
        let mut inbox = self.shared.inbox.lock();
        inbox.handles -= 1;
        let is_last = inbox.handles == 0;
        drop(inbox);
        // An empty queue ends with its last handle.
        if is_last {
            self.shared.wake();
        }
    }
}

impl<T> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("is_closed", &self.is_closed()).finish_non_exhaustive()
    }
}

/// The error of a [`Handle`] whose queue was dropped, with the value that was to be inserted.
///
/// # Examples
///
/// ```
/// use async_wheel::time::DelayQueue;
/// use std::time::Duration;
///
/// let queue = DelayQueue::new();
/// let handle = queue.handle();
/// drop(queue);
/// let error = handle.insert("a", Duration::ZERO).unwrap_err();
/// assert_eq!(error.to_string(), "the delay queue was dropped");
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Closed<T = ()>(T);

impl<T> Closed<T> {
    /// Returns the value that was not inserted.
    ///
    /// # Examples
    ///
    /// ```
    /// use async_wheel::time::DelayQueue;
    /// use std::time::Duration;
    ///
    /// let queue = DelayQueue::new();
    /// let handle = queue.handle();
    /// drop(queue);
    /// let error = handle.insert("a", Duration::ZERO).unwrap_err();
    /// assert_eq!(error.into_inner(), "a");
    /// ```
    #[must_use]
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// Says nothing of the value, which may be unable to.
impl<T> fmt::Debug for Closed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closed").finish_non_exhaustive()
    }
}

impl<T> fmt::Display for Closed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the delay queue was dropped")
    }
}

impl<T> Error for Closed<T> {}
