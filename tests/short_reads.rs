//! Reads that return less than was asked for. On a TCP stream that means that nothing is left,
//! and the next read waits without trying; here are the ways in which that could go wrong.

#![cfg(any(target_os = "linux", target_os = "android"))]

mod common;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::thread;

use async_wheel::{Async, Timer};
use common::{MS, both_ways, in_time, sockets::tcp_pair};
use futures_lite::{AsyncReadExt, future};
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};

/// Reads once, with room for more than ever comes.
async fn read(stream: &mut (impl AsyncReadExt + Unpin)) -> Vec<u8> {
    let mut buffer = [0; 256];
    let read = in_time("a read", stream.read(&mut buffer)).await.unwrap();
    buffer[..read].to_vec()
}

/// Polls a read that has nothing to read, so that the next event is waited for.
async fn wait_in_vain(stream: &mut Async<TcpStream>) {
    let mut buffer = [0; 256];
    let read = future::poll_once(stream.read(&mut buffer)).await;
    assert!(read.is_none(), "{read:?}");
}

/// Returns a connection on which a short read has left nothing, and a read waits for an event.
async fn after_a_short_read() -> (Async<TcpStream>, TcpStream) {
    let (mut ours, mut peer) = tcp_pair();
    peer.write_all(b"the last").unwrap();
    assert_eq!(read(&mut ours).await, b"the last");
    wait_in_vain(&mut ours).await;
    (ours, peer)
}

/// Lets the driver see what has come.
async fn let_events_come() {
    Timer::after(20 * MS).await;
}

/// The end comes with the last data, in one event: a short read must not hide it.
#[test]
fn end_beside_the_last_data_is_read() {
    both_ways(|| async {
        let (mut ours, mut peer) = tcp_pair();
        wait_in_vain(&mut ours).await;
        peer.write_all(b"the last").unwrap();
        peer.shutdown(Shutdown::Write).unwrap();
        let_events_come().await;
        assert_eq!(read(&mut ours).await, b"the last");
        assert_eq!(read(&mut ours).await, b"");
        assert_eq!(read(&mut ours).await, b"");
    });
}

#[test]
fn end_after_a_short_read_is_read() {
    both_ways(|| async {
        let (mut ours, peer) = after_a_short_read().await;
        drop(peer);
        assert_eq!(read(&mut ours).await, b"");
    });
}

#[test]
fn reset_after_a_short_read_is_reported() {
    both_ways(|| async {
        let (mut ours, peer) = after_a_short_read().await;
        // What the peer has not read makes its close a reset.
        ours.get_ref().write_all(b"unread").unwrap();
        drop(peer);
        let mut buffer = [0; 16];
        let read = in_time("a read", ours.read(&mut buffer)).await;
        assert_eq!(read.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    });
}

/// A read stops at an urgent byte, and so is short although more is there.
#[test]
fn data_after_urgent_data_is_read() {
    both_ways(|| async {
        let (mut ours, peer) = tcp_pair();
        wait_in_vain(&mut ours).await;
        let send = |bytes: &[u8], flags| rustix::net::send(&peer, bytes, flags).unwrap();
        send(b"before", SendFlags::empty());
        send(b"!", SendFlags::OOB);
        send(b"after", SendFlags::empty());
        let_events_come().await;
        // A read stops at the urgent byte, which is not in the stream.
        assert_eq!(read(&mut ours).await, b"before");
        assert_eq!(read(&mut ours).await, b"after");
    });
}

/// A `TcpStream` that was made of another kind of socket, whose reads end with each message.
#[test]
fn messages_of_a_seqpacket_stream_are_read() {
    both_ways(|| async {
        let (ours, peer) = rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )
        .unwrap();
        // The standard library does not mind what the descriptor is.
        let mut ours = Async::new(TcpStream::from(ours)).unwrap();
        wait_in_vain(&mut ours).await;
        for message in [b"one", b"two", b"six"] {
            rustix::io::write(&peer, message).unwrap();
        }
        let_events_come().await;
        for message in [b"one", b"two", b"six"] {
            assert_eq!(read(&mut ours).await, message);
        }
    });
}

