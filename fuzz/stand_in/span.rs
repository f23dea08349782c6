//! Spans of time, from nothing to more than a clock can count.

use std::time::{Duration, Instant};

use arbitrary::Arbitrary;

use crate::clock::{self, NEVER};

#[derive(Clone, Copy, Debug, Arbitrary)]
pub(crate) enum Span {
    Nothing,
    Nanos(u8),
    Micros(u8),
    /// A quarter of a millisecond each: of higher levels of the wheel.
    Longer(u8),
    Minutes(u8),
    /// A power of two, or a little less or more.
    Power {
        exponent: u8,
        nudge: i8,
    },
    /// About what wheel time can hold.
    Centuries(u8),
    Max,
}

impl Span {
    pub(crate) fn duration(self) -> Duration {
        match self {
            Span::Nothing => Duration::ZERO,
            Span::Nanos(time) => Duration::from_nanos(time.into()),
            Span::Micros(time) => Duration::from_nanos(u64::from(time) * 1_177),
            Span::Longer(time) => Duration::from_micros(u64::from(time) * 250),
            Span::Minutes(time) => Duration::from_secs(60 * (1 + u64::from(time))),
            Span::Power { exponent, nudge } => {
                let power = 1_u64 << (exponent % 64);
                Duration::from_nanos(power.saturating_add_signed(nudge.into()))
            }
            Span::Centuries(less) => {
                Duration::from_nanos(u64::MAX - 247) + Duration::from_nanos(less.into())
            }
            Span::Max => Duration::MAX,
        }
    }

    /// An instant at this distance, or none if the clock cannot count to it.
    pub(crate) fn away(self, past: bool) -> Option<Instant> {
        let now = clock::now();
        if past { now.checked_sub(self.duration()) } else { now.checked_add(self.duration()) }
    }

    /// Lets it pass, but not to the end of time.
    pub(crate) fn pass(self) {
        let most = NEVER / 2 - clock::wheel_now().min(NEVER / 2);
        clock::pass(clock::saturating_nanos(self.duration()).min(most));
    }
}
