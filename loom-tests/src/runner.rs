//! Runs models, each in a process of its own, and says what they took. Of one that fails, it
//! prints the execution that failed, and how to run that again.
//!
//! A failure takes two processes. The first explores, and notes how far it has come every
//! 1,000 executions. The second goes on from there to the execution that failed, writes down
//! its path, which is what replaying takes, and keeps the steps of this one.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::options::{Options, Task};
use crate::{trace, world};

/// A model.
#[derive(Clone, Copy)]
pub(crate) struct Model {
    pub(crate) name: &'static str,
    /// What one execution does. It panics, or loom does, if the property does not hold.
    pub(crate) body: fn(),
    /// How many times an execution may take the processor from a thread that could go on,
    /// unless the environment says otherwise.
    pub(crate) preemptions: u8,
    /// What it checks, as docs/handoff.md calls it.
    pub(crate) property: &'static str,
    /// The program that has it.
    pub(crate) program: &'static str,
}

/// Steps of an execution. More than that is a thread that spins.
const BRANCHES: usize = 5_000;

/// Executions from one note of the progress to the next.
const NOTED: usize = 1_000;

/// The executions that were begun.
static EXECUTIONS: AtomicUsize = AtomicUsize::new(0);

/// A property in docs/handoff.md: its number, and what is said of it, in one line.
fn described(property: &str) -> Option<String> {
    let text = include_str!("../../docs/handoff.md");
    let starts = |line: &&str| line.contains(&format!(". **{property}.** "));
    let mut lines = text.lines().skip_while(|line| !starts(line));
    let first = lines.next()?.to_owned();
    let rest = lines.take_while(|line| line.starts_with("   "));
    Some(rest.fold(first, |text, line| text + " " + line.trim_start()).replace("**", ""))
}

/// The property that a model checks, and where it stands.
fn property(model: &Model) -> String {
    let text = described(model.property).unwrap_or(model.property.to_owned());
    format!("{text} (docs/handoff.md)")
}

/// Says what is wrong with the input, in one line.
pub(crate) fn refuse(what: &str) -> ExitCode {
    eprintln!("error: {what}");
    ExitCode::from(2)
}

/// Prints a line. That nobody reads it any more is no failure.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Does what the options ask for. `models` are all that there are, `program` is this one.
pub(crate) fn main(models: &[Model], program: &'static str) -> ExitCode {
    if let Some(model) = models.iter().find(|model| described(model.property).is_none()) {
        return refuse(&format!("docs/handoff.md has no property \"{}\"", model.property));
    }
    let (options, task) = match Options::read() {
        Ok(read) => read,
        Err(code) => return code,
    };
    let is_offered = |model: &&Model| !options.own || model.program == program;
    let models: &[Model] = &models.iter().filter(is_offered).copied().collect::<Vec<_>>();
    let find = |name: &str| models.iter().find(|model| model.name == name);
    match task {
        Task::List => {
            models.iter().for_each(|model| say(model.name));
            ExitCode::SUCCESS
        }
        Task::Replay(file) => match options.read_path(&file).map(|name| (find(&name), name)) {
            Err(what) => refuse(&what),
            Ok((None, name)) => refuse(&format!("{}: no model is called {name}", file.display())),
            Ok((Some(model), _)) if model.program != program => replay_elsewhere(model, &file),
            Ok((Some(model), _)) => replay(&options, model, &file),
        },
        Task::One { name, file, pin } => match (find(&name), pin) {
            (None, _) => refuse(&format!("no model is called {name}")),
            (Some(model), None) => explore(&options, model, &file),
            (Some(model), Some(execution)) => pin_down(&options, model, &file, execution),
        },
        Task::Run(words) => {
            let fits = |model: &Model, word: &str| model.name.contains(word);
            let unknown = words.iter().find(|word| !models.iter().any(|model| fits(model, word)));
            if let Some(word) = unknown {
                return refuse(&format!("no model has \"{word}\" in its name; see --list"));
            }
            let chosen = models
                .iter()
                .copied()
                .filter(|model| words.is_empty() || words.iter().any(|word| fits(model, word)));
            match run(&options, &chosen.collect::<Vec<_>>()) {
                true => ExitCode::SUCCESS,
                false => ExitCode::FAILURE,
            }
        }
    }
}

