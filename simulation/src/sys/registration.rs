//! The registration of a modelled file.

#[path = "../../../loom-tests/shared/registration.rs"]
mod shared;

use std::io;

use super::Poller;
use super::kernel::{self, Home};
use crate::check::{self, Property};
use crate::plan::Fault;
use crate::world;

pub(crate) type Raw = usize;

pub(crate) use shared::Registration;

impl Registration {
    pub(crate) fn add(&self, poller: &Poller, key: usize) -> io::Result<()> {
        world::switch();
        if world::inject(Fault::AddFails) {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        kernel::with(|kernel| {
            let Some(file) = kernel.files.get_mut(&self.number) else {
                return Err(io::ErrorKind::NotFound.into());
            };
            if file.home.is_some_and(|home| home.poller == poller.0) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            if let Some(home) = file.home {
                check::fail(Property::ASourceIsThere, || {
                    format!("file {} is registered twice: {home:?}", self.number)
                });
            }
            let home = Home { poller: poller.0, key, read: false, write: false, queued: false };
            file.home = Some(home);
            file.was_registered = true;
            kernel.pollers[poller.0].here.insert(key, self.number);
            Ok(())
        })
    }

    pub(crate) fn modify(&self, poller: &Poller, key: usize, armed: [bool; 2]) -> io::Result<()> {
        let [readable, writable] = armed;
        world::switch();
        if world::inject(Fault::ModifyFails) {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        let up = kernel::with(|kernel| -> Option<io::Result<_>> {
            let file = kernel.files.get_mut(&self.number)?;
            if !file.was_registered {
                // It has the number of one that was closed, whose source is not stale yet.
                return Some(Err(io::ErrorKind::NotFound.into()));
            }
            let ready = (readable && file.is_readable()) || (writable && file.room > 0);
            let home =
                file.home.as_mut().filter(|home| (home.poller, home.key) == (poller.0, key))?;
            (home.read, home.write) = (readable, writable);
            Some(Ok(if ready { kernel.queue(self.number) } else { Vec::new() }))
        });
        let Some(up) = up else {
            check::fail(Property::ASourceIsThere, || {
                format!("the interest of file {}, key {key}, which is not registered", self.number)
            });
        };
        up?.into_iter().for_each(|sleeper| sleeper.wake());
        Ok(())
    }

    pub(crate) fn delete(&self, poller: &Poller) -> io::Result<()> {
        world::switch();
        let there = kernel::with(|kernel| {
            let file = kernel.files.get_mut(&self.number)?;
            let home = file.home.filter(|home| home.poller == poller.0)?;
            file.home = None;
            kernel.forget(home.poller, home.key);
            Some(())
        });
        if there.is_none() {
            check::fail(Property::ASourceIsThere, || {
                format!("the end of file {}, which is not registered there", self.number)
            });
        }
        Ok(())
    }
}

/// The events that were reported for a source, in each direction.
pub(crate) fn reported(poller: &Poller, key: usize) -> [usize; 2] {
    kernel::with(|kernel| kernel.pollers[poller.0].reported.get(&key).copied().unwrap_or_default())
}
