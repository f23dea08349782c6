//! The steps of one execution, to be printed when it fails.
//!
//! The stand-ins of `sync`, `sys` and the world call [`step`] where something happens that
//! other threads can notice. Nothing is kept unless [`record`] was called before the execution,
//! so that exploring does not pay for it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write;
use std::panic::Location;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

type Place = &'static Location<'static>;

static RECORDING: AtomicBool = AtomicBool::new(false);

thread_local! {
    // A model runs on one thread of the system, all its threads taking turns.
    static TRACE: RefCell<Trace> = RefCell::new(Trace::default());
}

#[derive(Default)]
struct Trace {
    steps: Vec<Step>,
    /// For each place in the source, which threads have made an object there.
    made: HashMap<(&'static str, u32, u32), Vec<String>>,
}

struct Step {
    thread: String,
    at: Place,
    object: Option<Tag>,
    what: String,
    /// Whether it has begun and waits for others.
    waits: bool,
}

/// The name of an object: where it was made, and the how manieth was made there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tag {
    made: Place,
    number: usize,
}

impl Tag {
    /// A name for an object that is made at this place.
    pub(crate) fn new(made: Place) -> Tag {
        if !is_recording() {
            return Tag { made, number: 0 };
        }
        let place = (made.file(), made.line(), made.column());
        let number = TRACE.with_borrow_mut(|trace| {
            let made = trace.made.entry(place).or_default();
            made.push(running());
            made.len()
        });
        Tag { made, number }
    }
}

/// Keeps the steps from now on, beginning with none.
pub(crate) fn record() {
    TRACE.with_borrow_mut(|trace| *trace = Trace::default());
    RECORDING.store(true, Ordering::Relaxed);
}

pub(crate) fn is_recording() -> bool {
    RECORDING.load(Ordering::Relaxed)
}

/// Notes a step of the running thread.
pub(crate) fn step(at: Place, object: Option<Tag>, what: impl FnOnce() -> String) {
    if is_recording() {
        add(at, object, what(), false);
    }
}

/// Notes the begin of a step that may have to wait for others; [`end`] takes what it returns.
pub(crate) fn begin(at: Place, object: Tag, what: &str) -> usize {
    if is_recording() { add(at, Some(object), what.to_owned(), true) } else { 0 }
}

/// Notes that a step which was begun is over.
pub(crate) fn end(index: usize) {
    if !is_recording() {
        return;
    }
    let late = TRACE.with_borrow_mut(|trace| {
        let last = trace.steps.len() - 1;
        let step = &mut trace.steps[index];
        if index == last {
            step.waits = false;
            return None;
        }
        Some((step.at, step.object, step.what.clone()))
    });
    if let Some((at, object, what)) = late {
        add(at, object, format!("{what}: has it now"), false);
    }
}

/// The thread that runs.
fn running() -> String {
    loom::thread::current().name().unwrap_or("main").to_owned()
}

fn add(at: Place, object: Option<Tag>, what: String, waits: bool) -> usize {
    let thread = running();
    TRACE.with_borrow_mut(|trace| {
        trace.steps.push(Step { thread, at, object, what, waits });
        trace.steps.len() - 1
    })
}

/// The thread that took the last step.
pub(crate) fn last_thread() -> Option<String> {
    TRACE.with_borrow(|trace| trace.steps.last().map(|step| step.thread.clone()))
}

/// All steps in their order: a line for each, under the name of the thread. Then where each
/// thread ended up, and who had made what.
pub(crate) fn print() -> String {
    TRACE.with_borrow(|trace| {
        let mut sources = Sources::default();
        let mut out = String::new();
        let mut last: Vec<(&str, &Step)> = Vec::new();
        let (mut thread, mut makers) = ("", BTreeMap::new());
        for step in &trace.steps {
            if step.thread != thread {
                thread = &step.thread;
                let _ = writeln!(out, "  {thread}");
            }
            let _ = writeln!(out, "    {}", sources.line(step, true));
            if let Some(tag) = step.object {
                let place = (tag.made.file(), tag.made.line(), tag.made.column());
                let maker = trace.made.get(&place).and_then(|made| made.get(tag.number - 1));
                let maker = maker.cloned().unwrap_or_default();
                makers.entry(maker).or_insert_with(BTreeSet::new).insert(sources.name(tag));
            }
            last.retain(|(name, _)| *name != thread);
            last.push((thread, step));
        }
        let _ = writeln!(out, "  the last step of each thread");
        last.sort_by_key(|(name, _)| *name);
        for (name, step) in last {
            let _ = writeln!(out, "    {name:<10} {}", sources.line(step, false));
        }
        for (maker, objects) in makers {
            let objects: Vec<_> = objects.into_iter().collect();
            let _ = writeln!(out, "  made by {maker}: {}", objects.join(", "));
        }
        out
    })
}

/// A place in the source, as a path from the repository's root.
pub(crate) fn place(at: &Location<'_>) -> String {
    format!("{}:{}", path(at.file()), at.line())
}

fn path(file: &str) -> String {
    // Shipped files are compiled by a path that leads out of this package.
    match file.rsplit_once("../") {
        Some((_, shipped)) => shipped.to_owned(),
        None => format!("loom-tests/{file}"),
    }
}

/// The files of which lines are shown.
#[derive(Default)]
struct Sources(HashMap<String, Vec<String>>);

impl Sources {
    fn text(&mut self, at: Place) -> &str {
        let lines = self.0.entry(path(at.file())).or_insert_with_key(|path| {
            let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
            let text = std::fs::read_to_string(root.join(path)).unwrap_or_default();
            text.lines().map(str::to_owned).collect()
        });
        lines.get(at.line() as usize - 1).map_or("", String::as_str)
    }

    fn line(&mut self, step: &Step, with_text: bool) -> String {
        let object = step.object.map(|tag| self.name(tag) + " ").unwrap_or_default();
        let waits = if step.waits { ", waits for it" } else { "" };
        let (at, what) = (place(step.at), &step.what);
        let line = format!("{at:<35} {object}{what}{waits}");
        // What the line of a shipped file says; that of a stand-in adds nothing.
        let text = self.text(step.at).trim();
        if !with_text || text.is_empty() || at.starts_with("loom-tests") {
            return line;
        }
        let short: String = text.chars().take(64).collect();
        format!("{line:<80} | {short}")
    }

    /// An object's name: the file, the field that it was made for, and a number.
    fn name(&mut self, Tag { made, number }: Tag) -> String {
        let path = path(made.file());
        let parts = path.trim_end_matches(".rs").trim_end_matches("/mod");
        let file = parts.rsplit('/').next().unwrap_or(parts).to_owned();
        let before: String = self.text(made).chars().take(made.column() as usize - 1).collect();
        match field(&before) {
            Some(field) if !field.eq_ignore_ascii_case(&file) => format!("{file}.{field}#{number}"),
            _ => format!("{file}#{number}"),
        }
    }
}

/// The field, or else the type, that is given a value behind this text.
fn field(before: &str) -> Option<&str> {
    let before = before.trim_end_matches("Arc::new(");
    let end = before.rfind(": ").or_else(|| before.rfind(" = ")).or_else(|| before.rfind('('))?;
    let ident = |c: char| c.is_alphanumeric() || c == '_';
    let start = before[..end].rfind(|c| !ident(c)).map_or(0, |index| index + 1);
    (start < end).then(|| &before[start..end])
}
