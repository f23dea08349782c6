//! The structures, each behind the same few operations.
//!
//! All hold a value of 16 bytes with a niche, as a `Waker` is. Those that know milliseconds or
//! ticks only are given the deadline rounded to those, which makes their work less, not more.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_wheel::wheel::{Key, Wheel};
use hierarchical_hash_wheel_timer::wheels::Skip;
use hierarchical_hash_wheel_timer::wheels::cancellable::{
    CancellableTimerEntry, QuadWheelWithOverflow,
};
use kestrel_timer::config::{BatchConfig, WheelConfig};
use kestrel_timer::task::{TaskId, TimerTask, TimerTaskWithCompletionNotifier};
use tokio_util::time::{DelayQueue, delay_queue};

/// A deadline and what tells the entry from others.
pub type Out = Vec<(u64, usize)>;

/// What stands for a waker.
#[derive(Clone, Copy, Debug)]
struct Value {
    tag: usize,
    _niche: NonZeroUsize,
}

fn value(tag: usize) -> Value {
    Value { tag, _niche: NonZeroUsize::MIN }
}

/// What a structure must be able to do to take part.
pub trait Peer: 'static {
    type Handle;

    fn new() -> Self;
    fn insert(&mut self, deadline: u64, tag: usize) -> Self::Handle;
    fn remove(&mut self, handle: Self::Handle);
    fn reschedule(&mut self, handle: &mut Self::Handle, deadline: u64);
    /// `None` where it cannot tell.
    fn next_deadline(&mut self) -> Option<u64>;
    fn expire(&mut self, now: u64, out: &mut Out) -> usize;
}

pub struct WheelPeer(Wheel<Value>);

impl Peer for WheelPeer {
    type Handle = Key;

    fn new() -> WheelPeer {
        WheelPeer(Wheel::new())
    }

    fn insert(&mut self, deadline: u64, tag: usize) -> Key {
        self.0.insert(deadline, value(tag))
    }

    fn remove(&mut self, key: Key) {
        assert!(self.0.remove(key).is_some());
    }

    fn reschedule(&mut self, key: &mut Key, deadline: u64) {
        assert!(self.0.reschedule(*key, deadline));
    }

    fn next_deadline(&mut self) -> Option<u64> {
        self.0.next_deadline()
    }

    fn expire(&mut self, now: u64, out: &mut Out) -> usize {
        let done = self.0.expire(now, usize::MAX, |_, deadline, value| {
            out.push((deadline, value.tag));
        });
        done.expired
    }
}

/// A sorted map, as in async-io and smol-timeout tables: the number tells equal deadlines apart.
pub struct MapPeer {
    map: BTreeMap<(u64, u64), Value>,
    inserted: u64,
}

impl Peer for MapPeer {
    type Handle = (u64, u64);

    fn new() -> MapPeer {
        MapPeer { map: BTreeMap::new(), inserted: 0 }
    }

    fn insert(&mut self, deadline: u64, tag: usize) -> (u64, u64) {
        self.inserted += 1;
        let key = (deadline, self.inserted);
        self.map.insert(key, value(tag));
        key
    }

    fn remove(&mut self, key: (u64, u64)) {
        assert!(self.map.remove(&key).is_some());
    }

    fn reschedule(&mut self, key: &mut (u64, u64), deadline: u64) {
        let value = self.map.remove(key).expect("it is there");
        key.0 = deadline;
        self.map.insert(*key, value);
    }

    fn next_deadline(&mut self) -> Option<u64> {
        self.map.first_key_value().map(|(key, _)| key.0)
    }

    fn expire(&mut self, now: u64, out: &mut Out) -> usize {
        let mut count = 0;
        while let Some(first) = self.map.first_entry().filter(|first| first.key().0 <= now) {
            let (key, value) = first.remove_entry();
            out.push((key.0, value.tag));
            count += 1;
        }
        count
    }
}

