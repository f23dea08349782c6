//! Sockets that are made by this crate, and non-blocking mode.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};

use rustix::net::addr::SocketAddrArg;
use rustix::net::{self, AddressFamily, Protocol, SocketFlags, SocketType};

#[cfg(unix)]
pub(super) type OwnedSocket = std::os::fd::OwnedFd;
#[cfg(windows)]
pub(super) type OwnedSocket = std::os::windows::io::OwnedSocket;

#[cfg(unix)]
type BorrowedSocket<'a> = std::os::fd::BorrowedFd<'a>;
#[cfg(windows)]
type BorrowedSocket<'a> = std::os::windows::io::BorrowedSocket<'a>;

/// Accepts a connection, which is non-blocking and not inherited by children.
#[cfg(async_wheel_socket_flags)]
pub(super) fn accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let (socket, peer) = rustix::io::retry_on_intr(|| net::acceptfrom_with(listener, flags))?;
    no_sigpipe(&socket)?;
    // The system gives one with each connection; on some, not with one that has failed already.
    let peer = peer.ok_or(io::ErrorKind::ConnectionAborted)?;
    let peer = SocketAddr::try_from(peer).map_err(|_| io::ErrorKind::InvalidInput)?;
    Ok((socket.into(), peer))
}

#[cfg(all(unix, not(async_wheel_socket_flags)))]
pub(super) fn accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    use std::os::fd::AsFd;
    let (stream, peer) = listener.accept()?;
    set_nonblocking(stream.as_fd())?;
    Ok((stream, peer))
}

/// It is made non-blocking later.
#[cfg(windows)]
pub(super) fn accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    listener.accept()
}

/// Makes a non-blocking stream socket, which children do not inherit, and begins to connect it.
pub(super) fn connect(
    addr: &impl SocketAddrArg,
    family: AddressFamily,
    protocol: Option<Protocol>,
) -> io::Result<OwnedSocket> {
    let socket = stream_socket(family, protocol)?;
    match net::connect(&socket, addr) {
        Ok(()) => Ok(socket),
        Err(error) if is_in_progress(error) => Ok(socket),
        Err(error) => Err(error.into()),
    }
}

/// Returns `true` if `connect` has only begun. Unix sockets say `AGAIN` when the listener's queue
/// is full, and Windows says `WOULDBLOCK`.
fn is_in_progress(error: rustix::io::Errno) -> bool {
    use rustix::io::Errno;
    #[cfg(unix)]
    if error == Errno::INPROGRESS {
        return true;
    }
    error == Errno::WOULDBLOCK
}

#[cfg(async_wheel_socket_flags)]
fn stream_socket(family: AddressFamily, protocol: Option<Protocol>) -> io::Result<OwnedSocket> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = net::socket_with(family, SocketType::STREAM, flags, protocol)?;
    no_sigpipe(&socket)?;
    Ok(socket)
}

#[cfg(not(async_wheel_socket_flags))]
fn stream_socket(family: AddressFamily, protocol: Option<Protocol>) -> io::Result<OwnedSocket> {
    #[cfg(windows)]
    start_winsock();
    let socket = net::socket_with(family, SocketType::STREAM, SocketFlags::empty(), protocol)?;
    #[cfg(unix)]
    {
        use std::os::fd::AsFd;
        rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
        set_nonblocking(socket.as_fd())?;
    }
    #[cfg(windows)]
    {
        use std::os::windows::io::AsSocket;
        set_nonblocking(socket.as_socket())?;
        not_inherited(&socket)?;
    }
    no_sigpipe(&socket)?;
    Ok(socket)
}

/// Lets a write to a peer that is gone be an error instead of a signal, where that is a
/// matter of the socket.
fn no_sigpipe(socket: &OwnedSocket) -> io::Result<()> {
    #[cfg(any(
        target_vendor = "apple",
        target_os = "freebsd",
        target_os = "netbsd",
        target_os = "dragonfly",
    ))]
    net::sockopt::set_socket_nosigpipe(socket, true)?;
    let _ = socket;
    Ok(())
}

#[cfg(windows)]
fn start_winsock() {
    static STARTED: std::sync::Once = std::sync::Once::new();
    STARTED.call_once(|| {
        // If it fails, the first use of a socket says so.
        let _ = net::wsa_startup();
    });
}

#[cfg(windows)]
fn not_inherited(socket: &OwnedSocket) -> io::Result<()> {
    use std::os::windows::io::AsRawSocket;
    use windows_sys::Win32::Foundation::{HANDLE_FLAG_INHERIT, SetHandleInformation};
    // SAFETY: a plain call on a handle that `socket` keeps open.
    let set = unsafe { SetHandleInformation(socket.as_raw_socket() as _, HANDLE_FLAG_INHERIT, 0) };
    if set == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Puts a descriptor or socket into non-blocking mode.
pub(super) fn set_nonblocking(io: BorrowedSocket<'_>) -> io::Result<()> {
    #[cfg(any(windows, target_os = "linux"))]
    {
        // One system call, and no window in which another change of flags is lost. Elsewhere
        // not all kinds of descriptors know it.
        rustix::io::ioctl_fionbio(io, true)?;
    }
    #[cfg(not(any(windows, target_os = "linux")))]
    {
        use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
        let flags = fcntl_getfl(io)?;
        if !flags.contains(OFlags::NONBLOCK) {
            fcntl_setfl(io, flags | OFlags::NONBLOCK)?;
        }
    }
    Ok(())
}
