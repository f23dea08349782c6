//! A `WouldBlock` that proves nothing: waiting goes on all the same.

#![cfg(target_os = "linux")]

mod common;

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::sync::mpsc;
use std::thread;

use async_wheel::{Async, IoSafe, block_on};
use common::{
    MS, both_ways, in_time,
    sockets::{LOOPBACK, fill},
    watchdog,
};
use futures_lite::{AsyncReadExt, AsyncWriteExt, future};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

/// A terminal's two ends: the one that a program types into, and the path of the other.
fn terminal() -> (File, std::path::PathBuf) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let path = ptsname(&master, Vec::new()).unwrap().into_string().unwrap().into();
    (File::from(master), path)
}

/// Opens a terminal's other end anew, so that its modes are its own, for bytes as they come.
fn open_terminal(path: &std::path::Path) -> OwnedFd {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let slave = rustix::fs::open(path, flags, Mode::empty()).unwrap();
    let mut modes = tcgetattr(&slave).unwrap();
    modes.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
    tcsetattr(&slave, OptionalActions::Now, &modes).unwrap();
    slave
}

/// A terminal says `EAGAIN` while another reader is inside `read`, and when that ends it wakes
/// nobody: a wait that counted on an edge lasted for ever although there was something to read.
#[test]
fn terminal_shared_with_blocking_reader_goes_on() {
    let _watchdog = watchdog();
    let (mut master, path) = terminal();
    let ours = Async::new(File::from(open_terminal(&path))).unwrap();
    let mut other = File::from(open_terminal(&path));
    let (begin, begun) = mpsc::channel::<()>();
    // Takes one byte a round, and is inside `read` when the bytes come.
    let reader = thread::spawn(move || {
        while begun.recv().is_ok() {
            assert_eq!(other.read(&mut [0]).unwrap(), 1);
        }
    });
    for round in 0..200 {
        begin.send(()).unwrap();
        thread::sleep(MS);
        let ours = &ours;
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(MS);
                master.write_all(b"12345").unwrap();
            });
            block_on(in_time(&format!("what the other left in round {round}"), async {
                for _ in 0..4 {
                    assert_eq!((&*ours).read(&mut [0]).await.unwrap(), 1);
                }
            }));
        });
    }
    drop(begin);
    reader.join().unwrap();
}

/// A safe type that is registered by one socket and reads and writes another one, once, before
/// its own: what the other says is an error of the system's, but not of what is registered.
struct Misled {
    registered: UnixStream,
    other: UnixStream,
    misleads: std::cell::Cell<bool>,
}

impl AsFd for Misled {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.registered.as_fd()
    }
}

impl Misled {
    /// Returns what is to be used this time.
    fn stream(&self) -> &UnixStream {
        if self.misleads.replace(false) { &self.other } else { &self.registered }
    }
}

impl Read for Misled {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream().read(buffer)
    }
}

impl Write for Misled {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for &Misled {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream().read(buffer)
    }
}

// SAFETY: neither reading nor writing touches which descriptors there are.
unsafe impl IoSafe for Misled {}

#[test]
fn would_block_of_another_descriptor_is_not_trusted() {
    both_ways(|| async {
        let (registered, mut peer) = UnixStream::pair().unwrap();
        let (other, _others_peer) = UnixStream::pair().unwrap();
        other.set_nonblocking(true).unwrap();
        fill(&other);
        let misled = Misled { registered, other, misleads: false.into() };
        let mut misled = Async::new(misled).unwrap();
        // Interest in both directions is registered, and no edge of either is ahead.
        in_time("writable", misled.writable()).await.unwrap();
        peer.write_all(b"12345").unwrap();
        in_time("readable", misled.readable()).await.unwrap();
        for _ in 0..2 {
            misled.get_ref().misleads.set(true);
            let read = in_time("by value", misled.read(&mut [0])).await;
            assert_eq!(read.unwrap(), 1);
            misled.get_ref().misleads.set(true);
            let read = in_time("by reference", (&misled).read(&mut [0])).await;
            assert_eq!(read.unwrap(), 1);
            misled.get_ref().misleads.set(true);
            let written = in_time("a write", misled.write(b"x")).await;
            assert_eq!(written.unwrap(), 1);
        }
    });
}

