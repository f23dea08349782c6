//! A modelled poller: a notification that stays until a wait finds it, a list of what may be
//! ready, and a link to the poller of pollers. As with epoll, what is on the list is looked at
//! again before it is reported. Faults: waits that fail or end early, events that nothing made,
//! that come later than others, or for keys that are gone.

use std::io;

use super::kernel::{self, Home, Kernel, Link, PollerState, Ready};
use super::{Event, Events, Polls, Until};
use crate::check::{self, Property};
use crate::plan::Fault;
use crate::world::{self, NEVER, Sleeper};

#[derive(Debug)]
pub(crate) struct Poller(pub(super) usize);

impl Polls for Poller {
    fn new() -> io::Result<Poller> {
        if world::inject(Fault::PollerFails) {
            world::delay(1_000_000);
            return Err(io::Error::other("no descriptors left"));
        }
        kernel::with(|kernel| {
            kernel.pollers.push(PollerState {
                notified: false,
                ready: Vec::new(),
                sleeper: Sleeper::new(),
                waits: false,
                link: None,
                gone: Vec::new(),
                here: Default::default(),
                is_root: false,
                deadline: NEVER,
                shown: None,
                shown_in: None,
                is_watched: false,
            });
            Ok(Poller(kernel.pollers.len() - 1))
        })
    }

    fn wait(&self, events: &mut Events, until: Until) -> io::Result<()> {
        events.clear();
        world::switch();
        if kernel::with(|kernel| kernel.pollers[self.0].shown.is_some()) {
            // The overview, of which somebody takes the notification.
            kernel::with(|kernel| kernel.pollers[self.0].notified = false);
            return Ok(());
        }
        self.must_be_held();
        world::local(|local| local.rounds += usize::from(local.nested == 0));
        world::effort();
        kernel::with(|kernel| kernel.pollers[self.0].waits = true);
        let result = self.wait_as_it_is(events, until);
        kernel::with(|kernel| kernel.pollers[self.0].waits = false);
        if !events.0.is_empty() {
            world::progress();
        }
        self.panic_in_the_fallback();
        result
    }

    fn notify(&self) {
        world::switch();
        let up = kernel::with(|kernel| {
            kernel.pollers[self.0].notified = true;
            kernel.tell(self.0)
        });
        up.into_iter().for_each(|sleeper| sleeper.wake());
    }

    fn set_deadline(&self, deadline: u64) -> io::Result<()> {
        world::switch();
        let up = kernel::with(|kernel| {
            kernel.pollers[self.0].deadline = deadline;
            kernel.tell(self.0)
        });
        up.into_iter().for_each(|sleeper| sleeper.wake());
        Ok(())
    }

    fn reports_exceptions(&self) -> bool {
        true
    }

    fn add_poller(&self, other: &Poller, key: usize) -> io::Result<()> {
        if world::inject(Fault::AddFails) {
            world::delay(1_000_000);
            return Err(io::Error::other("no memory for a registration"));
        }
        kernel::with(|kernel| {
            kernel.pollers[self.0].is_root = true;
            let link = Link { parent: self.0, key, armed: false, queued: false };
            kernel.pollers[other.0].link = Some(link);
        });
        Ok(())
    }

    fn arm_poller(&self, other: &Poller, key: usize) -> io::Result<()> {
        world::switch();
        if world::inject(Fault::ArmFails) {
            world::delay(8_000_000);
            world::progress();
            return Err(io::Error::other("no memory for a registration"));
        }
        let up = kernel::with(|kernel| {
            let child = &mut kernel.pollers[other.0];
            let link =
                child.link.get_or_insert(Link { parent: self.0, key, armed: false, queued: false });
            link.armed = true;
            if child.is_ready() { kernel.tell(other.0) } else { Vec::new() }
        });
        up.into_iter().for_each(|sleeper| sleeper.wake());
        Ok(())
    }

    fn remove_poller(&self, other: &Poller) {
        world::switch();
        kernel::with(|kernel| {
            kernel.pollers[other.0].link = None;
            kernel.pollers[self.0].ready.retain(|ready| *ready != Ready::Poller(other.0));
        });
    }

    fn show_poller(&self, other: &Poller, _: usize) -> io::Result<()> {
        kernel::with(|kernel| {
            kernel.pollers[self.0].shown = Some(other.0);
            kernel.pollers[other.0].shown_in = Some(self.0);
        });
        Ok(())
    }
}

impl Poller {
    /// Begins to poll the descriptor, which one thread at a time does. Returns `false` if another
    /// does.
    pub(crate) fn begin_to_watch(&self) -> bool {
        kernel::with(|kernel| !std::mem::replace(&mut kernel.pollers[self.0].is_watched, true))
    }

    pub(crate) fn end_to_watch(&self) {
        kernel::with(|kernel| kernel.pollers[self.0].is_watched = false);
    }

    /// Waits until it is notified or what it shows is ready, and takes nothing away.
    pub(crate) fn watch(&self) {
        loop {
            world::switch();
            let sleep = kernel::with(|kernel| {
                let poller = &kernel.pollers[self.0];
                let shown = &kernel.pollers[poller.shown.expect("it shows a shard's poller")];
                let is_ready = poller.notified || shown.is_ready();
                (!is_ready).then(|| (poller.sleeper.clone(), shown.deadline))
            });
            let Some((sleeper, deadline)) = sleep else { return };
            sleeper.sleep_until(deadline, || {});
        }
    }

    /// As a subscriber of `tracing` may, in a poller of the crate `polling`. The poller of pollers
    /// has given away by then what had been ready.
    fn panic_in_the_fallback(&self) {
        let is_root = kernel::with(|kernel| kernel.pollers[self.0].is_root);
        if is_root && world::inject(Fault::StepPanics) {
            world::delay(10_000_000);
            std::panic::resume_unwind(Box::new(crate::sync::Injected));
        }
    }

