//! Types of the user's whose `Read` takes a part of what is there and then says `WouldBlock`:
//! the rest must not wait for more to come.

#![cfg(unix)]

mod common;

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use async_wheel::{Async, IoSafe};
use common::{both_ways, in_time};
use futures_lite::{AsyncReadExt, AsyncWriteExt};

const FRAME: usize = 8;

/// Reads and writes whole frames, a byte at each call.
struct Frames {
    stream: UnixStream,
    read: Vec<u8>,
    written: usize,
}

impl AsFd for Frames {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

// SAFETY: the stream stays where it is.
unsafe impl IoSafe for Frames {}

impl Read for Frames {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut byte = [0];
        if self.stream.read(&mut byte)? == 0 {
            return Ok(0);
        }
        self.read.push(byte[0]);
        if self.read.len() < FRAME {
            return Err(ErrorKind::WouldBlock.into());
        }
        buffer[..FRAME].copy_from_slice(&self.read);
        self.read.clear();
        Ok(FRAME)
    }
}

impl Write for Frames {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written += self.stream.write(&bytes[self.written..][..1])?;
        if self.written < FRAME {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.written = 0;
        Ok(FRAME)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The type's `WouldBlock` is not the system's: what is left must not wait for an edge.
#[test]
fn partial_frame_goes_on_without_another_event() {
    both_ways(|| async {
        let (ours, mut peer) = UnixStream::pair().unwrap();
        let frames = Frames { stream: ours, read: Vec::new(), written: 0 };
        let mut frames = Async::new(frames).unwrap();
        for frame in [b"a frame.", b"another."] {
            peer.write_all(frame).unwrap();
            let mut heard = [0; FRAME];
            in_time("a read", frames.read_exact(&mut heard)).await.unwrap();
            assert_eq!(&heard, frame);
            in_time("a write", frames.write_all(frame)).await.unwrap();
            peer.read_exact(&mut heard).unwrap();
            assert_eq!(&heard, frame);
        }
    });
}
