//! What a row of the table is: which figure is compared, and what it should come to.

use super::goal::Goal::{self, Below};
use crate::workloads::{Peer, Workload};

/// Rows of one unit that are drawn together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chart {
    Operations,
    Expiry,
    Fired,
    Lateness,
    Memory,
    Churn,
    RoundTrips,
    Echo,
    Served,
    Calls,
    Queue,
    /// Drawn over the number of timers.
    Population,
    /// Not drawn: mostly nothing.
    Not,
}

/// When a figure was taken while all processors were busy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Saturation {
    No,
    /// The workload does as much as it can.
    Always,
    /// Where another figure of the workload is above this: more came than could be done in time.
    Above(&'static str, f64),
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub work: &'static str,
    pub workload: Workload,
    /// The workload of the peers, if it is another one.
    beside: Option<Workload>,
    /// Which of the workload's figures.
    pub figure: &'static str,
    pub unit: &'static str,
    /// How many of the figure's units make one of `unit`.
    pub divisor: f64,
    pub chart: Chart,
    /// When the machine had no time left, so that the figure says what it can do at most.
    pub saturation: Saturation,
    /// The peers have no such figure.
    alone: bool,
    /// For the figure by itself.
    pub own: Option<Goal>,
    pub async_io: Option<Goal>,
    pub tokio: Option<Goal>,
    pub monoio: Option<Goal>,
}

impl Row {
    pub(super) const fn new(workload: Workload, figure: &'static str, work: &'static str) -> Row {
        Row {
            work,
            workload,
            beside: None,
            figure,
            unit: "",
            divisor: 1.0,
            chart: Chart::Not,
            saturation: Saturation::No,
            alone: false,
            own: None,
            async_io: None,
            tokio: None,
            monoio: None,
        }
    }

    /// An operation on one of so many timers.
    pub(super) const fn population(figure: &'static str, work: &'static str) -> Row {
        Row::new(Workload::ByPopulation, figure, work).unit("ns", Chart::Population)
    }

    pub(super) const fn population_1e7(figure: &'static str, work: &'static str) -> Row {
        Row::new(Workload::ByPopulation1e7, figure, work).unit("ns", Chart::Population)
    }

    /// A binary heap under a lock, which is no runtime's.
    pub(super) const fn heap(figure: &'static str, work: &'static str) -> Row {
        Row::new(Workload::UniformHeap, figure, work).unit("µs", Chart::Not)
    }

    /// An operation on a delay queue.
    pub(super) const fn queue(figure: &'static str, work: &'static str) -> Row {
        let row = Row::new(Workload::DelayQueue, figure, work).unit("ns", Chart::Queue);
        row.goal_against_tokio(Below)
    }

    pub(super) const fn unit(self, unit: &'static str, chart: Chart) -> Row {
        Row { unit, chart, ..self }
    }

    pub(super) const fn divided_by(self, divisor: f64) -> Row {
        Row { divisor, ..self }
    }

    pub(super) const fn goals(self, async_io: Goal, tokio: Goal) -> Row {
        Row { async_io: Some(async_io), tokio: Some(tokio), ..self }
    }

    pub(super) const fn goal_against_async_io(self, goal: Goal) -> Row {
        Row { async_io: Some(goal), ..self }
    }

    pub(super) const fn goal_against_monoio(self, goal: Goal) -> Row {
        Row { monoio: Some(goal), ..self }
    }

    pub(super) const fn goal_against_tokio(self, goal: Goal) -> Row {
        Row { tokio: Some(goal), ..self }
    }

    pub(super) const fn saturated(self, saturation: Saturation) -> Row {
        Row { saturation, ..self }
    }

    pub(super) const fn alone(self) -> Row {
        Row { alone: true, ..self }
    }

    pub(super) const fn beside(self, workload: Workload) -> Row {
        Row { beside: Some(workload), ..self }
    }

    pub(super) const fn own_goal(self, goal: Goal) -> Row {
        Row { own: Some(goal), ..self }
    }
}

impl Row {
    /// Whether a runtime has that figure.
    pub fn is_of(&self, peer: Peer) -> bool {
        let alone = self.alone && peer != Peer::AsyncWheel;
        // Only what is in this program is traced.
        let traced = self.is_traced() && peer.is_further();
        self.workload_of(peer).suits(peer) && !alone && !traced
    }

    /// Which workload a runtime's figure is of.
    pub fn workload_of(&self, peer: Peer) -> Workload {
        self.beside.filter(|_| peer != Peer::AsyncWheel).unwrap_or(self.workload)
    }

    /// Another figure of the same workload, as it is.
    pub fn of_figure(&self, figure: &'static str) -> Row {
        Row { figure, divisor: 1.0, ..*self }
    }

    /// The peers that it has goals against.
    pub fn goals_against(&self) -> impl Iterator<Item = (Peer, Goal)> {
        let goals = [
            (Peer::AsyncIo, self.async_io),
            (Peer::Tokio, self.tokio),
            (Peer::Monoio, self.monoio),
        ];
        goals.into_iter().filter_map(|(peer, goal)| Some((peer, goal?)))
    }

    /// Whether the figure is a rate.
    pub fn more_is_better(&self) -> bool {
        self.unit.ends_with("/s") || self.unit == "times"
    }

    /// Whether it needs strace.
    pub fn is_traced(&self) -> bool {
        self.chart == Chart::Calls
    }
}
