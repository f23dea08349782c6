//! Which types do nothing but system calls on their own descriptor.

use std::any::TypeId;
use std::net::{TcpListener, TcpStream, UdpSocket};

/// Returns `true` if `T` is one of the standard library's types whose reads and writes are each a
/// system call on the type's own descriptor, so that a `WouldBlock` of theirs is the system's, of
/// that descriptor. Other types may read what they like.
///
/// The standard streams are left out: they buffer.
pub(super) fn is_system_io<T>() -> bool {
    let this = typeid::of::<T>();
    let is = |other| this == other;
    let socket = is(TypeId::of::<TcpStream>())
        || is(TypeId::of::<TcpListener>())
        || is(TypeId::of::<UdpSocket>());
    #[cfg(unix)]
    let unix = {
        use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
        is(TypeId::of::<UnixStream>())
            || is(TypeId::of::<UnixListener>())
            || is(TypeId::of::<UnixDatagram>())
    };
    #[cfg(not(unix))]
    let unix = false;
    socket || unix || is_pipe_or_file(this)
}

fn is_pipe_or_file(this: TypeId) -> bool {
    use std::process::{ChildStderr, ChildStdin, ChildStdout};
    let is = |other| this == other;
    is_new_pipe(this)
        || is(TypeId::of::<std::fs::File>())
        || is(TypeId::of::<ChildStdin>())
        || is(TypeId::of::<ChildStdout>())
        || is(TypeId::of::<ChildStderr>())
}

#[cfg(not(async_wheel_no_pipe))]
#[allow(clippy::incompatible_msrv, reason = "build.rs looks whether the compiler has them")]
fn is_new_pipe(this: TypeId) -> bool {
    this == TypeId::of::<std::io::PipeReader>() || this == TypeId::of::<std::io::PipeWriter>()
}

#[cfg(async_wheel_no_pipe)]
fn is_new_pipe(_: TypeId) -> bool {
    false
}
