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

pub(crate) use shared::{Identity, Registration};

impl Registration {
    pub(crate) fn is_still(&self, identity: &Identity) -> bool {
        world::switch();
        let id = kernel::with(|kernel| kernel.files.get(&self.number).map(|file| file.id));
        *identity == Identity::UNKNOWN || id == Some(identity.0)
    }

    pub(crate) fn add(&self, poller: &Poller, key: usize, armed: [bool; 2]) -> io::Result<()> {
        let [read, write] = armed;
        world::switch();
        if world::inject(Fault::AddFails) {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        let up = kernel::with(|kernel| -> io::Result<_> {
            let Some(file) = kernel.files.get_mut(&self.number) else {
                return Err(io::ErrorKind::NotFound.into());
            };
            if file.homes.iter().any(|home| home.poller == poller.0) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            // With two, for the time of a move.
            if file.homes.len() > 1 {
                check::fail(Property::ASourceIsThere, || {
                    format!("file {} is registered three times: {:?}", self.number, file.homes)
                });
            }
            file.was_registered = true;
            file.homes.push(Home { poller: poller.0, key, read, write, queued: false });
            let ready = (read && file.is_readable()) || (write && file.room > 0);
            kernel.pollers[poller.0].here.insert(key, self.number);
            Ok(if ready { kernel.queue(self.number) } else { Vec::new() })
        })?;
        up.into_iter().for_each(|sleeper| sleeper.wake());
        Ok(())
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
            let [home] = &mut file.homes[..] else { return None };
            if (home.poller, home.key) != (poller.0, key) {
                return None;
            }
            (home.read, home.write) = (readable, writable);
            Some(Ok(if ready { kernel.queue(self.number) } else { Vec::new() }))
        });
        let Some(up) = up else {
            check::fail(Property::ASourceIsThere, || {
                format!(
                    "the interest of file {}, key {key}, which is not registered there only",
                    self.number
                )
            });
        };
        up?.into_iter().for_each(|sleeper| sleeper.wake());
        Ok(())
    }

    pub(crate) fn delete(&self, poller: &Poller) -> io::Result<()> {
        world::switch();
        let there = kernel::with(|kernel| {
            let file = kernel.files.get_mut(&self.number)?;
            if !file.was_registered {
                // It has the number of one that was closed, and that a poller may have had.
                return Some(Err(io::ErrorKind::NotFound.into()));
            }
            let place = file.homes.iter().position(|home| home.poller == poller.0)?;
            let home = file.homes.remove(place);
            kernel.forget(home.poller, home.key);
            Some(Ok(()))
        });
        there.unwrap_or_else(|| {
            check::fail(Property::ASourceIsThere, || {
                format!("the end of file {}, which is not registered there", self.number)
            })
        })
    }
}

/// The events that were reported for a file that is open, in each direction.
pub(crate) fn reported(number: usize) -> [usize; 2] {
    kernel::with(|kernel| kernel.files[&number].reported)
}
