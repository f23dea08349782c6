//! See `src/sys/registration.rs`: here, the number of a modelled file, in the simulation and in the
//! fuzz targets.

use super::Raw;
use crate::sys::Mobility;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Registration {
    pub(crate) number: usize,
    /// Whether interest stays, and events are edges.
    pub(crate) edge: bool,
}

/// Tells a file from others that have had its number; zero is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity(pub(crate) usize);

impl Identity {
    pub(crate) const UNKNOWN: Identity = Identity(0);
}

impl Registration {
    pub(crate) fn mobility(&self) -> Mobility {
        Mobility::Free
    }

    pub(crate) fn raw(&self) -> Option<Raw> {
        Some(self.number)
    }

    pub(crate) fn keeps_interest(&self) -> bool {
        self.edge
    }

    pub(crate) fn is_tcp(&self) -> bool {
        true
    }

    pub(crate) fn trusts_reads(&self) -> bool {
        self.edge
    }

    pub(crate) fn trusts_writes(&self) -> bool {
        self.edge
    }
}
