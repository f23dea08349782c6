//! A `block_on` call of a pause: how it sleeps and is woken.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use super::step::{Idle, Step};
use super::{Pause, Scope, State, place};
use crate::clock::{self, manual};
use crate::driver::context;
use crate::driver::task_poll::TaskPoll;
use crate::reactor::Batch;
use crate::sync::{Condvar, MutexGuard, Ref};
use crate::sys::{Polls, Until};

/// What is known of a call.
#[derive(Debug)]
pub(super) struct CallState {
    number: u64,
    /// Whether it was woken since its future was polled last.
    is_notified: bool,
    /// Whether it sleeps, and was not woken yet.
    is_asleep: bool,
    sleeper: Arc<Sleeper>,
}

/// The waker of a call, and what its thread sleeps on while another one has the poller.
struct Sleeper {
    pause: Ref<Pause>,
    number: u64,
    signal: Condvar,
}

impl std::fmt::Debug for Sleeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "call {}", self.number)
    }
}

impl Wake for Sleeper {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.pause.is_from_parent() {
            self.pause.notify(self.number);
        }
    }
}

impl State {
    /// A call, by its number. One that has ended may still be woken.
    pub(super) fn call(&mut self, number: u64) -> Option<&mut CallState> {
        self.calls.iter_mut().find(|call| call.number == number)
    }

    /// Lets a call be awake. Returns `false` if it was.
    fn note_awake(&mut self, number: u64) -> bool {
        let was_asleep = self.call(number).is_some_and(|call| std::mem::take(&mut call.is_asleep));
        if was_asleep {
            self.awake += 1;
            self.note_activity();
        }
        was_asleep
    }

    /// The driver gives the poller up: to one that sleeps, if any does.
    pub(super) fn release(&mut self) {
        self.driver = None;
        if let Some(next) = self.calls.iter().find(|call| call.is_asleep) {
            next.sleeper.signal.notify_one();
        }
    }
}

impl Pause {
    /// Notifies a call, and unparks its thread if that sleeps.
    fn notify(&self, number: u64) {
        let mut state = self.state.lock();
        let Some(call) = state.call(number) else { return };
        call.is_notified = true;
        if !state.note_awake(number) {
            return;
        }
        if state.driver == Some(number) {
            drop(state);
            self.shard.poller().notify();
        } else if let Some(call) = state.call(number) {
            call.sleeper.signal.notify_one();
        }
    }
}

/// A call that is going on. Undone when it is dropped.
pub(in crate::driver) struct Call {
    pause: Ref<Pause>,
    sleeper: Arc<Sleeper>,
    is_outermost: bool,
}

impl Call {
    /// Enters `block_on`, if this thread's time is paused.
    #[inline]
    pub(in crate::driver) fn enter() -> Option<Call> {
        place::in_force().and_then(Call::enter_into)
    }

    #[cold]
    fn enter_into(pause: Ref<Pause>) -> Option<Call> {
        let is_nested = place::entered().is_some();
        let mut state = pause.state.lock();
        if state.is_over && !is_nested {
            // It has just ended.
            return None;
        }
        let number = state.new_number();
        let sleeper = Arc::new(Sleeper { pause: pause.clone(), number, signal: Condvar::new() });
        let call =
            CallState { number, is_notified: false, is_asleep: false, sleeper: sleeper.clone() };
        state.calls.push(call);
        if !is_nested {
            state.awake += 1;
        }
        state.note_activity();
        drop(state);
        let is_outermost = place::enter(&pause);
        context::deepen();
        Some(Call { pause, sleeper, is_outermost })
    }

