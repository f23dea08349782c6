//! The bounds of the figures.

use std::time::Duration;

use super::ledger::Totals;
use super::lives::Kind;
use super::machine::Holds;

/// What may be held at the end beyond what was held at the start. Tables grow by doubling and
/// stay, so that bytes vary; but they vary by the size of a table, and the number of blocks by
/// next to nothing, however many connections there were.
const MORE_BLOCKS: u64 = 64;
const MORE_BYTES: u64 = 1 << 20;
/// What the system's allocator keeps, beyond what is in use, is its own affair.
const MORE_RESIDENT: u64 = 16 << 20;

/// One connection in so many may be held up on a busy machine.
const FORGIVEN: u64 = 20;

/// The figures that have bounds.
#[derive(Clone)]
pub struct Figures {
    /// How many connections at a time were asked for, and the idle limit.
    pub connections: u64,
    pub idle: Duration,
    pub totals: Totals,
    /// The most connections that the server had at a time.
    pub most: u64,
    pub beats_answered: u64,
    /// Timers that fired early.
    pub early: u64,
    /// How late one beat in ten was, or later.
    pub late: Duration,
    /// How late the control thread was at most.
    pub noise: Duration,
    /// Timers and sources that the reactor still has.
    pub timers: usize,
    pub sources: usize,
    pub start: Holds,
    pub end: Holds,
}

/// Returns `true` if what is held now is as little as at the start.
pub fn is_back(start: &Holds, now: &Holds) -> bool {
    over(start, now).is_empty()
}

/// Returns what is held beyond what was held at the start.
fn over(start: &Holds, now: &Holds) -> Vec<String> {
    let resident = |holds: &Holds| holds.resident.unwrap_or(0);
    let held = [
        ("descriptors", start.descriptors.unwrap_or(0), now.descriptors.unwrap_or(0), 0),
        ("blocks of memory", start.blocks, now.blocks, MORE_BLOCKS),
        ("bytes of memory", start.bytes, now.bytes, MORE_BYTES),
        ("resident bytes", resident(start), resident(now), MORE_RESIDENT),
    ];
    held.iter()
        .filter(|(_, start, now, more)| *now > start + more)
        .map(|(what, start, now, _)| format!("{now} {what} are held, {start} were at the start"))
        .collect()
}

impl Figures {
    /// Returns a line for each figure that is out of the bounds of every run.
    pub fn complaints(&self) -> Vec<String> {
        let totals = &self.totals;
        let mut complaints = totals.words.clone();
        if !totals.balance() {
            complaints.push(format!(
                "lost: {} connected, {} accepted, {} left, {} ended at the server, {} of them \
                 accounted for by both sides",
                totals.connected, totals.accepted, totals.left, totals.ended, totals.matched,
            ));
        }
        if self.early > 0 {
            complaints.push(format!("{} timers fired early", self.early));
        }
        // Some peers are held up when the machine is, which the control thread tells, and not
        // otherwise: that beats are late is no excuse, it may be the reactor's doing.
        let limit = self.idle / 4;
        let busy = self.noise >= limit;
        let some = if busy { totals.connected / FORGIVEN } else { 0 };
        if totals.held_up() > some {
            complaints.push(format!(
                "dropped as idle though they were not, or not in time: {:?}; the control thread \
                 was late by {:?} at most",
                totals.held_up, self.noise,
            ));
        }
        if self.late >= limit && !busy {
            complaints.push(format!(
                "one beat in ten was late by {:?} or more, and the control thread by {:?} at most",
                self.late, self.noise,
            ));
        }
        if self.timers > 0 || self.sources != 1 {
            complaints.push(format!(
                "the reactor still has {} timers and {} sources, not 0 and the listener",
                self.timers, self.sources,
            ));
        }
        complaints.extend(over(&self.start, &self.end));
        complaints
    }

