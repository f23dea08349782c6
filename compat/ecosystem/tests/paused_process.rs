//! Time paused for all threads. A file of its own: no other test of this process has its own time.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_io::time::{self, PendingIo};
use smol::{Executor, Timer};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

/// A week of four threads that share an executor: each task sees its own time.
#[test]
fn threads_of_an_executor_share_the_clock() {
    let paused = time::pause_process();
    paused.auto_advance(PendingIo::Jump);
    paused.set_patience(Duration::from_secs(60));
    let start = time::now();
    let executor = Arc::new(Executor::new());
    let (stop, stopped) = smol::channel::bounded::<Infallible>(1);
    let seen = Arc::new(Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| smol::block_on(executor.run(stopped.recv())));
        }
        smol::block_on(executor.run(async {
            let tasks: Vec<_> = (0..500_u32)
                .map(|index| {
                    let seen = seen.clone();
                    executor.spawn(async move {
                        for day in 1..=7 {
                            let due = start + day * DAY + index % 10 * SECOND;
                            assert_eq!(Timer::at(due).await, due);
                            assert_eq!(time::now(), due);
                            seen.lock().unwrap().push(due);
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await;
            }
        }));
        drop(stop);
    });
    let seen = seen.lock().unwrap();
    assert!(seen.len() == 3_500 && seen.is_sorted());
    assert_eq!(paused.elapsed(), 7 * DAY + 9 * SECOND);
}
