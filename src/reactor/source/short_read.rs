//! What is known of a stream without asking the system: that the last read emptied it.
//!
//! A read that returns less than it was asked for has taken all there was. Until the next event
//! another read would say `WouldBlock`, so it need not be made; epoll(7) recommends this to
//! whoever uses edge-triggered interest. The knowledge is bound to the tick before the read: with
//! the next event it is void by itself.
//!
//! It does not hold where a read stops short for another reason: at urgent data, or at the end
//! of the stream, which is there to be read as well. Both come with an event that says so, and
//! from then on short reads of that source tell nothing.
//!
//! A read that is left out answers by what the poller has reported. What has come since is found
//! with its event, which is a round of the shard's away, and not by the read itself.
//!
//! Some cases come without an event: urgent data that was taken out with `MSG_OOB` before the
//! poller saw it, a low-water mark (`SO_RCVLOWAT`) above one, a socket whose records the kernel
//! decrypts (`TCP_ULP`), where a read stops at a record that is no data, and one in a sockmap.
//! There a read may wait for the next event although something is left.

use crate::sync::{AtomicUsize, Ordering};

/// Nothing is known.
const UNKNOWN: usize = 0;

/// Short reads tell nothing here.
const NEVER: usize = usize::MAX;

/// [`UNKNOWN`], [`NEVER`], or one more than the tick at which a short read emptied the source.
#[derive(Debug)]
pub(super) struct ShortRead(AtomicUsize);

impl ShortRead {
    /// For a source whose short reads tell that it is empty, as long as its poller reports nothing
    /// exceptional, or for another.
    pub(super) fn new(possible: bool) -> ShortRead {
        ShortRead(AtomicUsize::new(if possible { UNKNOWN } else { NEVER }))
    }

    /// Returns `true` if the source is known to have been emptied at this tick.
    pub(super) fn since(&self, tick: usize) -> bool {
        // Ordering: Relaxed, here and below: the word says something about the system's buffer,
        // which is true whoever found it out, and publishes nothing else. Who counts on it
        // compares the tick again under the source's lock.
        self.0.load(Ordering::Relaxed) == tick.wrapping_add(1)
    }

    /// Notes a short read that began at this tick.
    pub(super) fn note(&self, tick: usize) {
        // Ordering: Relaxed, as in `since`.
        let before = self.0.load(Ordering::Relaxed);
        if before == NEVER {
            return;
        }
        let after = tick.wrapping_add(1);
        // If another thread came between, it knows as much, or gave up, which is for good.
        // Ordering: Relaxed, as in `since`; that nothing came between, the exchange checks.
        let _ = self.0.compare_exchange(before, after, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Returns `true` if short reads tell nothing, from the beginning or by now.
    pub(super) fn is_given_up(&self) -> bool {
        // Ordering: Relaxed: asked under the source's lock, under which it is given up.
        self.0.load(Ordering::Relaxed) == NEVER
    }

    /// From now on short reads tell nothing. To be called before the event that says why is
    /// counted: who then reads and sees the old counter has that event still ahead.
    pub(super) fn give_up(&self) {
        // Ordering: Relaxed; the counter that moves after this, with Release, makes it seen by
        // who reads that with Acquire. A swap, which comes after whatever it reads in this word's
        // order of changes; whether a store does, loom leaves open.
        self.0.swap(NEVER, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_until_the_next_event() {
        let short_read = ShortRead::new(true);
        assert!(!short_read.since(0));
        short_read.note(0);
        assert!(short_read.since(0));
        assert!(!short_read.since(1));
        short_read.note(1);
        assert!(short_read.since(1));
    }

    #[test]
    fn once_given_up_it_is_never_known_again() {
        for give_up in [(|| ShortRead::new(false)) as fn() -> ShortRead, || {
            let short_read = ShortRead::new(true);
            short_read.note(0);
            short_read.give_up();
            short_read
        }] {
            let short_read = give_up();
            short_read.note(3);
            assert!(!short_read.since(3));
            assert!(!short_read.since(0));
        }
    }
}
