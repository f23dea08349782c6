//! The terminal: taken, drawn on, and given back.

use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Instant;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::crossterm::terminal;

use crate::load::Load;
use crate::options::{Options, Panic};
use crate::panics;
use crate::samples::Samples;
use crate::view::{self, Facts};
use crate::{End, Failure, PANIC, SLICE};

/// The terminal while it is ours. Dropping it gives it back. A panic of whichever thread gives it back,
/// too, before it is reported: by the hook that `ratatui::try_init` installs.
struct Screen(DefaultTerminal);

impl Screen {
    fn take() -> io::Result<Screen> {
        // Nothing was changed if this fails, as it does without a terminal to read from.
        terminal::enable_raw_mode()?;
        let screen = ratatui::try_init().map(Screen).inspect_err(|_| {
            let _ = ratatui::try_restore();
        })?;
        // Before the hook gives the terminal back, so that nothing is drawn any more.
        panics::note();
        Ok(screen)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if panics::any() {
            panics::wait_for_report();
        } else {
            let _ = ratatui::try_restore();
        }
        let _ = self.0.show_cursor();
    }
}

/// Shows the metrics until the end, or until the user has seen enough.
pub fn show(options: &Options, load: &Load, end: &End) -> Result<(), Failure> {
    let mut screen = Screen::take().map_err(|error| format!("cannot use the terminal: {error}"))?;
    draw_until_end(&mut screen, options, load, end)
        .map_err(|error| format!("the terminal failed: {error}"))
}

fn draw_until_end(
    screen: &mut Screen,
    options: &Options,
    load: &Load,
    end: &End,
) -> io::Result<()> {
    let events = events()?;
    let start = Instant::now();
    let mut samples = Samples::new();
    let mut next = start;
    let mut changed = true;
    while !end.has_come() {
        let now = Instant::now();
        if now >= next {
            let panic = options.panic == Some(Panic::Main) && start.elapsed() >= PANIC;
            assert!(!panic, "as it was asked to");
            samples.take();
            (next, changed) = (now + options.every, true);
        }
        if changed {
            let facts = Facts {
                clients: options.load.clients,
                period: options.load.period,
                running: start.elapsed(),
                lost: load.stats.lost.get(),
            };
            screen.0.draw(|frame| view::draw(frame, &samples, &facts))?;
            changed = false;
        }
        let wait = next.saturating_duration_since(Instant::now()).min(SLICE);
        let event = match events.recv_timeout(wait) {
            Ok(event) => event?,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => break,
        };
        match event {
            Event::Key(key) if ends(key) => break,
            // Drawing fits it in.
            Event::Resize(..) => changed = true,
            _ => {}
        }
    }
    Ok(())
}

/// Returns what a thread reads from the terminal. It is never joined: crossterm reads on for ever if
/// the terminal goes away.
fn events() -> io::Result<Receiver<io::Result<Event>>> {
    let (send, events) = mpsc::channel();
    let read = move || {
        loop {
            let event = event::read();
            let failed = event.is_err();
            if send.send(event).is_err() || failed {
                break;
            }
        }
    };
    thread::Builder::new().name("keys".to_owned()).spawn(read)?;
    Ok(events)
}

/// Returns `true` if the key is `q` or Ctrl-C, which is no signal while the terminal is ours.
fn ends(key: KeyEvent) -> bool {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    key.kind != KeyEventKind::Release
        && match key.code {
            KeyCode::Char('q') => true,
            KeyCode::Char('c') => control,
            _ => false,
        }
}