    /// Runs a future to its end. If nothing can happen any more, the panic names the caller's line.
    #[inline(never)]
    #[track_caller]
    pub(in crate::driver) fn run<T>(self, future: impl Future<Output = T>) -> T {
        let waker = Waker::from(self.sleeper.clone());
        let cx = &mut Context::from_waker(&waker);
        let mut batch = Batch::new();
        let mut future = pin!(future);
        let mut future = pin!(poll_fn(|cx| {
            let _during = TaskPoll::begin();
            future.as_mut().poll(cx)
        }));
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return output;
            }
            self.pause.shard.assert_not_from_parent();
            self.wait(&mut batch);
            self.pause.shard.assert_not_from_parent();
        }
    }

    fn number(&self) -> u64 {
        self.sleeper.number
    }

    /// Returns when the call was notified.
    #[track_caller]
    fn wait(&self, batch: &mut Batch) {
        let mut idle = Idle::default();
        loop {
            if self.take_notification() {
                // The future has more to do. I/O and what is due get a round in between.
                return self.run_round_if_vacant(batch);
            }
            self.sleep(batch, &mut idle);
            if self.pause.is_from_parent() {
                return;
            }
        }
    }

    fn take_notification(&self) -> bool {
        let mut state = self.pause.state.lock();
        state.call(self.number()).is_some_and(|call| std::mem::take(&mut call.is_notified))
    }

    /// Runs a round without sleeping, unless another call has the poller.
    fn run_round_if_vacant(&self, batch: &mut Batch) {
        let mut state = self.pause.state.lock();
        if state.driver.is_some() {
            return;
        }
        state.driver = Some(self.number());
        let (mut state, _) = self.round(state, batch, Until::Now, clock::NEVER);
        state.release();
        drop(state);
        batch.wake(&self.pause.shard);
    }

    /// Sleeps until it was notified or there was something else to do, which is done.
    #[track_caller]
    fn sleep(&self, batch: &mut Batch, idle: &mut Idle) {
        let mut state = self.fall_asleep();
        while state.call(self.number()).is_some_and(|call| call.is_asleep) {
            if state.driver.is_some() {
                state = self.sleeper.signal.wait(state);
                continue;
            }
            state.driver = Some(self.number());
            let step = self.pause.next_step(&mut state, batch, idle);
            let (until, next) = match step {
                Step::Look => (Until::Now, clock::NEVER),
                Step::Wait { until, next } => (until, next),
                Step::Wake(wakers) => {
                    state.note_awake(self.number());
                    state.release();
                    drop(state);
                    batch.wake(&self.pause.shard);
                    wakers.into_iter().for_each(|waker| crate::sync::catch_panic(|| waker.wake()));
                    return;
                }
                Step::Give(message) => {
                    state.note_awake(self.number());
                    state.release();
                    drop(state);
                    panic!("{message}");
                }
            };
            let found;
            (state, found) = self.round(state, batch, until, next);
            if found {
                state.note_awake(self.number());
                state.release();
                drop(state);
                return batch.wake(&self.pause.shard);
            }
            state.driver = None;
        }
        // Notified. Those who sleep may need another driver.
        if state.driver.is_none() {
            state.release();
        }
    }

    /// Notes that the call sleeps, unless it was notified.
    fn fall_asleep(&self) -> MutexGuard<'_, State> {
        let mut state = self.pause.state.lock();
        let Some(call) = state.call(self.number()).filter(|call| !call.is_notified) else {
            return state;
        };
        call.is_asleep = true;
        state.awake -= 1;
        state.note_activity();
        if state.awake == 0 && state.driver.is_some() {
            // All sleep: the driver has to decide what happens next.
            drop(state);
            self.pause.shard.poller().notify();
            state = self.pause.state.lock();
        }
        state
    }

    /// Runs a round of the shard without the lock. The caller is the driver.
    fn round<'a>(
        &'a self,
        state: MutexGuard<'a, State>,
        batch: &mut Batch,
        until: Until,
        next: u64,
    ) -> (MutexGuard<'a, State>, bool) {
        drop(state);
        let found = match self.pause.shard.try_acquire() {
            Ok(driving) => {
                let found = driving.run_paused_round(batch, until, next, &self.pause.order);
                driving.release();
                found
            }
            Err(_) => {
                // Only a subscriber of `tracing` can be in there, on this thread.
                crate::sync::pause();
                false
            }
        };
        (self.pause.state.lock(), found)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        context::surface();
        if self.is_outermost {
            place::exit();
        }
        if self.pause.is_from_parent() {
            return;
        }
        let number = self.number();
        let mut state = self.pause.state.lock();
        let index = state.calls.iter().position(|call| call.number == number);
        let ended = index.map(|index| state.calls.swap_remove(index));
        state.note_activity();
        let mut is_last = false;
        if self.is_outermost {
            state.awake -= 1;
            is_last = state.is_over && state.calls.is_empty();
            if state.is_over && state.scope == Scope::Thread {
                manual::unset(false);
            }
        }
        let all_sleep = state.awake == 0 && state.driver.is_some();
        if state.driver.is_none() {
            state.release();
        }
        drop(state);
        drop(ended);
        if all_sleep {
            self.pause.shard.poller().notify();
        }
        if is_last {
            Pause::finish(&self.pause);
        }
    }
}
