//! In which order timers wake. A binary of its own, with nobody in `block_on`: a single thread
//! drives then, and the order in which it wakes is the order of the wheel.

mod common;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_wheel::Timer;
use common::{MS, Wakes, eventually, poll_with, watchdog};

/// Two deadlines closer than this may come in either order.
const SLOT: Duration = Duration::from_nanos(1 << 16);

#[test]
fn a_later_deadline_never_overtakes_an_earlier_one() {
    let _watchdog = watchdog();
    let log = Arc::new(Mutex::new(Vec::new()));
    let start = Instant::now() + 30 * MS;
    // A stride that visits all of them in no order; distances from within a slot to far apart.
    let mut timers = Vec::new();
    for index in (0..2_000u64).map(|index| index * 771 % 2_000) {
        let due = start + Duration::from_nanos(index * 7_001 + index / 200 * 5_000_000);
        let log = log.clone();
        let record = Wakes::calling(move || log.lock().unwrap().push(due));
        let mut timer = Timer::at(due);
        if poll_with(&record.waker(), &mut timer).is_pending() {
            timers.push(timer);
        }
    }
    assert!(!timers.is_empty());
    eventually("all timers have woken", || log.lock().unwrap().len() == timers.len());
    let log = log.lock().unwrap();
    let mut latest = log[0];
    for due in &*log {
        assert!(*due + SLOT > latest, "{:?} too late", latest - *due);
        latest = latest.max(*due);
    }
}
