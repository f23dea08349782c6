//! Unix sockets, pipes of other kinds, and whatever else has a descriptor.

#![cfg(unix)]

mod common;

use std::io::ErrorKind;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::PathBuf;
use std::pin::pin;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use async_wheel::{Async, Timer};
use common::{MS, both_ways, in_time};
use futures_lite::future;
use futures_lite::{AsyncReadExt, AsyncWriteExt, StreamExt};

/// A path for a socket, which is taken away in the end.
struct SocketPath(PathBuf);

impl SocketPath {
    fn new() -> SocketPath {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("async-wheel-test-{}-{number}", std::process::id());
        SocketPath(std::env::temp_dir().join(name))
    }
}

impl Drop for SocketPath {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_stream_connects_by_path_and_carries_data() {
    both_ways(|| async {
        let path = SocketPath::new();
        let listener = Async::<UnixListener>::bind(&path.0).unwrap();
        assert!(future::poll_once(listener.accept()).await.is_none());
        let both = future::try_zip(listener.accept(), Async::<UnixStream>::connect(&path.0));
        let ((mut server, _), mut client) = in_time("a connection", both).await.unwrap();
        client.write_all(b"hello").await.unwrap();
        let mut heard = [0; 5];
        in_time("a read", server.read_exact(&mut heard)).await.unwrap();
        assert_eq!(&heard, b"hello");

        let mut incoming = pin!(listener.incoming());
        let _second = Async::<UnixStream>::connect(&path.0).await.unwrap();
        in_time("an incoming one", incoming.next()).await.unwrap().unwrap();
    });
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn leading_zero_byte_names_an_abstract_socket() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::SocketAddr;
    let _watchdog = common::watchdog();
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    both_ways(|| async {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("async-wheel-test-{}-{number}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let listener = UnixListener::bind_addr(&address).unwrap();
        let listener = Async::new(listener).unwrap();
        let connect = Async::<UnixStream>::connect(format!("\0{name}"));
        let both = future::try_zip(listener.accept(), connect);
        let ((_server, _), client) = in_time("a connection", both).await.unwrap();
        let peer = client.get_ref().peer_addr().unwrap();
        assert_eq!(peer.as_abstract_name(), Some(name.as_bytes()));
        let nobody = Async::<UnixStream>::connect(format!("\0{name} and more")).await;
        assert_eq!(nobody.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn failing_connect_or_bind_says_why() {
    both_ways(|| async {
        let path = SocketPath::new();
        let missing = Async::<UnixStream>::connect(&path.0).await;
        assert_eq!(missing.unwrap_err().kind(), ErrorKind::NotFound);

        let listener = Async::<UnixListener>::bind(&path.0).unwrap();
        let taken = Async::<UnixListener>::bind(&path.0);
        assert_eq!(taken.unwrap_err().kind(), ErrorKind::AddrInUse);
        let taken = Async::<UnixDatagram>::bind(&path.0);
        assert_eq!(taken.unwrap_err().kind(), ErrorKind::AddrInUse);

        drop(listener);
        // A child that another test starts has the listener, too, until it runs its program.
        let refused = loop {
            match Async::<UnixStream>::connect(&path.0).await {
                Ok(_) => _ = Timer::after(MS).await,
                Err(error) => break error,
            }
        };
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);

        let long = Async::<UnixStream>::connect("x".repeat(1_000)).await;
        assert!(long.is_err(), "a path that fits into no address");
    });
}

#[test]
fn datagrams_arrive_by_path_and_by_pair() {
    both_ways(|| async {
        let (here, there) = (SocketPath::new(), SocketPath::new());
        let left = Async::<UnixDatagram>::bind(&here.0).unwrap();
        let right = Async::<UnixDatagram>::bind(&there.0).unwrap();
        let unbound = Async::<UnixDatagram>::unbound().unwrap();
        let mut buffer = [0; 16];
        assert!(future::poll_once(right.recv_from(&mut buffer)).await.is_none());
        assert_eq!(left.send_to(b"hello", &there.0).await.unwrap(), 5);
        let (length, from) = in_time("a datagram", right.recv_from(&mut buffer)).await.unwrap();
        assert_eq!((length, from.as_pathname()), (5, Some(here.0.as_path())));
        unbound.send_to(b"who?", &there.0).await.unwrap();
        let (length, from) = in_time("a datagram", right.recv_from(&mut buffer)).await.unwrap();
        assert!(length == 4 && from.is_unnamed());
        assert!(unbound.send(b"to whom?").await.is_err());

        let (one, other) = Async::<UnixDatagram>::pair().unwrap();
        assert_eq!(one.send(b"paired").await.unwrap(), 6);
        assert_eq!(in_time("its pair's", other.recv(&mut buffer)).await.unwrap(), 6);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn send_to_full_receiver_waits_for_room() {
    both_ways(|| async {
        let (one, other) = Async::<UnixDatagram>::pair().unwrap();
        const MANY: usize = 2_000;
        let send = async {
            for number in 0..MANY {
                one.send(&number.to_le_bytes()).await.unwrap();
            }
        };
        let receive = async {
            for number in 0..MANY {
                let mut bytes = [0; 8];
                other.recv(&mut bytes).await.unwrap();
                assert_eq!(usize::from_le_bytes(bytes), number);
                if number % 10 == 0 {
                    future::yield_now().await;
                }
            }
        };
        in_time("datagrams one after another", future::zip(send, receive)).await;
    });
}

#[test]
fn child_pipes_carry_all_their_data() {
    both_ways(|| async {
        let mut child =
            Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdin = Async::new(child.stdin.take().unwrap()).unwrap();
        let mut stdout = Async::new(child.stdout.take().unwrap()).unwrap();
        let bytes = vec![b'x'; 300_000];
        let write = async {
            stdin.write_all(&bytes).await.unwrap();
            drop(stdin);
        };
        let mut heard = Vec::new();
        let read = in_time("what cat says", stdout.read_to_end(&mut heard));
        let ((), read) = future::zip(write, read).await;
        assert_eq!(read.unwrap(), bytes.len());
        assert!(child.wait().unwrap().success());
    });
}

#[test]
fn closed_pipe_end_wakes_the_other() {
    both_ways(|| async {
        let mut child = Command::new("sleep")
            .arg("1000")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = Async::new(child.stdin.take().unwrap()).unwrap();
        let mut stdout = Async::new(child.stdout.take().unwrap()).unwrap();
        // The child reads nothing: the pipe to it fills up, and that is all there is to see.
        while future::poll_once(stdin.write(&[0; 4096])).await.is_some() {}
        assert!(future::poll_once(stdin.writable()).await.is_none());
        let waits = future::zip(stdin.writable(), stdout.readable());
        let (both, ()) = future::zip(in_time("the other end is gone", waits), async {
            future::yield_now().await;
            child.kill().unwrap();
        })
        .await;
        both.0.unwrap();
        both.1.unwrap();
        let failed = stdin.write(&[0; 4096]).await.unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::BrokenPipe);
        assert_eq!(stdout.read(&mut [0; 8]).await.unwrap(), 0);
        child.wait().unwrap();
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_pidfd_becomes_readable_when_its_process_ends() {
    use rustix::process::{Pid, PidfdFlags, pidfd_open};
    both_ways(|| async {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let Ok(pidfd) = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()) else {
            child.kill().unwrap();
            child.wait().unwrap();
            return common::not_tested("this kernel has no pidfds");
        };
        let pidfd = Async::new(pidfd).unwrap();
        assert!(future::poll_once(pidfd.readable()).await.is_none());
        drop(child.stdin.take());
        in_time("the end of a process", pidfd.readable()).await.unwrap();
        assert!(child.wait().unwrap().success());
    });
}
