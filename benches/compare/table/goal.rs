//! What was set out to be reached, and whether it was.

use std::fmt;

/// A goal for a ratio of this crate's figure to a peer's, or for the figure by itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    AtMost(f64),
    AtLeast(f64),
    /// Less than the peer.
    Below,
    /// Not more than the peer, of something of which there may be none.
    NotAbove,
}

impl Goal {
    /// For the figure by itself.
    pub fn met_by(self, figure: f64) -> bool {
        match self {
            Goal::AtMost(limit) => figure <= limit,
            Goal::AtLeast(limit) => figure >= limit,
            Goal::Below | Goal::NotAbove => unreachable!("these compare with a peer"),
        }
    }

    /// By the median of the ratios and the medians of the figures, this crate's first.
    pub fn met(self, ratio: f64, figures: (f64, f64)) -> bool {
        match self {
            Goal::AtMost(_) | Goal::AtLeast(_) => self.met_by(ratio),
            Goal::Below => ratio < 1.0,
            Goal::NotAbove => figures.0 <= figures.1,
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Goal::AtMost(limit) => write!(f, "≤ {limit}"),
            Goal::AtLeast(limit) => write!(f, "≥ {limit}"),
            Goal::Below => f.write_str("< 1"),
            Goal::NotAbove => f.write_str("not above"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Goal::*;

    #[test]
    fn a_limit_is_still_within_the_goal() {
        assert!(AtMost(0.9).met_by(0.9) && !AtMost(0.9).met_by(0.91));
        assert!(AtLeast(1.8).met_by(1.8) && !AtLeast(1.8).met_by(1.79));
        assert!(!Below.met(1.0, (5.0, 5.0)) && Below.met(0.99, (5.0, 5.0)));
    }

    #[test]
    fn none_is_not_above_none_although_they_have_no_ratio() {
        assert!(NotAbove.met(f64::NAN, (0.0, 0.0)));
        assert!(!NotAbove.met(f64::INFINITY, (1.0, 0.0)));
    }
}
