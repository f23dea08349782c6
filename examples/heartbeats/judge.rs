//! The bounds of the figures.

use super::text::count;

/// The figures that have bounds.
#[derive(Clone)]
pub struct Figures {
    pub beats_sent: u64,
    pub beats_answered: u64,
    /// Timers that fired early.
    pub early: u64,
    /// Connections that ended otherwise than they should.
    pub lost: u64,
    pub reply_timeouts_fired: u64,
    pub idle_fired: u64,
    /// Idle timeouts that should have fired. Only the clients know.
    pub idle_expected: Option<u64>,
    pub threads: usize,
    /// Only async-wheel has shards.
    pub shards: Option<usize>,
    /// The run was ended before its time, with beats on their way.
    pub interrupted: bool,
}

impl Figures {
    /// Returns a line that says what went wrong, and what may be the reason; `None` if all went
    /// well.
    pub fn complaint(&self) -> Option<String> {
        let Figures { beats_sent, beats_answered, early, lost, idle_fired, .. } = *self;
        let expected = self.idle_expected.unwrap_or(idle_fired);
        if early == 0
            && lost == 0
            && self.reply_timeouts_fired == 0
            && (beats_answered == beats_sent || self.interrupted)
            && idle_fired == expected
        {
            return None;
        }
        let dropped = idle_fired.saturating_sub(expected);
        let why = if early > 0 {
            "timers fired early, which must never be"
        } else if dropped > 0 {
            "the server did not hear from them within --idle; if the machine is too busy for \
             that many beats, a longer --period or --idle helps"
        } else {
            "the other side ended them, or did not answer in time"
        };
        Some(format!(
            "not all went well: {} connections lost, {} of {} beats answered, {} dropped as idle \
             that should not have been: {why}",
            count(lost),
            count(beats_answered),
            count(beats_sent),
            count(dropped),
        ))
    }

    /// Returns a line for each figure that is out of its bounds: `--check`.
    pub fn out_of_bounds(&self) -> Vec<String> {
        let Figures { beats_sent, beats_answered, idle_fired, threads, shards, .. } = *self;
        if self.interrupted {
            return vec!["the run was interrupted".to_owned()];
        }
        let expected = self.idle_expected.unwrap_or(0);
        let least = threads.min(2);
        let shards = shards.unwrap_or(least);
        [
            (beats_sent == 0, "no beat was sent".to_owned()),
            (
                beats_answered != beats_sent,
                format!("{beats_answered} of {beats_sent} beats were answered"),
            ),
            (self.early > 0, format!("{} timers fired early", self.early)),
            (self.lost > 0, format!("{} connections were lost", self.lost)),
            (expected == 0, "no client fell silent: no idle timeout was expected".to_owned()),
            (
                idle_fired != expected,
                format!("{idle_fired} idle timeouts fired, {expected} were expected"),
            ),
            (
                self.reply_timeouts_fired > 0,
                format!("{} reply timeouts fired", self.reply_timeouts_fired),
            ),
            (shards < least, format!("{shards} shards are in use by {threads} threads")),
        ]
        .into_iter()
        .filter_map(|(wrong, line)| wrong.then_some(line))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run with nothing out of bounds.
    const GOOD: Figures = Figures {
        beats_sent: 30_000,
        beats_answered: 30_000,
        early: 0,
        lost: 0,
        reply_timeouts_fired: 0,
        idle_fired: 10,
        idle_expected: Some(10),
        threads: 2,
        shards: Some(2),
        interrupted: false,
    };

    /// Asserts that a good run with this change is out of bounds, by a line that begins so.
    /// Returns the complaint.
    #[track_caller]
    fn bites(start: &str, change: impl FnOnce(&mut Figures)) -> Option<String> {
        let mut figures = GOOD.clone();
        change(&mut figures);
        let lines = figures.out_of_bounds();
        assert!(lines.len() == 1 && lines[0].starts_with(start), "{lines:?}");
        figures.complaint()
    }

    #[test]
    fn good_run_passes() {
        assert_eq!(GOOD.out_of_bounds(), Vec::<String>::new());
        assert_eq!(GOOD.complaint(), None);
        let one_thread = Figures { threads: 1, shards: Some(1), ..GOOD };
        assert_eq!(one_thread.out_of_bounds(), Vec::<String>::new());
    }

    #[test]
    fn figures_of_every_run_are_complaints() {
        let complaints = [
            bites("29999 of 30000 beats", |figures| figures.beats_answered -= 1),
            bites("1 timers fired early", |figures| figures.early = 1),
            bites("1 connections were lost", |figures| figures.lost = 1),
            bites("1 reply timeouts", |figures| figures.reply_timeouts_fired = 1),
            bites("9 idle timeouts fired, 10", |figures| figures.idle_fired = 9),
            bites("11 idle timeouts fired, 10", |figures| figures.idle_fired = 11),
        ];
        for complaint in complaints {
            assert!(complaint.unwrap().starts_with("not all went well: "));
        }
    }

    #[test]
    fn full_run_is_only_required_by_check() {
        let complaints = [
            bites("no beat was sent", |figures| {
                (figures.beats_sent, figures.beats_answered) = (0, 0);
            }),
            bites("no client fell silent", |figures| {
                (figures.idle_fired, figures.idle_expected) = (0, Some(0));
            }),
            bites("1 shards are in use by 2", |figures| figures.shards = Some(1)),
        ];
        assert_eq!(complaints, [None, None, None]);
    }

    #[test]
    fn interrupted_run_may_have_unanswered_beats() {
        let complaint = bites("the run was interrupted", |figures| {
            (figures.interrupted, figures.idle_expected) = (true, None);
            figures.beats_answered -= 1;
        });
        assert_eq!(complaint, None);
    }
}
