//! What Unix has: pipes, Unix sockets, files, and the reactor's descriptor.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};

use futures_lite::{AsyncReadExt, AsyncWriteExt};
use rustix::fs::{OFlags, fcntl_getfl};

use super::subject::{Async, block_on};
use crate::tools::{new_task, poll};

fn is_nonblocking(io: impl AsFd) -> bool {
    fcntl_getfl(io).unwrap().contains(OFlags::NONBLOCK)
}

#[test]
fn new_nonblocking_leaves_the_mode_alone() {
    let (stream, _peer) = UnixStream::pair().unwrap();
    let stream = Async::new_nonblocking(stream).unwrap();
    assert!(!is_nonblocking(stream.get_ref()));
    let stream = Async::new(stream.into_inner().unwrap()).unwrap();
    assert!(is_nonblocking(stream.get_ref()));
    assert!(is_nonblocking(stream.into_inner().unwrap()));
}

#[test]
fn conversions_from_descriptors_set_the_mode() {
    let (stream, _peer) = UnixStream::pair().unwrap();
    let stream = Async::<UnixStream>::try_from(OwnedFd::from(stream)).unwrap();
    assert!(is_nonblocking(&stream));
    let fd = OwnedFd::try_from(stream).unwrap();
    assert!(is_nonblocking(&fd));
}

#[test]
#[cfg(target_os = "linux")]
fn a_regular_file_is_refused() {
    let file = File::open(env!("CARGO_MANIFEST_PATH")).unwrap();
    let error = Async::new(file).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
}

#[test]
fn a_duplicate_made_by_dup_is_another_source() {
    let (stream, mut peer) = UnixStream::pair().unwrap();
    let stream = Async::new(stream).unwrap();
    let other = Async::new(stream.get_ref().try_clone().unwrap()).unwrap();
    peer.write_all(b"x").unwrap();
    block_on(async {
        stream.readable().await.unwrap();
        other.readable().await.unwrap();
        drop(other);
        stream.readable().await.unwrap();
    });
}

#[test]
fn connect_and_bind_errors_keep_their_kinds() {
    let directory = std::env::temp_dir();
    let name = module_path!().replace("::", "-");
    let path = directory.join(format!("{name}-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let error = block_on(Async::<UnixStream>::connect(&path)).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let listener = Async::<UnixListener>::bind(&path).unwrap();
    let error = Async::<UnixListener>::bind(&path).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    block_on(Async::<UnixStream>::connect(&path)).unwrap();
    drop(listener);
    let error = block_on(Async::<UnixStream>::connect(&path)).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    std::fs::remove_file(&path).unwrap();
}

#[test]
#[cfg(target_os = "linux")]
fn leading_zero_byte_names_an_abstract_socket() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::SocketAddr;
    let name = format!("{}-{}", module_path!(), std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let listener = Async::new(UnixListener::bind_addr(&address).unwrap()).unwrap();
    block_on(async {
        let connect = Async::<UnixStream>::connect(format!("\0{name}"));
        futures_lite::future::try_zip(connect, listener.accept()).await.unwrap();
    });
}

#[test]
fn a_pipe_is_read_and_its_end_seen() {
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    let mut reader = Async::new(File::from(reader)).unwrap();
    let mut writer = Async::new(File::from(writer)).unwrap();
    block_on(async {
        writer.write_all(b"through").await.unwrap();
        drop(writer);
        let mut heard = String::new();
        reader.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "through");
    });
}

#[test]
fn broken_pipe_is_an_error_and_no_signal() {
    let (reader, writer) = UnixStream::pair().unwrap();
    let mut writer = Async::new(writer).unwrap();
    drop(reader);
    let error = block_on(writer.write_all(b"x")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
}

#[test]
fn a_hang_up_wakes_both_directions() {
    let (stream, mut peer) = UnixStream::pair().unwrap();
    let stream = Async::new(stream).unwrap();
    // No room: the writer has to wait.
    while (stream.get_ref()).write(&[0; 4096]).is_ok() {}
    let (reader, reader_waker) = new_task();
    let (writer, writer_waker) = new_task();
    let mut readable = stream.readable();
    let mut writable = stream.writable();
    assert!(poll(&mut readable, &reader_waker).is_pending());
    assert!(poll(&mut writable, &writer_waker).is_pending());
    reader.stays_at(0);
    writer.stays_at(0);
    let _ = peer.read(&mut [0]).unwrap();
    drop(peer);
    reader.wait_for(1);
    writer.wait_for(1);
}

#[test]
fn the_reactors_descriptor_is_there() {
    let fd = super::subject::os::unix::reactor_fd().unwrap();
    assert!(rustix::io::fcntl_getfd(fd).unwrap().contains(rustix::io::FdFlags::CLOEXEC));
}