/// A safe type that makes up the system's error.
struct Liar {
    stream: UnixStream,
    lies: bool,
}

impl AsFd for Liar {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl Read for Liar {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if std::mem::take(&mut self.lies) {
            return Err(rustix::io::Errno::AGAIN.into());
        }
        self.stream.read(buffer)
    }
}

// SAFETY: reading leaves the stream alone.
unsafe impl IoSafe for Liar {}

#[test]
fn made_up_would_block_is_not_trusted() {
    both_ways(|| async {
        let (ours, mut peer) = UnixStream::pair().unwrap();
        let mut ours = Async::new(Liar { stream: ours, lies: false }).unwrap();
        peer.write_all(b"12").unwrap();
        in_time("readable", ours.readable()).await.unwrap();
        // SAFETY: the stream stays.
        unsafe { ours.get_mut() }.lies = true;
        assert_eq!(in_time("a read", ours.read(&mut [0; 8])).await.unwrap(), 2);
    });
}

/// Sending to a receiver that others have filled says `EAGAIN` although the sender has room; that
/// the receiver has room again is no edge of the sender's.
#[test]
fn datagram_to_full_receiver_is_sent_later() {
    both_ways(|| async {
        let name = format!("async-wheel-full-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_file(&path);
        let receiver = UnixDatagram::bind(&path).unwrap();
        let stranger = UnixDatagram::unbound().unwrap();
        stranger.set_nonblocking(true).unwrap();
        let mut strangers = 0;
        while stranger.send_to(b"datagram", &path).is_ok() {
            strangers += 1;
        }
        let sender = Async::<UnixDatagram>::unbound().unwrap();
        let receives = thread::spawn(move || {
            thread::sleep(50 * MS);
            for _ in 0..=strangers {
                receiver.recv(&mut [0; 16]).unwrap();
            }
        });
        in_time("room", sender.send_to(b"datagram", &path)).await.unwrap();
        receives.join().unwrap();
        std::fs::remove_file(&path).unwrap();
    });
}

/// Others see that the source is readable, though the peek said `WouldBlock`.
#[test]
fn peek_beyond_the_data_hides_it_from_nobody() {
    use std::net::UdpSocket;
    use std::os::fd::AsRawFd;
    let _watchdog = watchdog();
    let socket = Async::<UdpSocket>::bind(LOOPBACK).unwrap();
    let own = socket.get_ref();
    own.connect(own.local_addr().unwrap()).unwrap();
    let offset: libc::c_int = 100;
    // SAFETY: the descriptor is open, and the option is an integer.
    let set = unsafe {
        libc::setsockopt(
            own.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEEK_OFF,
            std::ptr::from_ref(&offset).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    assert_eq!(set, 0);
    block_on(async {
        // Interest in reading is registered from here on.
        assert!(future::poll_once(socket.readable()).await.is_none());
        own.send(b"short").unwrap();
        in_time("the datagram", socket.readable()).await.unwrap();
        let mut buffer = [0; 16];
        let mut peek = std::pin::pin!(socket.peek(&mut buffer));
        // Whether it finds something depends on the system; it must not hide anything.
        let _ = future::poll_once(peek.as_mut()).await;
        in_time("the datagram that is still there", socket.readable()).await.unwrap();
    });
}

/// Room for a part of a page is none for an atomic write.
#[test]
fn pipe_takes_an_atomic_write_once_it_fits() {
    let _watchdog = watchdog();
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    let mut writer = Async::new(File::from(writer)).unwrap();
    let mut reader = File::from(reader);
    block_on(async {
        let page = [0; 4096];
        while future::poll_once(writer.write(&page)).await.is_some() {}
        for _ in 0..20 {
            let mut write = std::pin::pin!(writer.write(&page));
            assert!(future::poll_once(write.as_mut()).await.is_none());
            reader.read_exact(&mut [0; 2000]).unwrap();
            assert!(future::poll_once(write.as_mut()).await.is_none());
            reader.read_exact(&mut [0; 2096]).unwrap();
            assert_eq!(in_time("room for it", write).await.unwrap(), 4096);
        }
    });
}
