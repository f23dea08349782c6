//! Timers among so many others that what is set anew is written down first, and given to the wheel a
//! little later: whoever sleeps for them has to hear of it in time.

mod common;

use std::sync::{Arc, mpsc};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use async_wheel::{Timer, block_on};
use common::process::alone;
use common::{HOUR, MS, Wakes, armed, poll_with};

/// Pending besides those that are set: more than the library takes for few.
const CROWD: usize = 20_000;

const SET: usize = 300;

struct Timers {
    crowd: Vec<Timer>,
    crowds_wakes: Arc<Wakes>,
    timers: Vec<Timer>,
    wakes: Arc<Wakes>,
}

impl Timers {
    /// Arms all, in the shard of the calling thread.
    fn armed() -> Timers {
        let (crowds_wakes, wakes) = (Wakes::new(), Wakes::new());
        let arm = |count, wakes: &Arc<Wakes>| {
            let waker = wakes.waker();
            (0..count).map(|_| armed(&waker, || Timer::after(HOUR))).collect()
        };
        let (crowd, timers) = (arm(CROWD, &crowds_wakes), arm(SET, &wakes));
        Timers { crowd, crowds_wakes, timers, wakes }
    }

    /// Sets timers back and forth, far from now and at last to moments soon, by which each has to
    /// wake its task once.
    fn set_at_random(mut self) {
        let mut random = fastrand::Rng::with_seed(7);
        for round in 1..=20 {
            for _ in 0..10 * SET {
                let timer = random.choice(&mut self.timers).unwrap();
                timer.set_after(HOUR + random.u32(..1_000) * MS);
            }
            // Some are dropped, and what was written down for them leads nowhere.
            let at = random.usize(..CROWD - 10);
            for timer in &mut self.crowd[at..at + 10] {
                timer.set_after(HOUR / 2);
                *timer = armed(&self.crowds_wakes.waker(), || Timer::after(HOUR));
            }
            let dues: Vec<_> =
                self.timers.iter_mut().map(|timer| soon(timer, &mut random)).collect();
            self.wakes.wait_for(round * SET);
            assert!(self.wakes.last() >= dues.iter().max().copied(), "woken early");
            for (timer, due) in self.timers.iter_mut().zip(dues) {
                assert_eq!(poll_with(&self.wakes.waker(), timer), Poll::Ready(due));
            }
            for timer in &mut self.timers {
                timer.set_after(HOUR);
                assert!(poll_with(&self.wakes.waker(), timer).is_pending());
            }
        }
        assert_eq!(self.crowds_wakes.count(), 0);
        assert_eq!(self.wakes.count(), 20 * SET, "one for each");
    }
}

/// Sets a timer to a moment soon, and returns that.
fn soon(timer: &mut Timer, random: &mut fastrand::Rng) -> Instant {
    let due = Instant::now() + Duration::from_micros(random.u64(..20_000));
    timer.set_at(due);
    due
}

#[test]
fn crowd_of_the_fallback_thread_hears_of_each() {
    alone(|| Timers::armed().set_at_random());
}

/// The thread sleeps in its own poller, and hears of what another one sets.
#[test]
fn crowd_of_a_sleeping_thread_hears_of_each() {
    alone(|| {
        let (send, receive) = mpsc::channel();
        let (stop, stopped) = async_channel::bounded::<()>(1);
        let sleeper = thread::spawn(move || {
            block_on(async {
                send.send(Timers::armed()).unwrap();
                stopped.recv().await.unwrap_err();
            });
        });
        receive.recv().unwrap().set_at_random();
        drop(stop);
        sleeper.join().unwrap();
    });
}
