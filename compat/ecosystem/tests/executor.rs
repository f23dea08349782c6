//! A smol executor with several threads, under load.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_executor::Executor;
use futures_lite::{AsyncReadExt, AsyncWriteExt, StreamExt, future};
use smol::{Async, Timer};

const THREADS: usize = 4;

/// Runs a future on an executor of several threads.
fn run<T>(test: impl AsyncFnOnce(&Arc<Executor<'static>>) -> T) -> T {
    let executor = Arc::new(Executor::new());
    let (stop, stopped) = smol::channel::bounded::<()>(1);
    std::thread::scope(|scope| {
        for _ in 1..THREADS {
            scope.spawn(|| async_io::block_on(executor.run(stopped.recv())));
        }
        let result = async_io::block_on(executor.run(test(&executor)));
        drop(stop);
        result
    })
}

#[test]
fn ten_thousand_tasks_timers_fire_on_time() {
    run(async |executor| {
        let fired = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..10_000_u64)
            .map(|index| {
                let fired = fired.clone();
                executor.spawn(async move {
                    for round in 0..3 {
                        let due =
                            Instant::now() + Duration::from_micros((index * 37 + round) % 50_000);
                        assert_eq!(Timer::at(due).await, due);
                        assert!(Instant::now() >= due);
                        fired.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await;
        }
        assert_eq!(fired.load(Ordering::Relaxed), 30_000);
    });
}

#[test]
fn connections_timers_and_computing_go_on_together() {
    run(async |executor| {
        let listener = Async::<TcpListener>::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.get_ref().local_addr().unwrap();
        let spawner = executor.clone();
        let server = executor.spawn(async move {
            let mut incoming = std::pin::pin!(listener.incoming());
            while let Some(stream) = incoming.next().await {
                let stream = stream.unwrap();
                spawner
                    .spawn(async move { futures_lite::io::copy(&stream, &mut &stream).await })
                    .detach();
            }
        });
        // Tasks that hold their thread for a while.
        let computing: Vec<_> = (0..20)
            .map(|_| {
                executor.spawn(async {
                    for _ in 0..20 {
                        std::thread::sleep(Duration::from_millis(2));
                        future::yield_now().await;
                    }
                })
            })
            .collect();
        let clients: Vec<_> = (0..100)
            .map(|index| {
                executor.spawn(async move {
                    let mut stream = Async::<TcpStream>::connect(address).await.unwrap();
                    for round in 0..50_u32 {
                        let message = [index as u8; 100];
                        stream.write_all(&message).await.unwrap();
                        let mut answer = [0; 100];
                        stream.read_exact(&mut answer).await.unwrap();
                        assert_eq!(answer, message);
                        if round % 10 == 0 {
                            Timer::after(Duration::from_millis(1)).await;
                        }
                    }
                })
            })
            .collect();
        for task in clients.into_iter().chain(computing) {
            task.await;
        }
        server.cancel().await;
    });
}

#[test]
fn global_executor_works_with_its_own_threads() {
    let tasks: Vec<_> = (0..1000_u64)
        .map(|index| {
            smol::spawn(async move {
                Timer::after(Duration::from_millis(index % 20)).await;
                index
            })
        })
        .collect();
    let sum = smol::block_on(async {
        let mut sum = 0;
        for task in tasks {
            sum += task.await;
        }
        sum
    });
    assert_eq!(sum, 499_500);
}

/// Plain `futures_lite::future::block_on` drives nothing: the fallback thread does it all.
#[test]
fn fallback_alone_drives_everything() {
    future::block_on(async {
        let (left, right) = connected().await;
        let (mut left, mut right) = (left, right);
        let echo = async {
            let mut buffer = [0; 4];
            for _ in 0..50 {
                right.read_exact(&mut buffer).await.unwrap();
                right.write_all(&buffer).await.unwrap();
            }
        };
        let ping = async {
            let mut buffer = [0; 4];
            for _ in 0..50 {
                left.write_all(b"ping").await.unwrap();
                left.read_exact(&mut buffer).await.unwrap();
                Timer::after(Duration::from_millis(1)).await;
            }
        };
        future::zip(echo, ping).await;
    });
}

async fn connected() -> (Async<TcpStream>, Async<TcpStream>) {
    let listener = Async::<TcpListener>::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.get_ref().local_addr().unwrap();
    let (client, accepted) =
        future::try_zip(Async::<TcpStream>::connect(address), listener.accept()).await.unwrap();
    (client, accepted.0)
}
