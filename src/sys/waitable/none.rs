//! Systems on which all that can be waited for is descriptors.

use std::io;

use crate::sys::registration::Raw;

/// There is no such thing here.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Waitable {}

impl Waitable {
    pub(crate) fn raw(self) -> Option<Raw> {
        match self {}
    }

    pub(crate) fn add(self, _: &polling::Poller, _: polling::Event) -> io::Result<()> {
        match self {}
    }

    pub(crate) fn modify(self, _: &polling::Poller, _: polling::Event) -> io::Result<()> {
        match self {}
    }

    pub(crate) fn delete(self, _: &polling::Poller) -> io::Result<()> {
        match self {}
    }
}
