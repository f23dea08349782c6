//! How long keys are still there after their ends.
//!
//! Only the number of keys is asked for, since to ask for a key makes a server look at its end.
//! The ends are known. When `n` keys are gone, the `n` that were to go first should be: the key
//! that goes as the `n`-th is compared with the `n`-th end. If keys go in another order, the mean
//! is right all the same, and the greatest lateness is at least what is told.

use std::time::Duration;

use async_wheel::Timer;
use hdrhistogram::Histogram;

use super::connection::{Connection, Reply};
use crate::Failure;
use crate::clock;
use crate::options::LoadOptions;

/// The longest lateness that is distinguished, in microseconds: a day.
const LONGEST: u64 = 86_400_000_000;

/// What was seen of the ends of keys.
pub struct Seen {
    /// How long after its end a key was gone, in microseconds.
    pub late: Histogram<u64>,
    /// The most keys that were there at a time although their end had come.
    pub overdue: u64,
    /// The most keys that were gone at a time before their end.
    pub early: u64,
    /// The keys that are still there.
    pub left: u64,
    /// The longest time between two looks.
    pub blind: Duration,
}

impl Seen {
    fn new(keys: usize) -> Seen {
        let late = Histogram::new_with_bounds(1, LONGEST, 3).expect("good bounds");
        Seen { late, overdue: 0, early: 0, left: keys as u64, blind: Duration::ZERO }
    }

    /// Notes how many keys there were at some time from `sent` to `received`, in microseconds
    /// since 1970. `ends` are in milliseconds, sorted.
    fn note(&mut self, ends: &[u64], keys: usize, sent: u64, received: u64) {
        let ended = |micros| ends.partition_point(|end| end * 1_000 <= micros);
        let gone = ends.len().saturating_sub(keys);
        self.overdue = self.overdue.max(ended(sent).saturating_sub(gone) as u64);
        self.early = self.early.max(gone.saturating_sub(ended(received)) as u64);
        let gone_before = ends.len() - self.left as usize;
        for end in &ends[gone_before..gone.max(gone_before)] {
            self.late.saturating_record(received.saturating_sub(end * 1_000));
        }
        self.left = self.left.min(keys as u64);
    }
}

/// Looks at the number of keys until there are none. `ends` are in milliseconds since 1970,
/// sorted.
pub async fn until_gone(
    connection: &mut Connection,
    options: &LoadOptions,
    ends: &[u64],
) -> Result<Seen, Failure> {
    let mut seen = Seen::new(ends.len());
    let given_up = ends.last().map_or(0, |end| end * 1_000) + options.patience.as_micros() as u64;
    let mut before = None;
    loop {
        let sent = micros();
        let keys = connection.ask(&[b"DBSIZE"], integer).await?;
        let received = micros();
        if let Some(before) = before.replace(received) {
            seen.blind = seen.blind.max(Duration::from_micros(received.saturating_sub(before)));
        }
        seen.note(ends, keys as usize, sent, received);
        if seen.left == 0 || received > given_up {
            return Ok(seen);
        }
        Timer::after(options.step).await;
    }
}

fn micros() -> u64 {
    clock::unix().as_micros() as u64
}

fn integer(reply: Reply<'_>) -> Option<i64> {
    match reply {
        Reply::Integer(number) => Some(number),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::Seen;

    /// Hazard: a key that goes too early, or too late, is not noticed.
    #[test]
    fn ends_are_compared_with_keys_gone() {
        let ends = [10, 20, 30];
        let mut seen = Seen::new(3);
        seen.note(&ends, 3, 9_000, 9_999);
        assert_eq!((seen.left, seen.overdue, seen.early, seen.late.len()), (3, 0, 0, 0));
        // The reply may be of any time between.
        seen.note(&ends, 3, 9_999, 10_100);
        assert_eq!((seen.overdue, seen.early), (0, 0));
        seen.note(&ends, 3, 10_200, 10_300);
        assert_eq!((seen.overdue, seen.early), (1, 0));
        seen.note(&ends, 1, 25_000, 25_000);
        assert_eq!((seen.left, seen.early, seen.late.len()), (1, 0, 2));
        assert!((14_950..15_050).contains(&seen.late.max()), "{}", seen.late.max());
        assert!((4_990..5_010).contains(&seen.late.min()), "{}", seen.late.min());
        seen.note(&ends, 0, 29_000, 29_999);
        assert_eq!((seen.left, seen.overdue, seen.early), (0, 1, 1));
    }
}