/// A binary heap of deadlines; an entry that goes leaves its place in the heap, and the heap is
/// made anew when more than half of it is such.
pub struct HeapPeer {
    heap: BinaryHeap<Reverse<(u64, u32, u32)>>,
    /// Generation and value by index.
    values: Vec<(u32, Option<Value>)>,
    free: Vec<u32>,
    dead: usize,
}

impl HeapPeer {
    fn take(&mut self, index: u32, generation: u32) -> Option<Value> {
        let place = &mut self.values[index as usize];
        if place.0 != generation {
            return None;
        }
        place.0 += 1;
        place.1.take()
    }

    fn bury(&mut self) {
        self.dead += 1;
        if self.dead > 64 && self.dead * 2 > self.heap.len() {
            let values = &self.values;
            self.heap
                .retain(|&Reverse((_, index, generation))| values[index as usize].0 == generation);
            self.dead = 0;
        }
    }
}

impl Peer for HeapPeer {
    type Handle = (u32, u32);

    fn new() -> HeapPeer {
        HeapPeer { heap: BinaryHeap::new(), values: Vec::new(), free: Vec::new(), dead: 0 }
    }

    fn insert(&mut self, deadline: u64, tag: usize) -> (u32, u32) {
        let index = self.free.pop().unwrap_or_else(|| {
            self.values.push((0, None));
            (self.values.len() - 1) as u32
        });
        let place = &mut self.values[index as usize];
        place.1 = Some(value(tag));
        let generation = place.0;
        self.heap.push(Reverse((deadline, index, generation)));
        (index, generation)
    }

    fn remove(&mut self, (index, generation): (u32, u32)) {
        assert!(self.take(index, generation).is_some());
        self.free.push(index);
        self.bury();
    }

    fn reschedule(&mut self, handle: &mut (u32, u32), deadline: u64) {
        let place = &mut self.values[handle.0 as usize];
        place.0 += 1;
        handle.1 = place.0;
        self.heap.push(Reverse((deadline, handle.0, handle.1)));
        self.bury();
    }

    fn next_deadline(&mut self) -> Option<u64> {
        self.heap.peek().map(|Reverse((deadline, ..))| *deadline)
    }

    fn expire(&mut self, now: u64, out: &mut Out) -> usize {
        let mut count = 0;
        while let Some(&Reverse((deadline, index, generation))) = self.heap.peek() {
            if deadline > now {
                break;
            }
            self.heap.pop();
            match self.take(index, generation) {
                Some(value) => {
                    self.free.push(index);
                    out.push((deadline, value.tag));
                    count += 1;
                }
                None => self.dead = self.dead.saturating_sub(1),
            }
        }
        count
    }
}

/// On a clock that stands still but for what [`Peer::expire`] tells it. Knows milliseconds.
pub struct DelayQueuePeer {
    queue: DelayQueue<(u64, Value)>,
    start: tokio::time::Instant,
    now: u64,
    runtime: tokio::runtime::Runtime,
}

impl Peer for DelayQueuePeer {
    type Handle = delay_queue::Key;

    fn new() -> DelayQueuePeer {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        let start = runtime.block_on(async { tokio::time::Instant::now() });
        DelayQueuePeer { queue: DelayQueue::new(), start, now: 0, runtime }
    }

    fn insert(&mut self, deadline: u64, tag: usize) -> delay_queue::Key {
        let _inside = self.runtime.enter();
        let when = self.start + Duration::from_nanos(deadline);
        self.queue.insert_at((deadline, value(tag)), when)
    }

    fn remove(&mut self, key: delay_queue::Key) {
        let _inside = self.runtime.enter();
        self.queue.remove(&key);
    }

    fn reschedule(&mut self, key: &mut delay_queue::Key, deadline: u64) {
        let _inside = self.runtime.enter();
        self.queue.reset_at(key, self.start + Duration::from_nanos(deadline));
    }

    fn next_deadline(&mut self) -> Option<u64> {
        let key = self.queue.peek()?;
        let deadline = self.queue.deadline(&key);
        Some(deadline.duration_since(self.start).as_nanos() as u64)
    }

