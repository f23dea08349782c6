//! Timers and I/O of async-wheel in a main loop of GLib's, with no thread beside it.

#[path = "../../../examples/event_loops/work.rs"]
mod work;

use std::cell::Cell;
use std::io;
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::time::Duration;

use async_wheel::{Builder, driver, os::unix::reactor_fd};
use glib::{ControlFlow, IOCondition, MainContext, MainLoop};

fn main() -> io::Result<()> {
    Builder::new().fallback_thread(false).build()?;
    let reactor = reactor_fd().ok_or(io::ErrorKind::Unsupported)?;
    let main_loop = MainLoop::new(None, false);
    let result = Rc::new(Cell::new(Ok(())));
    let end = {
        let (main_loop, result) = (main_loop.clone(), result.clone());
        move |outcome| {
            result.set(outcome);
            main_loop.quit();
        }
    };
    // Readable as long as something is left, so that one round a turn of the loop is enough.
    glib::unix_fd_add_local(reactor.as_raw_fd(), IOCondition::IN, {
        let end = end.clone();
        move |_, _| match driver::drive(Some(Duration::ZERO)) {
            Ok(_) => ControlFlow::Continue,
            Err(error) => {
                end(Err(error));
                ControlFlow::Break
            }
        }
    });
    // GLib's own executor, whose wakers end the sleep of its loop.
    MainContext::default().spawn_local(async move { end(work::work().await) });
    main_loop.run();
    result.replace(Ok(()))
}
