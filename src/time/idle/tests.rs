//! What only the inside shows: the size, and the clock to the nanosecond.

use std::task::Waker;

use super::*;
use crate::clock::manual;

const LIMIT: Duration = Duration::from_nanos(10);

fn poll(idle: &mut IdleTimeout) -> Poll<Elapsed> {
    Pin::new(idle).poll(&mut Context::from_waker(Waker::noop()))
}

/// A touch stays in one cache line, since that begins at a multiple of sixteen bytes too.
#[test]
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
fn idle_timeout_takes_thirty_two_bytes() {
    assert_eq!(size_of::<IdleTimeout>(), 32);
    assert_eq!(size_of::<LastTouch>(), align_of::<LastTouch>());
}

#[test]
fn idle_timeout_elapses_to_the_nanosecond() {
    manual::set(0);
    let mut idle = IdleTimeout::new(LIMIT);
    for at in [0, 1, 9] {
        manual::set(at);
        assert!(poll(&mut idle).is_pending(), "at {at} ns");
    }
    manual::set(10);
    assert!(poll(&mut idle).is_ready());
}

/// Whether it was polled before a touch or not, and whether its entry has fired or not.
#[test]
fn touch_counts_to_the_nanosecond() {
    for polled_at in [None, Some(0), Some(6)] {
        for touched_at in [7, 9] {
            manual::set(0);
            let mut idle = IdleTimeout::new(LIMIT);
            if let Some(at) = polled_at {
                manual::set(at);
                assert!(poll(&mut idle).is_pending());
            }
            manual::set(touched_at);
            idle.touch();
            for at in [touched_at, 10, touched_at + 9] {
                manual::set(at);
                assert!(poll(&mut idle).is_pending(), "touched at {touched_at}, polled at {at}");
            }
            manual::set(touched_at + 10);
            assert!(poll(&mut idle).is_ready(), "touched at {touched_at}");
        }
    }
}

/// The entry stays where the first poll has put it until that time comes, and goes then to where
/// the last touch has put the deadline.
#[test]
fn poll_before_old_deadline_moves_no_entry() {
    manual::set(0);
    let mut idle = IdleTimeout::new(LIMIT);
    let old = idle.deadline();
    assert!(poll(&mut idle).is_pending());
    manual::set(9);
    idle.touch();
    assert!(poll(&mut idle).is_pending());
    assert!(entry_is_at(&idle, old));
    manual::set(10);
    assert!(poll(&mut idle).is_pending());
    assert!(entry_is_at(&idle, idle.deadline()));
}

fn entry_is_at(idle: &IdleTimeout, at: Option<Instant>) -> bool {
    format!("{:?}", idle.timer.as_ref().unwrap()).contains(&format!("{at:?}"))
}

#[test]
fn limits_of_centuries_are_endless() {
    let years = |years: u64| Duration::from_secs(years * 31_556_952);
    for endless in [years(585), Duration::MAX] {
        let idle = IdleTimeout::new(endless);
        assert_eq!((idle.limit(), idle.deadline()), (Duration::MAX, None));
    }
    for limit in [Duration::ZERO, years(1), years(584), Duration::from_nanos(u64::MAX - 1)] {
        assert_eq!(IdleTimeout::new(limit).limit(), limit);
    }
}
