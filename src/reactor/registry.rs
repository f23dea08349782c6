//! Which descriptor is registered with which shard.
//!
//! Each shard has a poller of its own, which knows only what is registered with itself. To
//! the user there is one reactor, where registering a descriptor twice is an error. The
//! registry does not judge that itself: it sends a descriptor that it knows to the shard where
//! it is, and the system there says whether it still is. It is not if somebody closed it behind
//! our back, and the number was used again: then the source that was known by the number is
//! stale from the moment of the new registration ([`Source::succeed`]).

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use super::table::{Numbers, give_back};
use super::{Place, Shard, Source};
use crate::sync::{Mutex, Ref, catch_panic};
use crate::sys::{Identity, Raw, Registration};

/// Parts with a lock each, so that threads that open and close connections meet rarely. A
/// power of two.
const PARTS: usize = 16;

#[derive(Debug)]
pub(super) struct Registry {
    /// The source that each number was registered for last, until that ends.
    parts: [Mutex<HashMap<Raw, Arc<Source>, Numbers>>; PARTS],
}

impl Registry {
    pub(super) fn new() -> Registry {
        Registry { parts: std::array::from_fn(|_| Mutex::new(HashMap::default())) }
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
        let Some(predecessor) = part.get(&raw) else {
            let source = Shard::register(shard, registration)?;
            part.insert(raw, source.clone());
            return Ok(source);
        };
        let mut wakers = Vec::new();
        let source = Arc::new(Source::new(registration, Identity::UNKNOWN));
        while !Shard::register_successor(shard, predecessor, &source, &mut wakers)? {}
        let predecessor = part.insert(raw, source.clone());
        drop(part);
        // Those who wait for it get an error. A panic of one concerns no other.
        wakers.into_iter().for_each(|waker| catch_panic(|| waker.wake()));
        drop(predecessor);
        Ok(source)
    }

    /// Notes a source that its first wait will register, of what the system has just given a
    /// number: whoever was known by that is stale.
    pub(super) fn adopt(&self, registration: Registration, identity: Identity) -> Arc<Source> {
        let source = Arc::new(Source::new(registration, identity));
        let Some(raw) = source.registration().raw() else {
            return source;
        };
        let mut wakers = Vec::new();
        let mut part = self.parts[raw % PARTS].lock();
        let predecessor = part.insert(raw, source.clone());
        if let Some(Place { shard, key }) = predecessor.as_ref().and_then(|p| p.end(&mut wakers)) {
            // Its last wait may have registered what has the number now.
            let _ = source.registration().delete(shard.poller());
            shard.forget(key);
        }
        drop(part);
        wakers.into_iter().for_each(|waker| catch_panic(|| waker.wake()));
        drop(predecessor);
        source
    }

    pub(super) fn deregister(&self, source: &Source) -> io::Result<()> {
        if source.is_from_parent() {
            // The registration is the parent's, who may still need it.
            return Ok(());
        }
        let leave = || match source.leave_place() {
            Some(Place { shard, key }) => shard.deregister(source, key),
            None => Ok(()),
        };
        let Some(raw) = source.registration().raw() else {
            return leave();
        };
        let mut part = self.parts[raw % PARTS].lock();
        if part.get(&raw).is_some_and(|known| std::ptr::eq(&**known, source)) {
            let known = part.remove(&raw);
            give_back(&mut part);
            let result = leave();
            drop(part);
            drop(known);
            return result;
        }
        // It is stale: the registration that its number has by now is not its own to end.
        Ok(())
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::reactor::Settings;

    use crate::handoff::Unparker;
    use crate::sys::{Poller, Polls};

    fn shard(index: usize) -> Ref<Shard> {
        let poller = crate::sync::share(Poller::new().unwrap());
        let unparker = crate::sync::share(Unparker::new(poller.clone()));
        crate::sync::share(Shard::new(index, poller, unparker, &Settings::default()))
    }

    /// The index of a source's shard, and its key there.
    fn place(source: &Source) -> (usize, usize) {
        let Place { shard, key } = source.place().unwrap();
        (shard.index(), key)
    }

    /// Keys are counted by each shard for itself.
    #[test]
    fn stale_source_does_not_own_equal_key() {
        let (stream, _peer) = std::os::unix::net::UnixStream::pair().unwrap();
        let stream = crate::Async::new(stream).unwrap();
        let registration = *stream.source().registration();
        let (first, second) = (shard(0), shard(1));
        let registry = Registry::new();
        let stale = registry.register(&first, registration).unwrap();
        let stale_key = place(&stale).1;
        // As if the descriptor had been closed: the poller does not know it any more.
        registration.delete(first.poller()).unwrap();
        let successor = registry.register(&second, registration).unwrap();
        assert_eq!(place(&successor).0, 0, "where the number was");
        registry.deregister(&successor).unwrap();
        let third = registry.register(&second, registration).unwrap();
        assert_eq!(place(&third), (1, stale_key));
        registry.deregister(&stale).unwrap();
        for shard in [&first, &second] {
            let again = registry.register(shard, registration).unwrap_err();
            assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        }
        registry.deregister(&third).unwrap();
        assert_eq!((first.source_count(), second.source_count()), (0, 0));
    }

    #[test]
    fn registry_shrinks_after_a_crowd_has_gone() {
        let (stream, _peer) = std::os::unix::net::UnixStream::pair().unwrap();
        let stream = crate::Async::new(stream).unwrap();
        let registration = *stream.source().registration();
        let shard = shard(0);
        let registry = Registry::new();
        let source = registry.register(&shard, registration).unwrap();
        let raw = registration.raw().unwrap();
        let part = || registry.parts[raw % PARTS].lock();
        part().extend((1..10_000).map(|other| (raw + other * PARTS, source.clone())));
        part().retain(|other, _| *other == raw);
        assert!(part().capacity() >= 10_000);
        registry.deregister(&source).unwrap();
        assert!(part().is_empty() && part().capacity() <= 64, "{}", part().capacity());
    }
}
