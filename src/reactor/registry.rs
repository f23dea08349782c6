//! Which descriptor is registered with which shard.
//!
//! Each shard has a poller of its own, which knows only what is registered with itself. To
//! the user there is one reactor, where registering a descriptor twice is an error. The
//! registry does not judge that itself: it sends a descriptor that it knows to the shard where
//! it is, and the system there says whether it still is (it is not if somebody closed it behind
//! our back, and the number was used again).

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use super::{Shard, Source};
use crate::sync::{Mutex, Ref};
use crate::sys::{Raw, Registration};

/// Parts with a lock each, so that threads that open and close connections meet rarely. A
/// power of two.
const PARTS: usize = 16;

#[derive(Debug)]
pub(super) struct Registry {
    parts: [Mutex<HashMap<Raw, Home>>; PARTS],
}

/// Where a descriptor is registered, and by which source.
#[derive(Debug)]
struct Home {
    shard: Ref<Shard>,
    key: usize,
}

impl Registry {
    pub(super) fn new() -> Registry {
        Registry { parts: std::array::from_fn(|_| Mutex::new(HashMap::new())) }
    }

    pub(super) fn register(
        &self,
        shard: &Ref<Shard>,
        registration: Registration,
    ) -> io::Result<Arc<Source>> {
        let Some(raw) = registration.raw() else {
            return Shard::register(shard, registration);
        };
        // Held across the registration: two threads may try the same descriptor at once.
        let mut part = self.parts[raw % PARTS].lock();
        let shard = part.get(&raw).map_or(shard, |home| &home.shard).clone();
        let source = Shard::register(&shard, registration)?;
        part.insert(raw, Home { shard, key: source.key() });
        Ok(source)
    }

    pub(super) fn deregister(&self, source: &Source) -> io::Result<()> {
        if source.shard().is_inherited() {
            // The registration is the parent's, who may still need it.
            return Ok(());
        }
        let Some(raw) = source.registration().raw() else {
            return source.shard().deregister(source);
        };
        let mut part = self.parts[raw % PARTS].lock();
        let ours = part.get(&raw).is_some_and(|home| {
            home.key == source.key() && home.shard.index() == source.shard().index()
        });
        if ours {
            part.remove(&raw);
            return source.shard().deregister(source);
        }
        // The descriptor was closed behind our back and its number belongs to another source
        // by now, whose registration is not ours to end.
        source.shard().forget(source);
        Ok(())
    }
}
