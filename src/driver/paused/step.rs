//! What happens next, when all threads of a pause sleep.

use std::task::Waker;
use std::time::Duration;

use super::advance::{Goal, Request};
use super::{Pause, State};
use crate::clock::{self, NEVER};
use crate::reactor::{Batch, Shard};
use crate::sys::Until;

/// What the driver does next.
pub(super) enum Step {
    /// Looks at the poller, without a wait: something has happened since the last look.
    Look,
    /// Waits for I/O, other threads, and timers that come in before `next`.
    Wait { until: Until, next: u64 },
    /// Wakes those in the batch, and these.
    Wake(Vec<Waker>),
    /// Gives up: nothing can happen any more.
    Give(String),
}

/// For how long nothing has happened.
#[derive(Debug, Default)]
pub(super) struct Idle {
    /// The state's activity at the last look at the poller.
    looked_at: Option<u64>,
    /// The wheel time, by the system's clock, since when all sleep and nothing was found.
    since: Option<u64>,
}

impl Pause {
    /// Decides what happens next. The caller is the driver, and sleeps as far as others know.
    pub(super) fn next_step(&self, state: &mut State, batch: &mut Batch, idle: &mut Idle) -> Step {
        if state.is_over {
            let next = self.shard.next_deadline();
            return Step::Wait { until: Until::deadline(next), next };
        }
        if state.awake > 0 {
            // The last one that goes to sleep notifies the poller. Until then, only what is due now
            // fires.
            *idle = Idle::default();
            let next = clock::wheel_now().saturating_add(1);
            return Step::Wait { until: Until::Notified, next };
        }
        if idle.looked_at != Some(state.activity) {
            *idle = Idle { looked_at: Some(state.activity), since: None };
            return Step::Look;
        }
        let next = self.shard.next_deadline();
        let reached = state.take_reached(clock::wheel_now());
        if !reached.is_empty() {
            return Step::Wake(reached);
        }
        let now = clock::system_wheel_now();
        let since = *idle.since.get_or_insert(now);
        let end = |patience: Duration| since.saturating_add(clock::saturating_nanos(patience));
        let is_asked = state.advances.iter().any(Request::is_open);
        let grace = state.grace.filter(|_| state.holds == 0);
        if !is_asked && next != NEVER {
            // Time could move by itself.
            let until = grace.map(end).filter(|end| now < *end);
            if let Some(until) = until.filter(|_| self.shard.is_io_waited_for()) {
                return Step::Wait { until: Until::deadline(until), next };
            }
        }
        if is_asked || grace.is_some() {
            if let Some(step) = self.move_time(state, batch) {
                return step;
            }
        }
        let until = end(state.patience);
        if now < until {
            return Step::Wait { until: Until::deadline(until), next };
        }
        Step::Give(message(state, &self.shard, next))
    }

    /// Moves the clock to the next deadline, or to where it is asked to go if that is nearer.
    /// `None`: there is none.
    fn move_time(&self, state: &mut State, batch: &mut Batch) -> Option<Step> {
        let target = state.advances.iter().filter_map(Request::target).min();
        let Ok(driving) = self.shard.try_acquire() else {
            return Some(Step::Look);
        };
        let limit = target.unwrap_or(NEVER - 1);
        let fired = driving.fire_next(limit, batch, &self.order);
        driving.release();
        if let Some(at) = fired {
            Pause::set_clock(state.scope, at.max(clock::wheel_now()));
            state.advances.iter_mut().for_each(Request::note_deadline);
            return Some(Step::Wake(Vec::new()));
        }
        if let Some(target) = target {
            Pause::set_clock(state.scope, target);
            return Some(Step::Wake(state.take_reached(target)));
        }
        let without_deadline = state.take_those_without_deadline();
        (!without_deadline.is_empty()).then_some(Step::Wake(without_deadline))
    }
}

/// Says why nothing can happen any more.
fn message(state: &State, shard: &Shard, next: u64) -> String {
    let (timers, sources) = (shard.timer_count(), shard.sources_waited_for());
    let until_next = match next.checked_sub(clock::wheel_now()) {
        Some(left) if next != NEVER => format!("the next due in {:?}", Duration::from_nanos(left)),
        _ => "none with a deadline".to_owned(),
    };
    let clock = match state.grace {
        Some(_) if state.holds > 0 => "time moves by itself, and is held",
        Some(_) => "time moves by itself",
        None => "time moves by hand only, and nobody moves it",
    };
    format!(
        "nothing can happen any more: all tasks wait, and for {:?} there was no I/O and no wake by \
         another thread; {clock}; timers that wait: {timers}, {until_next}; sources waited for: {}; \
         calls of `block_on` that sleep: {}",
        state.patience,
        if sources.is_empty() { "none".to_owned() } else { sources.join(", ") },
        state.calls.len(),
    )
}

impl Goal {
    /// Returns `true` if it is reached at this time, when all tasks are at rest.
    pub(super) fn is_reached(self, now: u64) -> bool {
        match self {
            Goal::At(target) => target <= now,
            Goal::NextDeadline => false,
            Goal::Rest(_) => true,
        }
    }
}
