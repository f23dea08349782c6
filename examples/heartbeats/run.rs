//! A run: the server, the clients or both, on threads that are each in `block_on`.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use async_executor::{Executor, Task};
use cpu_time::ProcessTime;
use futures_lite::FutureExt;
use indicatif::{ProgressBar, ProgressStyle};

use super::control::{Control, Processors};
use super::options::{Options, Role};
use super::runtime::Runtime;
use super::server::Limits;
use super::stats::{Durations, Stats};
use super::stop::Stop;
use super::{Failure, client, say, server, split, text};

/// How long a connection may take to its first beat: until all clients are there.
const FIRST_BEAT: Duration = Duration::from_secs(60);
/// How long an interrupted run waits for the answers that are on their way.
const LAST_ANSWERS: Duration = Duration::from_millis(200);

/// What was counted and measured.
pub struct Run {
    /// The name of the runtime.
    pub runtime: &'static str,
    pub stats: Arc<Stats>,
    pub interrupted: bool,
    pub time: Duration,
    pub cpu: Duration,
    /// The share of the processors that all processes used, where the system says it.
    pub machine_busy: Option<f64>,
    /// How late a thread was woken that did nothing but sleep.
    pub sleep_late: Arc<Durations>,
}

/// The part of a run that is measured.
struct Measuring {
    start: Instant,
    cpu: ProcessTime,
    processors: Option<Processors>,
    control: Control,
}

/// What [`Measuring`] has measured.
struct Measured {
    interrupted: bool,
    time: Duration,
    cpu: Duration,
    machine_busy: Option<f64>,
    sleep_late: Arc<Durations>,
}

impl Measuring {
    fn start<R: Runtime>() -> Measuring {
        let (start, cpu) = (R::now(), ProcessTime::now());
        Measuring { start, cpu, processors: Processors::now(), control: Control::start() }
    }

    fn finish<R: Runtime>(self, interrupted: bool) -> Measured {
        let (time, cpu) = (R::now().saturating_duration_since(self.start), self.cpu.elapsed());
        let machine_busy = self.processors.and_then(|before| before.busy_since());
        Measured { interrupted, time, cpu, machine_busy, sleep_late: self.control.finish() }
    }
}

/// Runs the server, the clients or both on a runtime.
pub fn run<R: Runtime>(options: &Options, stop: &Stop) -> Result<Run, Failure> {
    let executor = Arc::new(Executor::new());
    let stats = Arc::new(Stats::new());
    let (end, ended) = async_channel::bounded::<()>(1);
    let helpers: Vec<_> = (1..options.threads)
        .map(|number| {
            let (executor, ended) = (executor.clone(), ended.clone());
            thread::Builder::new()
                .name(format!("heartbeats-{number}"))
                .spawn(move || {
                    // It ends when the channel is closed.
                    let _ = R::block_on(executor.run(ended.recv()));
                })
                .map_err(|error| format!("cannot start thread {number}: {error}"))
        })
        .collect::<Result<_, _>>()?;
    let outcome = R::block_on(executor.run(play::<R>(options, &executor, &stats, stop)));
    drop(end);
    for helper in helpers {
        helper.join().map_err(|_| "a thread panicked".to_owned())?;
    }
    let Measured { interrupted, time, cpu, machine_busy, sleep_late } = outcome?;
    Ok(Run { runtime: R::NAME, stats, interrupted, time, cpu, machine_busy, sleep_late })
}

async fn play<R: Runtime>(
    options: &Options,
    executor: &Arc<Executor<'static>>,
    stats: &Arc<Stats>,
    stop: &Stop,
) -> Result<Measured, Failure> {
    let serve = |address| -> Result<_, Failure> {
        let (listener, bound) = listen(address)?;
        let refused = |error| format!("cannot listen on {bound}: {error}");
        let listener = R::listener(listener).map_err(refused)?;
        let limits = Limits { first: options.idle.max(FIRST_BEAT), idle: options.idle };
        let nobody = |_| |_, _| ();
        let serving =
            server::serve::<R, _, _>(listener, limits, executor.clone(), stats.clone(), nobody);
        Ok((bound, executor.spawn(serving)))
    };
    match options.role {
        Role::Both => {
            let (address, _serving) = serve(([127, 0, 0, 1], 0).into())?;
            clients::<R>(options, address, executor, stats, stop).await
        }
        Role::Clients(address) => clients::<R>(options, address, executor, stats, stop).await,
        Role::Server(address) => {
            let (address, _serving) = serve(address)?;
            let until = if options.child { "" } else { ", or Ctrl-C" };
            say(&format!("{}{address} until the last client has gone{until}", split::LISTENING));
            let measuring = Measuring::start::<R>();
            let interrupted = !until_all_are_gone::<R>(stats, stop, options.child).await;
            Ok(measuring.finish::<R>(interrupted))
        }
    }
}

fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Failure> {
    let refused = |error: io::Error| format!("cannot listen on {address}: {error}");
    let listener = TcpListener::bind(address).map_err(refused)?;
    // All clients come at once. One that finds the queue full is turned away by the system and
    // tries again a second later; so the queue is made as long as the system allows.
    rustix::net::listen(&listener, i32::MAX).map_err(|error| refused(error.into()))?;
    let bound = listener.local_addr();
    let bound = bound.map_err(|error| format!("the listener has no address: {error}"))?;
    Ok((listener, bound))
}

/// Waits until somebody came and everybody has gone. `false` if it was stopped before that. A
/// child is only stopped while nobody is there: its clients go with its parent.
async fn until_all_are_gone<R: Runtime>(stats: &Stats, stop: &Stop, child: bool) -> bool {
    loop {
        let (closed, open) = (stats.closed.get(), stats.open.get());
        if open > 0 && closed == open {
            return true;
        }
        if stop.is_set() && (open == 0 || !child) {
            return false;
        }
        R::after(Duration::from_millis(100)).await;
    }
}

/// Connects all clients, then lets them beat for the time that was asked for.
async fn clients<R: Runtime>(
    options: &Options,
    address: SocketAddr,
    executor: &Arc<Executor<'static>>,
    stats: &Arc<Stats>,
    stop: &Stop,
) -> Result<Measured, Failure> {
    let bar = progress_bar(options);
    let stopped = async {
        stop.wait::<R>().await;
        Ok(Vec::new())
    };
    let streams = client::connect::<R>(address, options.connections, &bar).or(stopped).await?;
    let measuring = Measuring::start::<R>();
    let start = measuring.start + Duration::from_millis(50);
    let plan = client::Plan::new(options, start, stop);
    let deadline = plan.deadline();
    let mut tasks: Vec<_> = streams
        .into_iter()
        .enumerate()
        .map(|(number, stream)| {
            executor.spawn(client::run::<R>(number, stream, plan.clone(), stats.clone()))
        })
        .collect();
    let watching = executor.spawn(watch::<R>(bar.clone(), stats.clone(), start, options.seconds));
    let finished = finish(&mut tasks);
    let overdue = async {
        R::after(deadline.saturating_duration_since(R::now())).await;
    };
    finished.or(stop.wait::<R>()).or(overdue).await;
    if stop.is_set() {
        let patience = async {
            R::after(LAST_ANSWERS).await;
        };
        last_answers::<R>(stats).or(patience).await;
    }
    let measured = measuring.finish::<R>(stop.is_set());
    // They close their connections.
    for task in tasks {
        task.cancel().await;
    }
    watching.cancel().await;
    bar.finish_and_clear();
    Ok(measured)
}

/// Waits for all tasks, and leaves those that have not finished.
async fn finish(tasks: &mut Vec<Task<()>>) {
    while let Some(task) = tasks.last_mut() {
        task.await;
        tasks.pop();
    }
}

async fn last_answers<R: Runtime>(stats: &Stats) {
    while stats.beats_answered() + stats.reply_fired.get() < stats.beats_sent.get() {
        R::after(Duration::from_millis(5)).await;
    }
}

/// A bar on the terminal; none where standard error is something else.
fn progress_bar(options: &Options) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:30} {wide_bar} {percent:>3}% {eta:>4}");
    ProgressBar::new(options.connections as u64)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        .with_message("connecting")
}

async fn watch<R: Runtime>(bar: ProgressBar, stats: Arc<Stats>, start: Instant, seconds: Duration) {
    bar.set_length(seconds.as_millis() as u64);
    loop {
        bar.set_position(R::now().saturating_duration_since(start).as_millis() as u64);
        bar.set_message(format!("{} beats answered", text::count(stats.beats_answered())));
        R::after(Duration::from_millis(100)).await;
    }
}
