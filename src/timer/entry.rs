//! Where a timer waits, and how it gets there.

use std::task::Context;

use super::Timer;
use crate::driver;
use crate::reactor::{Shard, Slack, TimerKey};
use crate::sync::{self, Ref};

/// A timer's entry in a wheel.
pub(super) struct Entry {
    pub(super) shard: Ref<Shard>,
    pub(super) key: TimerKey,
}

impl Entry {
    /// Takes it out, unless it is the parent's, of which nothing is touched.
    pub(super) fn remove(self) {
        let Entry { shard, key } = self;
        if !shard.is_from_parent() {
            shard.remove_timer(key);
        }
    }
}

impl Timer {
    /// Ensures that the task is woken when the deadline, in wheel time, has come.
    #[inline]
    pub(super) fn arm(&mut self, deadline: u64, cx: &mut Context<'_>) {
        if self.entry.is_some() {
            return self.arm_again(deadline, cx);
        }
        self.place(deadline, self.slack_in_force(), cx);
    }

    /// The same for a timer that has an entry. If the task is on another thread by now, the timer
    /// goes to the shard of that one; if its slack was changed, to those of that slack.
    #[inline(never)]
    fn arm_again(&mut self, deadline: u64, cx: &mut Context<'_>) {
        let plain = self.is_plain();
        if let Some(Entry { shard, key }) = self.entry() {
            let (shard, key) = (shard.clone(), *key);
            let same_slack =
                if plain { !key.has_slack() } else { key.slack() == self.slack_in_force() };
            let moves = |here: Ref<Shard>| !std::ptr::eq(&*shard, &*here);
            if same_slack && !driver::current_shard().is_ok_and(moves) {
                return shard.refresh_timer(key, deadline, cx.waker());
            }
        }
        self.place(deadline, self.slack_in_force(), cx);
    }

    /// As [`arm`](Timer::arm), for a deadline that has come: its slack may have no end.
    #[cold]
    pub(super) fn arm_overdue(&mut self, deadline: u64, cx: &mut Context<'_>) {
        match self.slack_in_force() {
            Slack::UNSET => self.arm(deadline, cx),
            _ => self.place(deadline, Slack::ZERO, cx),
        }
    }

    /// Makes an entry here, in place of the one that there may be.
    #[inline(never)]
    fn place(&mut self, deadline: u64, slack: Slack, cx: &mut Context<'_>) {
        // The task's code, which might panic, or fork.
        let waker = cx.waker().clone();
        match driver::current_shard() {
            Ok(shard) => {
                let key = shard.insert_timer(deadline, slack, waker);
                // Last, since a waker goes with it.
                if let Some(left) = self.entry.replace(Entry { shard, key }) {
                    left.remove();
                }
            }
            Err(_) => {
                sync::pause();
                waker.wake();
            }
        }
    }

    /// The entry. One that was made before a fork is the parent's and is forgotten here.
    pub(super) fn entry(&mut self) -> Option<&Entry> {
        if self.entry.as_ref().is_some_and(|entry| entry.shard.is_from_parent()) {
            self.entry = None;
        }
        self.entry.as_ref()
    }

    /// Returns `true` if there is an entry that has still to fire.
    pub(super) fn is_scheduled(&mut self) -> bool {
        self.entry().is_some_and(|Entry { shard, key }| shard.is_timer_scheduled(*key))
    }

    /// Gives the entry up.
    pub(super) fn disarm(&mut self) {
        if let Some(entry) = self.entry.take() {
            entry.remove();
        }
    }
}
