//! What a program says of the reactor before it starts, what the environment says, and what is
//! refused. Each test is in a process of its own, since a process has one reactor.

mod common;

use std::future::pending;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use async_wheel::{Builder, Timer, block_on, diagnostics, time};
use common::process::{alone, is, spawn_with, wait};
use common::{HOUR, MS, PATIENCE, Wakes, armed, eventually, poll_with};

/// Lets as many threads as this be in `block_on` at once, and returns how many shards that takes.
fn shards_of(threads: usize) -> usize {
    let barrier = Barrier::new(threads);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                block_on(async {
                    barrier.wait();
                    Timer::after(MS).await;
                    barrier.wait();
                });
            });
        }
    });
    diagnostics::shards().len()
}

/// Lets a timer wait, so that the reactor runs, and returns it.
fn start_reactor() -> Timer {
    let mut timer = Timer::after(HOUR);
    assert!(poll_with(&Wakes::new().waker(), &mut timer).is_pending());
    timer
}

#[cfg(target_os = "linux")]
fn thread_names() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    tasks
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .map(|name| name.trim_end().to_owned())
        .collect()
}

#[test]
#[cfg_attr(
    any(async_wheel_single_shard, not(target_os = "linux")),
    ignore = "there may be one shard only"
)]
fn as_many_shards_as_said() {
    alone(|| {
        Builder::new().shards(3).build().unwrap();
        assert_eq!(shards_of(5), 3);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn fallback_thread_has_the_given_name() {
    alone(|| {
        Builder::new().thread_name("timers").build().unwrap();
        eventually("the thread has its name", || thread_names().contains(&"timers".to_owned()));
        assert!(!thread_names().contains(&"async-wheel".to_owned()));
    });
}

/// The helper's own hooks, of which the first runs before anything else, and a panic ends nothing.
#[test]
fn start_hook_runs_on_the_fallback_thread() {
    alone(|| {
        let names = Arc::new(std::sync::Mutex::new(Vec::new()));
        let seen = names.clone();
        Builder::new()
            .thread_name("helper")
            .on_thread_start(move || {
                let name = thread::current().name().map(str::to_owned);
                seen.lock().unwrap().push(name);
                panic!("on purpose");
            })
            .on_thread_stop(|| unreachable!("it lives as long as the process"))
            .build()
            .unwrap();
        let wakes = Wakes::new();
        let _timer = armed(&wakes.waker(), || Timer::after(MS));
        wakes.wait_for(1);
        assert_eq!(*names.lock().unwrap(), [Some("helper".to_owned())]);
    });
}

#[test]
fn default_slack_is_set_with_the_rest() {
    alone(|| {
        Builder::new().default_slack(7 * MS).build().unwrap();
        assert_eq!(time::default_slack(), Some(7 * MS));
    });
}

/// A round takes no more timers than it may, and the next goes on.
#[test]
fn rounds_keep_to_the_expiry_budget() {
    alone(|| {
        Builder::new().fallback_thread(false).expiry_budget(10).build().unwrap();
        let wakes = Wakes::new();
        let due = Instant::now() + MS;
        let mut timers: Vec<Timer> = (0..25).map(|_| Timer::at(due)).collect();
        timers.retain_mut(|timer| poll_with(&wakes.waker(), timer).is_pending());
        thread::sleep(2 * MS);
        let mut fired = Vec::new();
        while wakes.count() < timers.len() {
            let round = async_wheel::driver::drive(Some(Duration::ZERO)).unwrap();
            assert_eq!(round.more, wakes.count() < timers.len());
            fired.push(round.timers);
        }
        assert_eq!(fired.iter().sum::<usize>(), timers.len());
        assert!(fired.iter().all(|&timers| timers <= 10), "{fired:?}");
    });
}

/// Dense timers with a bound of zero are woken for as if they were sparse.
#[test]
fn bound_of_zero_makes_no_timer_wait() {
    alone(|| {
        Builder::new().coalescing_bound(Duration::ZERO).build().unwrap();
        block_on(async {
            let end = Instant::now() + 20 * MS;
            while Instant::now() < end {
                Timer::after(10 * Duration::from_nanos(1_000)).await;
            }
        });
    });
}

#[test]
#[cfg_attr(async_wheel_deadlocks, ignore = "the thread that looks for deadlocks is one more")]
fn without_fallback_nothing_is_spawned() {
    alone(|| {
        #[cfg(target_os = "linux")]
        let before = thread_names();
        Builder::new().fallback_thread(false).build().unwrap();
        let (listener, stream) = block_on(async {
            let listener = async_wheel::Async::<std::net::TcpListener>::bind(([127, 0, 0, 1], 0));
            let listener = listener.unwrap();
            let address = listener.get_ref().local_addr().unwrap();
            let stream = async_wheel::Async::<std::net::TcpStream>::connect(address).await.unwrap();
            listener.accept().await.unwrap();
            Timer::after(2 * MS).await;
            (listener, stream)
        });
        drop((listener, stream));
        #[cfg(target_os = "linux")]
        {
            let names = thread_names();
            assert_eq!(names.len(), before.len(), "{names:?}");
            assert!(!names.contains(&"async-wheel".to_owned()));
        }
        assert_eq!(shards_of(3), 1);
    });
}

#[test]
fn second_builder_is_refused() {
    alone(|| {
        Builder::new().shards(1).build().unwrap();
        let error = Builder::new().build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert_eq!(error.to_string(), "a builder has built the reactor before");
    });
}

#[test]
fn builder_after_the_reactor_runs_is_refused() {
    alone(|| {
        let _timer = start_reactor();
        let error = Builder::new().default_slack(MS).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert!(error.to_string().starts_with("the reactor runs: build before"), "{error}");
        assert_eq!(time::default_slack(), None, "an error changes nothing");
    });
}

/// Each bad value is named, and leaves the next builder free to build.
#[test]
fn bad_values_are_named() {
    alone(|| {
        let without = || Builder::new().fallback_thread(false);
        let refused = [
            (Builder::new().shards(0), "shards: 0 shards: not from 1 to 1024"),
            (Builder::new().shards(5_000), "shards: 5000 shards: not from 1 to 1024"),
            (Builder::new().thread_name(""), "thread_name: the name is empty"),
            (Builder::new().thread_name("a\0b"), "thread_name: \"a\\0b\" has a NUL at byte 1"),
            (Builder::new().expiry_budget(0), "expiry_budget: 0 timers: not from 2 to 1048576"),
            (
                Builder::new().expiry_budget(usize::MAX),
                "expiry_budget: 18446744073709551615 timers: not from 2 to 1048576",
            ),
            (
                Builder::new().coalescing_bound(Duration::MAX),
                "coalescing_bound: 18446744073709551615.999999999s: longer than 1s",
            ),
            (without().shards(2), "fallback_thread(false) contradicts shards other than 1"),
            (without().thread_name("a"), "fallback_thread(false) contradicts thread_name"),
            (
                without().on_thread_start(|| ()),
                "fallback_thread(false) contradicts on_thread_start",
            ),
            (without().on_thread_stop(|| ()), "fallback_thread(false) contradicts on_thread_stop"),
        ];
        for (builder, message) in refused {
            let error = builder.build().unwrap_err();
            assert_eq!((error.kind(), &*error.to_string()), (ErrorKind::InvalidInput, message));
        }
        without().shards(1).build().unwrap();
    });
}

/// Runs a test of this file, in which `is` says so, with variables set; returns what it said.
fn run_with(name: &str, variables: &[(&str, &str)]) -> String {
    let mut child = spawn_with(name, variables);
    let status = wait(&mut child, PATIENCE);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(status.is_some_and(|status| status.success()), "{status:?}\n{said}");
    said.into_owned()
}

/// What is run for the environment's sake: without a builder, with one, with one that says it all.
fn child_of_environment() {
    match std::env::var("ROLE").as_deref() {
        Ok("plain") => drop(start_reactor()),
        Ok("builder") => match Builder::new().build() {
            Ok(()) => drop(start_reactor()),
            Err(error) => return println!("REFUSED: {error}"),
        },
        Ok("says") => Builder::new().shards(1).thread_name("said").build().unwrap(),
        _ => unreachable!(),
    }
    #[cfg(target_os = "linux")]
    {
        // A thread gets its name when it runs.
        let is_named = || {
            thread_names()
                .iter()
                .any(|name| ["outside", "said", "a", "async-wheel"].contains(&&**name))
        };
        eventually("the thread has a name", is_named);
        println!("NAMES: {:?}", thread_names());
    }
    println!("SHARDS: {}", shards_of(3));
}

#[cfg(target_os = "linux")]
#[test]
fn environment_sets_what_was_not_said() {
    const NAME: &str = "environment_sets_what_was_not_said";
    if is(NAME) {
        return child_of_environment();
    }
    let environment = |role, shards, name| {
        let variables =
            [("ROLE", role), ("ASYNC_WHEEL_SHARDS", shards), ("ASYNC_WHEEL_THREAD_NAME", name)];
        alone_with(&variables, NAME)
    };
    for role in ["plain", "builder"] {
        let said = environment(role, "2", "outside");
        assert!(said.contains("outside"), "{said}");
        let most = if cfg!(async_wheel_single_shard) { 1 } else { 2 };
        assert!(said.contains(&format!("SHARDS: {most}")), "{said}");
    }
    let said = environment("says", "2", "outside");
    assert!(said.contains("said") && !said.contains("\"outside\""), "{said}");
    assert!(said.contains("SHARDS: 1"), "{said}");
    for (shards, name, error) in [
        ("0", "a", "ASYNC_WHEEL_SHARDS: 0 shards: not from 1 to 1024"),
        ("many", "a", "ASYNC_WHEEL_SHARDS=\"many\": not a number of shards"),
        ("-1", "a", "ASYNC_WHEEL_SHARDS=\"-1\": not a number of shards"),
        ("1", "", "ASYNC_WHEEL_THREAD_NAME: the name is empty"),
    ] {
        let said = environment("builder", shards, name);
        assert!(said.contains(&format!("REFUSED: {error}")), "{said}");
        let said = environment("plain", shards, name);
        let ignored = format!("async-wheel: ignored: {error}");
        assert_eq!(
            said.matches(&ignored).count(),
            usize::from(!cfg!(feature = "tracing")),
            "{said}"
        );
    }
}

/// Runs a test of this file in a process with such variables.
#[cfg(target_os = "linux")]
fn alone_with(variables: &[(&str, &str)], name: &str) -> String {
    run_with(name, variables)
}

/// Many threads that start the reactor at once, beside a builder: one of them all does.
#[test]
fn builder_against_first_uses_is_all_or_nothing() {
    alone(|| {
        let started = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| drop(start_reactor()));
                scope.spawn(|| match Builder::new().expiry_budget(5).build() {
                    Ok(()) => drop(started.fetch_add(1, Ordering::Relaxed)),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::AlreadyExists),
                });
            }
        });
        assert!(started.into_inner() <= 1);
        block_on(async {
            let limit = async { Timer::after(MS).await };
            futures_lite::future::or(async { _ = limit.await }, pending()).await;
        });
    });
}