    fn expire(&mut self, now: u64, out: &mut Out) -> usize {
        if now > self.now {
            let step = Duration::from_nanos(now - self.now);
            self.runtime.block_on(tokio::time::advance(step));
            self.now = now;
        }
        let _inside = self.runtime.enter();
        let mut cx = Context::from_waker(Waker::noop());
        let mut count = 0;
        while let Poll::Ready(Some(expired)) = self.queue.poll_expired(&mut cx) {
            let (deadline, value) = expired.into_inner();
            out.push((deadline, value.tag));
            count += 1;
        }
        count
    }
}

/// An entry of the hash wheel, which finds it by the identity that the user gives.
#[derive(Debug)]
pub struct Identified {
    identity: u64,
    deadline: u64,
    value: Value,
}

impl CancellableTimerEntry for Identified {
    type Id = u64;

    fn id(&self) -> &u64 {
        &self.identity
    }
}

/// Knows milliseconds, and steps through each that passes.
pub struct HashWheelPeer {
    wheel: QuadWheelWithOverflow<Identified>,
    inserted: u64,
    now: u64,
}

impl Peer for HashWheelPeer {
    type Handle = u64;

    fn new() -> HashWheelPeer {
        HashWheelPeer { wheel: QuadWheelWithOverflow::new(), inserted: 0, now: 0 }
    }

    fn insert(&mut self, deadline: u64, tag: usize) -> u64 {
        self.inserted += 1;
        let entry = Rc::new(Identified { identity: self.inserted, deadline, value: value(tag) });
        // Less than a millisecond counts as expired there.
        let delay = (deadline / 1_000_000).saturating_sub(self.now).max(1);
        let delay = Duration::from_millis(delay);
        self.wheel.insert_ref_with_delay(entry, delay).expect("in range");
        self.inserted
    }

    fn remove(&mut self, identity: u64) {
        self.wheel.cancel(&identity).expect("it is there");
    }

    fn reschedule(&mut self, identity: &mut u64, deadline: u64) {
        self.remove(*identity);
        *identity = self.insert(deadline, 0);
    }

    fn next_deadline(&mut self) -> Option<u64> {
        None
    }

    fn expire(&mut self, now: u64, out: &mut Out) -> usize {
        let mut count = 0;
        let until = now / 1_000_000;
        while self.now < until {
            match self.wheel.can_skip() {
                Skip::Millis(ticks) if ticks > 0 => {
                    let ticks = u64::from(ticks).min(until - self.now);
                    self.wheel.skip(ticks as u32);
                    self.now += ticks;
                }
                _ => {
                    self.now += 1;
                    for entry in self.wheel.tick() {
                        out.push((entry.deadline, entry.value.tag));
                        count += 1;
                    }
                }
            }
        }
        count
    }
}

/// With its own settings: two levels, ticks of ten milliseconds. Its entries hold a channel
/// instead of a value and do not come back out, so that expiry is not compared.
pub struct KestrelPeer {
    wheel: kestrel_timer::wheel::Wheel,
}

impl Peer for KestrelPeer {
    type Handle = TaskId;

    fn new() -> KestrelPeer {
        KestrelPeer {
            wheel: kestrel_timer::wheel::Wheel::new(WheelConfig::default(), BatchConfig::default()),
        }
    }

    fn insert(&mut self, deadline: u64, _tag: usize) -> TaskId {
        let task = TimerTask::new_oneshot(Duration::from_nanos(deadline), None);
        let (task, _receiver) = TimerTaskWithCompletionNotifier::from_timer_task(task);
        let handle = self.wheel.allocate_handle();
        let id = handle.task_id();
        self.wheel.insert(handle, task);
        id
    }

    fn remove(&mut self, id: TaskId) {
        assert!(self.wheel.cancel(id));
    }

    fn reschedule(&mut self, id: &mut TaskId, deadline: u64) {
        assert!(self.wheel.postpone(*id, Duration::from_nanos(deadline), None));
    }

    fn next_deadline(&mut self) -> Option<u64> {
        None
    }

    fn expire(&mut self, _now: u64, _out: &mut Out) -> usize {
        0
    }
}
