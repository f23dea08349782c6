//! A cache on the wheel itself: entries go when they were not used for a while.
//!
//! The wheel holds the values, and a map leads from names to the wheel's keys. The wheel knows no
//! clock, so a task sleeps until its next deadline. To use an entry only moves its deadline: a lookup
//! and a few nanoseconds, however many there are.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use async_wheel::wheel::{InstantWheel, Key};
use async_wheel::{Timer, block_on};
use futures_lite::future;

const LIFE: Duration = Duration::from_secs(1);

struct Entry {
    name: String,
    value: String,
}

struct Cache {
    keys: HashMap<String, Key>,
    entries: InstantWheel<Entry>,
}

impl Cache {
    fn new(now: Instant) -> Cache {
        Cache { keys: HashMap::new(), entries: InstantWheel::new(now) }
    }

    /// Adds an entry, or replaces it.
    fn insert(&mut self, now: Instant, name: &str, value: &str) {
        let entry = Entry { name: name.to_owned(), value: value.to_owned() };
        let key = self.entries.insert_after(now, LIFE, entry);
        if let Some(old) = self.keys.insert(name.to_owned(), key) {
            self.entries.remove(old);
        }
    }

    /// Returns a value, and prolongs its life. What is overdue is not there any more, although it
    /// may not have been expired yet.
    fn get(&mut self, now: Instant, name: &str) -> Option<&str> {
        let key = *self.keys.get(name)?;
        if self.entries.deadline(key)? <= now {
            return None;
        }
        self.entries.reschedule_after(key, now, LIFE);
        self.entries.get(key).map(|entry| entry.value.as_str())
    }

    /// Removes what is overdue, and returns the names.
    fn expire(&mut self, now: Instant) -> Vec<String> {
        let names: Vec<_> =
            self.entries.drain_expired(now).map(|(_, _, entry)| entry.name).collect();
        for name in &names {
            self.keys.remove(name);
        }
        names
    }
}

/// Removes entries as their time comes, until there are none.
///
/// It sleeps until the deadline that is next as it goes to sleep, and need not hear of others:
/// entries live equally long, so that a new one, or one that is used, comes after it.
async fn sweep(cache: &RefCell<Cache>) {
    loop {
        let next = cache.borrow().entries.next_deadline();
        let Some(next) = next else { return };
        Timer::at(next).await;
        for name in cache.borrow_mut().expire(Instant::now()) {
            println!("{name} has expired");
        }
    }
}

fn main() {
    let cache = RefCell::new(Cache::new(Instant::now()));
    let now = Instant::now();
    cache.borrow_mut().insert(now, "anna", "Paris");
    cache.borrow_mut().insert(now, "bert", "Rome");
    block_on(future::zip(sweep(&cache), async {
        for _ in 0..3 {
            Timer::after(LIFE / 2).await;
            let mut cache = cache.borrow_mut();
            match cache.get(Instant::now(), "anna") {
                Some(value) => println!("anna is used: {value}"),
                None => println!("anna is gone"),
            }
        }
    }));
    println!("the cache is empty");
}