/// What all runs of a model have in common.
fn builder(options: &Options, model: &Model, file: &Path) -> loom::model::Builder {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(usize::from(options.bound(model)));
    builder.max_branches = BRANCHES;
    builder.max_permutations = None;
    builder.checkpoint_file = Some(file.to_owned());
    builder
}

/// Does `begin` and then one execution of the model, with its number.
fn execution(model: &Model, begin: impl FnOnce(usize)) {
    begin(EXECUTIONS.fetch_add(1, Ordering::Relaxed) + 1);
    world::begin();
    (model.body)();
}

/// Explores a model in this process.
fn explore(options: &Options, model: &Model, file: &Path) -> ExitCode {
    let mut builder = builder(options, model, file);
    // So often it also looks whether LOOM_MAX_DURATION is over.
    builder.checkpoint_interval = NOTED;
    builder.location = false;
    let start = Instant::now();
    at_a_panic(|_| {
        say(&format!("failed {}", EXECUTIONS.load(Ordering::Relaxed)));
        std::process::exit(1);
    });
    let copy = *model;
    builder.check(move || execution(&copy, |_| {}));
    let limit = builder.max_duration;
    let cut = limit.is_some_and(|limit| start.elapsed() >= limit);
    let executions = EXECUTIONS.load(Ordering::Relaxed);
    let bound = options.bound(model);
    let cut = if cut { ", cut short" } else { "" };
    say(&format!("{executions} executions, {bound} preemptions{cut}"));
    ExitCode::SUCCESS
}

/// Goes from the last note on to the execution that failed, writes its path to the file, and
/// prints its steps.
fn pin_down(options: &Options, model: &Model, file: &Path, failed: usize) -> ExitCode {
    let mut builder = builder(options, model, file);
    let noted = if file.exists() { failed / NOTED * NOTED - 1 } else { 0 };
    builder.checkpoint_interval = failed - noted;
    builder.max_duration = None;
    builder.location = true;
    at_a_panic(report);
    let (copy, last) = (*model, builder.checkpoint_interval);
    builder.check(move || {
        execution(&copy, |number| {
            if number == last {
                trace::record();
            }
            assert!(number <= last, "it does not fail again: something in it is left to chance");
        });
    });
    refuse("it does not fail again: something in it is left to chance")
}

/// Runs the execution whose path is in the file, once.
fn replay(options: &Options, model: &Model, file: &Path) -> ExitCode {
    let mut builder = builder(options, model, file);
    builder.checkpoint_interval = usize::MAX;
    builder.max_duration = None;
    builder.location = true;
    options.log_if_asked();
    let name = file.display().to_string();
    at_a_panic(move |panic| {
        if EXECUTIONS.load(Ordering::Relaxed) == 0 {
            eprintln!("error: {name}: no path of an execution");
            std::process::exit(2);
        }
        report(panic)
    });
    say(&format!("{}\n  property  {}", model.name, property(model)));
    let copy = *model;
    builder.check(move || {
        execution(&copy, |number| {
            if number > 1 {
                say("holds in this execution");
                std::process::exit(0);
            }
            trace::record();
        });
    });
    say("holds in this execution");
    ExitCode::SUCCESS
}

