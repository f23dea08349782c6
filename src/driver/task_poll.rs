//! Which poll of a `block_on` call's future a thread is in: what one poll does can be told from
//! what the next one does.

use std::cell::Cell;

/// A poll of a `block_on` call's future, or the time outside any.
///
/// Sixty-three polls in a row have different numbers, then they start anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TaskPoll(u8);

thread_local! {
    static CURRENT: Cell<TaskPoll> = const { Cell::new(TaskPoll::NONE) };
    static LAST: Cell<TaskPoll> = const { Cell::new(TaskPoll(0)) };
}

impl TaskPoll {
    /// How many numbers there are.
    pub(crate) const COUNT: u64 = 64;

    /// Outside any call.
    const NONE: TaskPoll = TaskPoll(Self::COUNT as u8 - 1);

    pub(crate) fn from_number(number: u64) -> TaskPoll {
        debug_assert!(number < Self::COUNT);
        TaskPoll(number as u8)
    }

    pub(crate) fn number(self) -> u64 {
        self.0.into()
    }

    /// Returns the poll that this thread is in.
    pub(crate) fn current() -> TaskPoll {
        CURRENT.try_with(Cell::get).unwrap_or(TaskPoll::NONE)
    }

    /// Returns `true` if this thread is in another poll by now, or if it was in none.
    pub(crate) fn is_over(self) -> bool {
        self == TaskPoll::NONE || self != TaskPoll::current()
    }

    /// Begins a poll on this thread, which ends when the guard is dropped.
    pub(crate) fn begin() -> During {
        let next = |last: TaskPoll| TaskPoll((last.0 + 1) % TaskPoll::NONE.0);
        let begin = |last: &Cell<TaskPoll>| {
            last.set(next(last.get()));
            last.get()
        };
        let poll = LAST.try_with(begin).unwrap_or(TaskPoll::NONE);
        During(CURRENT.try_with(|current| current.replace(poll)).unwrap_or(TaskPoll::NONE))
    }
}

/// As long as this exists, the thread is in a poll. Holds the poll around it, of another call.
#[derive(Debug)]
pub(crate) struct During(TaskPoll);

impl Drop for During {
    fn drop(&mut self) {
        // A thread that has no locals any more is in no poll.
        let _ = CURRENT.try_with(|current| current.set(self.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polls_in_a_row_differ() {
        assert!(TaskPoll::current().is_over(), "outside any poll");
        let mut last = TaskPoll::NONE;
        for _ in 0..200 {
            let _during = TaskPoll::begin();
            let current = TaskPoll::current();
            assert!(!current.is_over() && last.is_over() && current != last);
            last = current;
        }
        assert_eq!(TaskPoll::current(), TaskPoll::NONE);
    }

    #[test]
    fn nested_poll_does_not_end_the_outer() {
        let _outer = TaskPoll::begin();
        let outer = TaskPoll::current();
        {
            let _inner = TaskPoll::begin();
            assert!(outer.is_over());
        }
        assert!(!outer.is_over());
    }
}
