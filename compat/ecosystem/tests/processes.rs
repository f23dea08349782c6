//! async-process, async-signal and async-fs.
#![cfg(unix)]

use std::io;
use std::time::{Duration, Instant};

use async_process::{Command, Stdio};
use async_signal::{Signal, Signals};
use futures_lite::io::BufReader;
use futures_lite::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, FutureExt, StreamExt, future};
use smol::Timer;

#[test]
fn child_pipes_carry_both_directions_at_once() {
    smol::block_on(async {
        let mut child =
            Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        // More than a pipe holds, so that both sides wait for each other.
        let data = vec![b'x'; 1_000_000];
        let write = async {
            stdin.write_all(&data).await.unwrap();
            drop(stdin);
        };
        let mut read = Vec::new();
        let (_, length) = future::zip(write, stdout.read_to_end(&mut read)).await;
        assert_eq!(length.unwrap(), data.len());
        assert!(child.status().await.unwrap().success());
    });
}

#[test]
fn output_and_exit_codes_are_collected() {
    smol::block_on(async {
        let output = Command::new("sh")
            .args(["-c", "echo out; echo err >&2; exit 3"])
            .output()
            .await
            .unwrap();
        assert_eq!(output.stdout, b"out\n");
        assert_eq!(output.stderr, b"err\n");
        assert_eq!(output.status.code(), Some(3));
    });
}

#[test]
fn lines_come_as_they_are_written() {
    smol::block_on(async {
        let mut child = Command::new("sh")
            .args(["-c", "for i in 1 2 3; do echo $i; sleep 0.02; done"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let lines: Vec<String> = lines.try_collect().await.unwrap();
        assert_eq!(lines, ["1", "2", "3"]);
        assert!(child.status().await.unwrap().success());
    });
}

#[test]
fn many_children_at_once_are_all_reaped() {
    smol::block_on(async {
        let start = Instant::now();
        let children: Vec<_> = (0..20)
            .map(|index| {
                let script = format!("sleep 1; exit {index}");
                let mut child = Command::new("sh").args(["-c", &script]).spawn().unwrap();
                smol::spawn(async move { child.status().await.unwrap().code() })
            })
            .collect();
        for (index, child) in children.into_iter().enumerate() {
            assert_eq!(child.await, Some(index as i32));
        }
        assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
    });
}

#[test]
fn a_child_that_takes_too_long_is_killed() {
    smol::block_on(async {
        let mut child = Command::new("sleep").arg("600").kill_on_drop(true).spawn().unwrap();
        let waited = async { child.status().await.map(Some) }
            .or(async {
                Timer::after(Duration::from_millis(50)).await;
                io::Result::Ok(None)
            })
            .await
            .unwrap();
        assert_eq!(waited, None);
        child.kill().unwrap();
        assert!(!child.status().await.unwrap().success());
    });
}

#[test]
fn signals_are_a_stream() {
    smol::block_on(async {
        let mut signals = Signals::new([Signal::Usr1, Signal::Usr2]).unwrap();
        let me = rustix::process::getpid();
        for (raised, seen) in [
            (rustix::process::Signal::USR1, Signal::Usr1),
            (rustix::process::Signal::USR2, Signal::Usr2),
            (rustix::process::Signal::USR1, Signal::Usr1),
        ] {
            rustix::process::kill_process(me, raised).unwrap();
            assert_eq!(signals.next().await.unwrap().unwrap(), seen);
        }
        let silence = async { signals.next().await.map(drop) }.or(async {
            Timer::after(Duration::from_millis(20)).await;
            None
        });
        assert_eq!(silence.await, None);
    });
}

/// Files are read on the pool for blocking work.
#[test]
fn timers_run_while_the_pool_reads() {
    smol::block_on(async {
        let path = std::env::temp_dir().join(format!("async-wheel-file-{}", std::process::id()));
        let data = vec![5; 3_000_000];
        async_fs::write(&path, &data).await.unwrap();
        let mut ticks = 0;
        let slow = blocking::unblock(|| std::thread::sleep(Duration::from_millis(50)));
        let (read, _) = future::zip(future::zip(async_fs::read(&path), slow), async {
            let mut interval = Timer::interval(Duration::from_millis(5));
            for _ in 0..5 {
                interval.next().await;
                ticks += 1;
            }
        })
        .await;
        assert!(read.0.unwrap() == data);
        assert_eq!(ticks, 5);
        async_fs::remove_file(path).await.unwrap();
    });
}
