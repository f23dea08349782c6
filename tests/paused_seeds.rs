//! Runs that a seed decides: the same seed, the same trace.
#![cfg(unix)]

mod common;

use std::cell::RefCell;
use std::collections::HashSet;
use std::io::Write;
use std::time::Duration;

use async_executor::LocalExecutor;
use async_wheel::time::{self, Paused, PendingIo};
use async_wheel::{Timer, block_on};
use futures_lite::{AsyncReadExt, StreamExt};

use common::process;
use common::sockets::unix_pair;

const SECOND: Duration = Duration::from_secs(1);

type Trace = Vec<(Duration, usize, &'static str)>;

/// Tasks that share deadlines and wake each other, with different slacks, and connections that
/// become ready at the same time.
fn trace(paused: &Paused) -> Trace {
    paused.auto_advance(PendingIo::Jump);
    let trace = RefCell::new(Trace::new());
    let tasks = LocalExecutor::new();
    let note = |task, what| trace.borrow_mut().push((paused.elapsed(), task, what));
    let mut peers = Vec::new();
    for task in 0..20 {
        let note = &note;
        tasks
            .spawn(async move {
                let slack = SECOND * (task as u32 % 3);
                let mut ticks = Timer::interval(SECOND).with_slack(slack).take(5);
                while ticks.next().await.is_some() {
                    note(task, "tick");
                    Timer::after(SECOND / 2).await;
                    note(task, "half");
                }
            })
            .detach();
        let (mut ours, peer) = unix_pair();
        peers.push(peer);
        tasks
            .spawn(async move {
                let mut byte = [0];
                while ours.read_exact(&mut byte).await.is_ok() {
                    note(task, "byte");
                }
            })
            .detach();
    }
    block_on(tasks.run(async {
        for _ in 0..4 {
            Timer::after(SECOND * 3 / 4).await;
            peers.iter_mut().for_each(|peer| peer.write_all(b"!").unwrap());
        }
        Timer::after(10 * SECOND).await;
    }));
    drop(tasks);
    trace.into_inner()
}

fn trace_of(seed: Option<u64>) -> Trace {
    let mut paused = time::pause();
    if let Some(seed) = seed {
        paused.set_seed(seed);
    }
    trace(&paused)
}

#[test]
fn same_seed_gives_same_trace() {
    for seed in [None, Some(0), Some(1), Some(u64::MAX)] {
        let first = trace_of(seed);
        assert_eq!(first.len(), 20 * (5 + 5 + 4));
        for _ in 0..5 {
            assert_eq!(trace_of(seed), first, "seed {seed:?}");
        }
    }
}

#[test]
fn different_seeds_give_different_orders() {
    let traces: HashSet<Trace> = (0..20).map(|seed| trace_of(Some(seed))).collect();
    assert_eq!(traces.len(), 20);
    // They are the same events, in other orders.
    let sorted: HashSet<Trace> = traces
        .into_iter()
        .map(|mut trace| {
            trace.sort_unstable();
            trace
        })
        .collect();
    assert_eq!(sorted.len(), 1);
    // Ready sources are shuffled as well as timers.
    let of_bytes = |seed| {
        let bytes = trace_of(Some(seed)).into_iter().filter(|(_, _, what)| *what == "byte");
        bytes.map(|(_, task, _)| task).collect::<Vec<_>>()
    };
    assert_ne!(of_bytes(1), of_bytes(2));
}

/// Without a seed, new timers fire in the order in which they began to wait.
#[test]
fn unseeded_order_is_that_of_arrival() {
    let first: Vec<_> = trace_of(None).into_iter().take(20).map(|(_, task, _)| task).collect();
    let mut sorted = first.clone();
    sorted.sort_unstable();
    // Those with the same slack: a wheel of timers keeps its own numbers.
    for slack in 0..3 {
        let order: Vec<_> = first.iter().filter(|task| **task % 3 == slack).collect();
        assert!(order.is_sorted(), "{order:?}");
    }
    assert_eq!(sorted, (0..20).collect::<Vec<_>>());
}

/// A test that fails for one seed only, in a process of its own.
#[test]
fn failing_run_prints_its_seed() {
    const NAME: &str = "failing_run_prints_its_seed";
    if process::is(NAME) {
        return time::for_each_seed(0..50, |paused| {
            let first = trace(paused)[0].1;
            println!("ran");
            assert_ne!(first, 13, "task 13 is the first");
        });
    }
    let run = |variables: &[(&str, &str)]| {
        let mut child = process::spawn_with(NAME, variables);
        let status = process::wait(&mut child, Duration::from_secs(50)).expect("it ends");
        let output = child.wait_with_output().unwrap();
        let said =
            String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        (status.success(), said)
    };
    let (passed, said) = run(&[]);
    assert!(!passed, "{said}");
    let seed = said.split("the seed was ").nth(1).and_then(|rest| rest.split(':').next());
    let seed = seed.unwrap_or_else(|| panic!("no seed: {said}"));
    // It alone is run again, and fails the same way.
    let (passed, again) = run(&[("ASYNC_WHEEL_SEED", seed)]);
    assert!(!passed && again.contains("task 13 is the first"), "{again}");
    assert_eq!(again.matches("ran\n").count(), 1, "{again}");
    let other = (seed.parse::<u64>().unwrap() + 1).to_string();
    let (_, other) = run(&[("ASYNC_WHEEL_SEED", &other)]);
    assert_eq!(other.matches("ran\n").count(), 1, "{other}");
    let (passed, said) = run(&[("ASYNC_WHEEL_SEED", "seven")]);
    assert!(!passed && said.contains("ASYNC_WHEEL_SEED: seven: not a seed"), "{said}");
}