/// Lets `end` end this process when anything panics: a model that has failed is in no state
/// to be unwound.
fn at_a_panic(end: impl Fn(&std::panic::PanicHookInfo<'_>) + Sync + Send + 'static) {
    std::panic::set_hook(Box::new(end));
}

/// Prints what failed and the steps that led there, and ends the process.
fn report(panic: &std::panic::PanicHookInfo<'_>) {
    let payload = panic.payload();
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let what = text.or(payload.downcast_ref::<&str>().copied()).unwrap_or("a panic");
    let place = panic.location().map(trace::place).unwrap_or_default();
    let thread = trace::last_thread().unwrap_or_default();
    // Loom's own are at a place that says nothing.
    let place = if place.contains("/loom-0.") { String::new() } else { format!(", {place}") };
    let what = what.replace('\n', "\n  ");
    let steps = trace::print();
    let mut out = std::io::stdout().lock();
    let _ = write!(out, "  failure   in {thread}{place}: {what}\n{steps}");
    let _ = out.flush();
    std::process::exit(1);
}

/// Where programs are.
fn beside(program: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    own.with_file_name(program)
}

/// Hands the file to the program that has the model.
fn replay_elsewhere(model: &Model, file: &Path) -> ExitCode {
    let status = Command::new(beside(model.program)).arg("--replay").arg(file).status();
    match status.map(|status| status.code()) {
        Ok(Some(0)) => ExitCode::SUCCESS,
        Ok(Some(2)) => ExitCode::from(2),
        Ok(_) => ExitCode::FAILURE,
        Err(error) => refuse(&format!("{}: {error}", beside(model.program).display())),
    }
}

/// Runs models side by side; whether all hold.
fn run(options: &Options, models: &[Model]) -> bool {
    let queue = Mutex::new(models.iter());
    let failed = AtomicUsize::new(0);
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..options.jobs() {
            scope.spawn(|| {
                loop {
                    if options.stop_at_failure && failed.load(Ordering::Relaxed) > 0 {
                        return;
                    }
                    let next = queue.lock().ok().and_then(|mut queue| queue.next());
                    let Some(model) = next else { return };
                    if !run_one(options, model) {
                        failed.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner();
    say(&format!("{} models, {failed} failed, {:.1?}", models.len(), start.elapsed()));
    failed == 0
}

fn run_one(options: &Options, model: &Model) -> bool {
    let start = Instant::now();
    let file = beside("failures").join(model.name.replace("::", ".") + ".json");
    let ready = std::fs::create_dir_all(beside("failures")).and_then(|()| {
        std::fs::remove_file(&file).or_else(|error| {
            if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
        })
    });
    let verdict = |verdict: &str, more: &str| {
        format!("{verdict:<7} {:<44} {:>9.2?}  {more}", model.name, start.elapsed())
    };
    let result = ready.and_then(|()| child(options, model, &file, None, options.kill_after()));
    let output = match result {
        Ok(Some(output)) => output,
        Ok(None) => {
            say(verdict("TIMEOUT", "").trim_end());
            // A process that was killed for its time has found nothing.
            return options.stop_at_failure;
        }
        Err(error) => {
            say(&verdict("FAILED", &error.to_string()));
            return false;
        }
    };
    let said = String::from_utf8_lossy(&output.stdout);
    if output.status.success() {
        let _ = std::fs::remove_file(&file);
        say(&verdict("ok", said.trim()));
        return true;
    }
    let number = said.lines().find_map(|line| line.strip_prefix("failed ")?.parse::<usize>().ok());
    let Some(number) = number else {
        // A crash, for instance. What it said is all there is.
        say(&verdict("FAILED", &format!("{}\n{}", output.status, lossy(&output.stderr))));
        return false;
    };
    let steps = match child(options, model, &file, Some(number), None) {
        Ok(Some(output)) => lossy(&output.stdout) + &lossy(&output.stderr),
        Ok(None) => String::new(),
        Err(error) => error.to_string(),
    };
    let again = match options.name_path(&file, model) {
        Ok(()) => format!("{} --replay {}", options.command(), file.display()),
        Err(error) => format!("cannot be: {}: {error}", file.display()),
    };
    let head = verdict("FAILED", &format!("in execution {number}"));
    say(&format!("{head}\n  property  {}\n{steps}  again     {again}", property(model),));
    false
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs a model in a process of its own. `None` if that took longer than it may.
fn child(
    options: &Options,
    model: &Model,
    file: &Path,
    pin: Option<usize>,
    limit: Option<Duration>,
) -> std::io::Result<Option<Output>> {
    let start = Instant::now();
    let mut command = Command::new(beside(model.program));
    command.args(["--one", model.name, "--file"]).arg(file);
    if let Some(execution) = pin {
        command.args(["--pin", &execution.to_string()]);
    }
    options.pass_on(&mut command);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    if let Some(limit) = limit {
        while child.try_wait()?.is_none() {
            if start.elapsed() >= limit {
                child.kill()?;
                child.wait()?;
                return Ok(None);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    child.wait_with_output().map(Some)
}