    /// Returns a line for each figure that shows less of a run than a full one has: `--check`.
    pub fn shortfalls(&self) -> Vec<String> {
        let (totals, wanted) = (&self.totals, self.connections);
        let mut shortfalls = Vec::new();
        if self.most < wanted - wanted / 10 {
            shortfalls.push(format!(
                "there were at most {} connections at a time, less than 90 % of {wanted}",
                self.most,
            ));
        }
        if totals.connected <= wanted {
            shortfalls.push(format!(
                "{} peers connected in all, not more than the {wanted} at a time",
                totals.connected,
            ));
        }
        for (kind, _) in Kind::ALL {
            if totals.lives(kind) == 0 {
                shortfalls.push(format!("no connection was {kind:?}"));
            }
        }
        let lives: u64 = totals.lives.values().sum();
        if lives + totals.held_up() != totals.connected {
            shortfalls.push(format!(
                "{lives} connections ended as they should and {} were held up, of {}",
                totals.held_up(),
                totals.connected,
            ));
        }
        if self.beats_answered == 0 {
            shortfalls.push("no beat was answered".to_owned());
        }
        let (before, after) = (self.start.descriptors, self.end.descriptors);
        if after < before {
            shortfalls.push(format!("{after:?} descriptors are held, {before:?} at the start"));
        }
        shortfalls
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Duration = Duration::from_millis(1_500);

    /// A run with nothing out of bounds: 100 connections at a time, 800 in all.
    fn good() -> Figures {
        let holds =
            Holds { descriptors: Some(9), blocks: 500, bytes: 1 << 20, resident: Some(8 << 20) };
        let totals = Totals {
            connected: 800,
            accepted: 800,
            left: 800,
            ended: 800,
            matched: 800,
            lives: Kind::ALL.iter().map(|(kind, _)| (*kind, 100)).collect(),
            ..Totals::default()
        };
        Figures {
            connections: 100,
            idle: IDLE,
            totals,
            most: 100,
            beats_answered: 5_000,
            early: 0,
            late: Duration::from_millis(1),
            noise: Duration::from_millis(1),
            timers: 0,
            sources: 1,
            start: holds,
            end: holds,
        }
    }

    /// Returns the lines for a good run with one change.
    fn changed(change: impl FnOnce(&mut Figures)) -> (Vec<String>, Vec<String>) {
        let mut figures = good();
        change(&mut figures);
        (figures.complaints(), figures.shortfalls())
    }

    /// Asserts that the change is one complaint, which begins so, and no shortfall.
    #[track_caller]
    fn complains(start: &str, change: impl FnOnce(&mut Figures)) {
        let (complaints, shortfalls) = changed(change);
        assert!(complaints.len() == 1 && complaints[0].starts_with(start), "{complaints:?}");
        assert!(shortfalls.is_empty(), "{shortfalls:?}");
    }

    /// Asserts that the change is one shortfall, which begins so, and no complaint.
    #[track_caller]
    fn falls_short(start: &str, change: impl FnOnce(&mut Figures)) {
        let (complaints, shortfalls) = changed(change);
        assert!(shortfalls.len() == 1 && shortfalls[0].starts_with(start), "{shortfalls:?}");
        assert!(complaints.is_empty(), "{complaints:?}");
    }

    #[track_caller]
    fn passes(change: impl FnOnce(&mut Figures)) {
        assert_eq!(changed(change), (vec![], vec![]));
    }

    /// Holds up one connection in so many of a kind that was as it should be.
    fn hold_up(figures: &mut Figures, count: u64) {
        figures.totals.held_up.insert(Kind::Orderly, count);
        *figures.totals.lives.get_mut(&Kind::Orderly).unwrap() -= count;
    }

    #[test]
    fn good_run_passes() {
        passes(|_| ());
    }

    #[test]
    fn each_side_must_account_for_all() {
        complains("lost", |figures| figures.totals.accepted -= 1);
        complains("lost", |figures| figures.totals.left -= 1);
        complains("lost", |figures| figures.totals.ended -= 1);
        complains("lost", |figures| figures.totals.matched -= 1);
    }

    #[test]
    fn complaint_of_the_ledger_is_kept() {
        complains("Orderly ended as Cut", |figures| {
            figures.totals.words.push("Orderly ended as Cut".to_owned());
        });
    }

    #[test]
    fn early_timer_is_out_of_bounds() {
        complains("1 timers fired early", |figures| figures.early = 1);
    }

    #[test]
    fn busy_machine_excuses_one_in_twenty() {
        complains("dropped as idle", |figures| hold_up(figures, 1));
        let noise = IDLE / 4;
        passes(|figures| {
            figures.noise = noise;
            hold_up(figures, 40);
        });
        complains("dropped as idle", |figures| {
            figures.noise = noise;
            hold_up(figures, 41);
        });
    }

    #[test]
    fn late_beats_are_out_of_bounds() {
        complains("one beat in ten", |figures| figures.late = IDLE / 4);
        passes(|figures| figures.late = IDLE / 4 - Duration::from_nanos(1));
        passes(|figures| (figures.late, figures.noise) = (IDLE, IDLE / 4));
    }

    #[test]
    fn timers_and_sources_must_be_gone() {
        complains("the reactor still has 1 timers", |figures| figures.timers = 1);
        complains("the reactor still has 0 timers and 2", |figures| figures.sources = 2);
        complains("the reactor still has 0 timers and 0", |figures| figures.sources = 0);
    }

    #[test]
    fn what_is_held_must_be_gone() {
        complains("10 descriptors", |figures| figures.end.descriptors = Some(10));
        passes(|figures| figures.end.blocks += MORE_BLOCKS);
        complains("565 blocks", |figures| figures.end.blocks += MORE_BLOCKS + 1);
        passes(|figures| figures.end.bytes += MORE_BYTES);
        complains("2097153 bytes", |figures| figures.end.bytes += MORE_BYTES + 1);
        let resident = |more| Some((8 << 20) + MORE_RESIDENT + more);
        passes(|figures| figures.end.resident = resident(0));
        complains("25165825 resident", |figures| figures.end.resident = resident(1));
    }

    #[test]
    fn run_must_be_as_large_as_asked() {
        passes(|figures| figures.most = 90);
        falls_short("there were at most 89", |figures| figures.most = 89);
        passes(|figures| (figures.connections, figures.most) = (799, 799));
        falls_short("800 peers connected", |figures| {
            (figures.connections, figures.most) = (800, 800);
        });
    }

    #[test]
    fn each_kind_must_be_there() {
        for (kind, _) in Kind::ALL {
            falls_short(&format!("no connection was {kind:?}"), |figures| {
                let lives = &mut figures.totals.lives;
                let moved = lives.remove(&kind).unwrap();
                *lives.values_mut().next().unwrap() += moved;
            });
        }
    }

    #[test]
    fn lives_must_add_up() {
        falls_short("799 connections ended", |figures| {
            *figures.totals.lives.get_mut(&Kind::Orderly).unwrap() -= 1;
        });
    }

    #[test]
    fn some_beat_must_be_answered() {
        falls_short("no beat", |figures| figures.beats_answered = 0);
    }

    #[test]
    fn lost_descriptor_falls_short() {
        falls_short("Some(8) descriptors", |figures| figures.end.descriptors = Some(8));
    }
}