    fn must_be_held(&self) {
        let (waits, is_root) = kernel::with(|kernel| {
            let poller = &kernel.pollers[self.0];
            (poller.waits, poller.is_root)
        });
        let seats = world::local(|local| local.seats.len());
        if waits || seats != usize::from(!is_root) {
            check::fail(Property::ThePollerIsHeld, || {
                format!("poller {}, {seats} seats held, waited in already: {waits}", self.0)
            });
        }
        let locks = world::local(|local| local.locks);
        if locks > 0 && !is_root {
            check::fail(Property::ThePollerIsHeld, || format!("{locks} locks held in a wait"));
        }
    }

    fn wait_as_it_is(&self, events: &mut Events, until: Until) -> io::Result<()> {
        if world::inject(Fault::WaitFails) {
            // The caller pauses, or looks again.
            world::progress();
            return Err(io::Error::other("the wait failed"));
        }
        if world::inject(Fault::WaitInterrupted) {
            world::progress();
            return Ok(());
        }
        let deadline = match until {
            Until::Now => 0,
            Until::At(deadline) => deadline,
            Until::Notified => NEVER,
        };
        loop {
            self.collect(events);
            // With what was left for the next wait, this one ends as well, if with nothing.
            let is_over = kernel::with(|kernel| {
                let poller = &mut kernel.pollers[self.0];
                let is_due = poller.deadline <= world::now();
                if is_due {
                    poller.deadline = NEVER;
                }
                std::mem::take(&mut poller.notified) | !poller.ready.is_empty() | is_due
            });
            if is_over || !events.0.is_empty() || world::now() >= deadline {
                return Ok(());
            }
            let (sleeper, shown) = kernel::with(|kernel| {
                let poller = &kernel.pollers[self.0];
                (poller.sleeper.clone(), poller.deadline)
            });
            sleeper.sleep_until(deadline.min(shown), || {});
        }
    }

    /// Reports what is ready, and what is not if such faults come.
    fn collect(&self, events: &mut Events) {
        let late = world::inject(Fault::LateEvent);
        let spurious = world::inject(Fault::SpuriousEvent).then(|| world::below(1 << 30) as usize);
        let gone = world::inject(Fault::GoneEvent).then(|| world::below(1 << 30) as usize);
        kernel::with(|kernel| {
            let mut ready = std::mem::take(&mut kernel.pollers[self.0].ready);
            // The later half is left for the next wait.
            let keep = if late { ready.len().div_ceil(2) } else { ready.len() };
            kernel.pollers[self.0].ready = ready.split_off(keep);
            for ready in ready {
                events.0.extend(kernel.report(self.0, ready));
            }
            if let Some(number) = spurious {
                events.0.extend(kernel.spurious(self.0, number));
            }
            let poller = &kernel.pollers[self.0];
            let is_root = poller.is_root;
            if !is_root {
                // That of a key that is gone, which comes next, is no source's.
                for event in &events.0 {
                    let file = poller.here.get(&event.key);
                    let Some(file) = file.and_then(|file| kernel.files.get_mut(file)) else {
                        continue;
                    };
                    file.reported[0] += usize::from(event.readable);
                    file.reported[1] += usize::from(event.writable);
                }
            }
            if let Some(number) = gone.filter(|_| !poller.gone.is_empty()) {
                let key = poller.gone[number % poller.gone.len()];
                events.0.push(Event { key, readable: true, writable: true, exceptional: false });
            }
            if !is_root {
                world::with(|world| world.source_events += events.0.len() as u64);
            }
        });
    }
}

impl PollerState {
    pub(super) fn is_ready(&self) -> bool {
        self.notified || !self.ready.is_empty() || self.deadline <= world::now()
    }
}

impl Kernel {
    /// What is on the list, if it is still ready.
    fn report(&mut self, poller: usize, ready: Ready) -> Option<Event> {
        match ready {
            Ready::File(number) => {
                let file = self.files.get_mut(&number)?;
                let readable = file.is_readable();
                let (room, ended) = (file.room > 0, file.ended);
                let home = file.homes.iter_mut().find(|home| home.poller == poller)?;
                home.queued = false;
                let (readable, writable) = (home.read && readable, home.write && room);
                if !readable && !writable {
                    return None;
                }
                if !file.edge {
                    (home.read, home.write) = (false, false);
                }
                let exceptional = readable && ended;
                Some(Event { key: home.key, readable, writable, exceptional })
            }
            Ready::Poller(index) => {
                let poller = &mut self.pollers[index];
                let is_ready = poller.is_ready();
                let link = poller.link.as_mut()?;
                link.queued = false;
                if !is_ready || !link.armed {
                    return None;
                }
                link.armed = false;
                let key = link.key;
                Some(Event { key, readable: true, writable: false, exceptional: false })
            }
        }
    }

    /// An event that nothing made, of some source that is registered.
    fn spurious(&mut self, poller: usize, number: usize) -> Option<Event> {
        let here = &self.pollers[poller].here;
        let mut keys: Vec<_> = here.iter().map(|(key, file)| (*key, *file)).collect();
        keys.sort_unstable();
        let (key, file) = *keys.get(number % keys.len().max(1))?;
        let file = self.files.get_mut(&file)?;
        let is_it = |home: &&mut Home| home.key == key && home.poller == poller;
        let home = file.homes.iter_mut().find(is_it)?;
        let (readable, writable) = (home.read, home.write);
        if !file.edge {
            (home.read, home.write) = (false, false);
        }
        let event = Event { key, readable, writable, exceptional: false };
        (readable || writable).then_some(event)
    }
}