/// A read stops where a descriptor was passed, and so is short although more is there.
#[test]
fn data_after_a_passed_descriptor_is_read() {
    both_ways(|| async {
        let (ours, mut peer) = UnixStream::pair().unwrap();
        let mut ours = Async::new(ours).unwrap();
        let passed = [std::io::stdin().as_fd().try_clone_to_owned().unwrap()];
        let descriptors = [passed[0].as_fd()];
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut message = SendAncillaryBuffer::new(&mut space);
        assert!(message.push(SendAncillaryMessage::ScmRights(&descriptors)));
        let first = [std::io::IoSlice::new(b"with it")];
        rustix::net::sendmsg(&peer, &first, &mut message, SendFlags::empty()).unwrap();
        peer.write_all(b"after it").unwrap();
        let_events_come().await;
        // A read stops where a descriptor was passed.
        assert_eq!(read(&mut ours).await, b"with it");
        assert_eq!(read(&mut ours).await, b"after it");
    });
}

/// Pieces and buffers of all sizes, so that reads fall short, are exact, and leave something.
#[test]
fn every_byte_in_pieces_is_read() {
    const BYTES: usize = 300_000;
    both_ways(|| async {
        let (mut ours, mut peer) = tcp_pair();
        let writer = thread::spawn(move || {
            let bytes: Vec<u8> = (0..BYTES).map(|byte| (byte % 251) as u8).collect();
            let mut rest = &bytes[..];
            for piece in (1..).map(|piece: usize| piece * 7_919 % 600 + 1) {
                let (now, later) = rest.split_at(piece.min(rest.len()));
                peer.write_all(now).unwrap();
                rest = later;
                if rest.is_empty() {
                    break;
                }
            }
        });
        let mut read = 0;
        for room in (1..).map(|room: usize| room * 104_729 % 900 + 1) {
            let mut buffer = vec![0; room];
            let count = in_time("a read", ours.read(&mut buffer)).await.unwrap();
            if count == 0 {
                break;
            }
            for byte in &buffer[..count] {
                assert_eq!(*byte, (read % 251) as u8, "at {read}");
                read += 1;
            }
        }
        assert_eq!(read, BYTES);
        writer.join().unwrap();
    });
}

/// Among it such as is read past this crate.
#[test]
fn data_that_comes_while_nobody_waits_is_read() {
    both_ways(|| async {
        let (mut ours, mut peer) = tcp_pair();
        for round in 0..20_u8 {
            peer.write_all(&[round]).unwrap();
            assert_eq!(read(&mut ours).await, [round]);
            peer.write_all(&[round, round]).unwrap();
            if round % 2 == 0 {
                let_events_come().await;
            }
            if round % 3 == 0 {
                let mut past = [0; 1];
                let_events_come().await;
                ours.get_ref().read_exact(&mut past).unwrap();
                assert_eq!(read(&mut ours).await, [round]);
            } else {
                let mut both = [0; 2];
                in_time("a read", ours.read_exact(&mut both)).await.unwrap();
                assert_eq!(both, [round; 2]);
            }
        }
    });
}

/// No interest is registered, so that no event will come: the first poll must try the read, also
/// after a short one.
#[test]
fn data_without_interest_is_read_at_once() {
    both_ways(|| async {
        let (mut ours, mut peer) = tcp_pair();
        for round in 0..5_u8 {
            peer.write_all(&[round]).unwrap();
            // Nobody has ever waited, so that no event will report it.
            let mut buffer = [0; 256];
            let read = future::poll_once(ours.read(&mut buffer)).await;
            let read = read.unwrap_or_else(|| panic!("data {round} was not found")).unwrap();
            assert_eq!(buffer[..read], [round]);
        }
    });
}
