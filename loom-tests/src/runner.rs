//! Runs models, each in a process of its own, and says what they took.

use std::io::Write;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::world;

/// A model.
#[derive(Clone, Copy)]
pub(crate) struct Model {
    pub(crate) name: &'static str,
    /// What one execution does. It panics, or loom does, if the property does not hold.
    pub(crate) body: fn(),
    /// How many times an execution may take the processor from a thread that could go on,
    /// unless the environment says otherwise.
    pub(crate) preemptions: usize,
}

/// Steps of an execution. More than that is a thread that spins.
const BRANCHES: usize = 5_000;

pub(crate) fn main(models: &[Model]) -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, name] = &args[..] {
        if flag == "--one" {
            return match models.iter().find(|model| model.name == name) {
                Some(model) => check(model),
                None => ExitCode::FAILURE,
            };
        }
    }
    if args.iter().any(|arg| arg == "--list") {
        models.iter().for_each(|model| println!("{}", model.name));
        return ExitCode::SUCCESS;
    }
    let chosen = |model: &&Model| {
        args.is_empty() || args.iter().any(|arg| model.name.contains(arg.as_str()))
    };
    let chosen: Vec<Model> = models.iter().filter(chosen).copied().collect();
    if run(&chosen) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Explores a model in this process.
fn check(model: &Model) -> ExitCode {
    static EXECUTIONS: AtomicUsize = AtomicUsize::new(0);
    let mut builder = loom::model::Builder::new();
    let more = number("LOOM_MORE_PREEMPTIONS").unwrap_or(0);
    builder.preemption_bound.get_or_insert(model.preemptions + more);
    builder.max_branches = builder.max_branches.max(BRANCHES);
    // So often it looks whether LOOM_MAX_DURATION is over.
    builder.checkpoint_interval = 1_000;
    let limit = builder.max_duration;
    let start = Instant::now();
    let body = model.body;
    builder.check(move || {
        EXECUTIONS.fetch_add(1, Ordering::Relaxed);
        world::begin();
        body();
    });
    let executions = EXECUTIONS.load(Ordering::Relaxed);
    let cut = limit.is_some_and(|limit| start.elapsed() >= limit);
    let bound = builder.preemption_bound.unwrap_or(0);
    println!(
        "{executions} executions, {bound} preemptions{}",
        if cut { ", cut short" } else { "" }
    );
    ExitCode::SUCCESS
}

fn number(name: &str) -> Option<usize> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs models side by side; whether all hold.
fn run(models: &[Model]) -> bool {
    let workers = number("LOOM_JOBS")
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let stop_early = std::env::var_os("LOOM_STOP_AT_FAILURE").is_some();
    let queue = Mutex::new(models.iter());
    let failed = AtomicUsize::new(0);
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..workers.max(1) {
            scope.spawn(|| {
                loop {
                    if stop_early && failed.load(Ordering::Relaxed) > 0 {
                        return;
                    }
                    let next = queue.lock().ok().and_then(|mut queue| queue.next());
                    let Some(model) = next else { return };
                    if !run_one(model) {
                        failed.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner();
    let took = start.elapsed();
    println!("{} models, {failed} failed, {took:.1?}", models.len());
    failed == 0 && !models.is_empty()
}

fn run_one(model: &Model) -> bool {
    let start = Instant::now();
    let limit = number("LOOM_KILL_AFTER").map(|seconds| Duration::from_secs(seconds as u64));
    let Ok(program) = std::env::current_exe() else { return false };
    let child = Command::new(program)
        .args(["--one", model.name])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else { return false };
    if let Some(limit) = limit {
        while start.elapsed() < limit && matches!(child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = child.kill();
    }
    let Ok(output) = child.wait_with_output() else { return false };
    let said = String::from_utf8_lossy(&output.stdout);
    let took = start.elapsed();
    let mut out = std::io::stdout().lock();
    let name = model.name;
    if output.status.success() {
        let _ = writeln!(out, "ok      {name:<36} {:>9.2?}  {}", took, said.trim());
        return true;
    }
    // A process that was killed for its time has found nothing.
    let killed = limit.is_some_and(|limit| took >= limit);
    let verdict = if killed { "TIMEOUT" } else { "FAILED " };
    let _ = writeln!(out, "{verdict} {name:<36} {took:>9.2?}");
    let _ = out.write_all(&output.stderr);
    killed && std::env::var_os("LOOM_STOP_AT_FAILURE").is_some()
}
