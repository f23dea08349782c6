//! Uses each item of `subject` in the way that its signature promises.

use std::cell::Cell;
use std::fmt::Debug;
use std::future::Future;
use std::io::{self, Read, Write};
use std::marker::PhantomPinned;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, MutexGuard};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_io::{AsyncRead, AsyncWrite};
use futures_lite::Stream;

use super::subject::{
    self, Async, IoSafe, Readable, ReadableOwned, Timer, Writable, WritableOwned, block_on,
};

/// Something that a future yields and a thread may take over.
fn yields<T>(future: impl Future<Output = T> + Send) -> impl Future<Output = T> + Send {
    future
}

fn is_debug<T: Debug + ?Sized>() {}
fn is_io_safe<T: IoSafe + ?Sized>() {}
fn is_async_read<T: AsyncRead>() {}
fn is_async_write<T: AsyncWrite>() {}

/// `Timer` and `block_on`.
pub fn timers() {
    let _: fn() -> Timer = Timer::never;
    let _: fn(Duration) -> Timer = Timer::after;
    let _: fn(Instant) -> Timer = Timer::at;
    let _: fn(Duration) -> Timer = Timer::interval;
    let _: fn(Instant, Duration) -> Timer = Timer::interval_at;
    let _: fn(&Timer) -> bool = Timer::will_fire;
    let _: fn(&mut Timer, Duration) = Timer::set_after;
    let _: fn(&mut Timer, Instant) = Timer::set_at;
    let _: fn(&mut Timer, Duration) = Timer::set_interval;
    let _: fn(&mut Timer, Instant, Duration) = Timer::set_interval_at;
    let _: fn(&mut Timer) = Timer::clear;
    fn future<T: Future<Output = Instant> + Send + Sync + Unpin>() {}
    future::<Timer>();
    fn stream<T: Stream<Item = Instant>>() {}
    stream::<Timer>();
    is_debug::<Timer>();

    // Any future will do, sendable or not, borrowed or not.
    let local = Rc::new(7);
    assert_eq!(block_on(async { *local }), 7);
    let _: fn(Pin<Box<dyn Future<Output = Rc<u8>>>>) -> Rc<u8> = block_on;
}

/// What all `Async<T>` have, whatever `T` is.
pub fn any_async<T>(io: Async<T>) -> io::Result<T> {
    let _: fn(&Async<T>) -> &T = Async::get_ref;
    let _: unsafe fn(&mut Async<T>) -> &mut T = Async::get_mut;
    let _: for<'a> fn(&'a Async<T>) -> Readable<'a, T> = Async::readable;
    let _: for<'a> fn(&'a Async<T>) -> Writable<'a, T> = Async::writable;
    let _: fn(Arc<Async<T>>) -> ReadableOwned<T> = Async::readable_owned;
    let _: fn(Arc<Async<T>>) -> WritableOwned<T> = Async::writable_owned;
    let _: fn(&Async<T>, &mut Context<'_>) -> Poll<io::Result<()>> = Async::poll_readable;
    let _: fn(&Async<T>, &mut Context<'_>) -> Poll<io::Result<()>> = Async::poll_writable;
    let _: &T = io.as_ref();
    fn unpin<T: Unpin>() {}
    unpin::<Async<T>>();
    io.into_inner()
}

/// The futures of readiness, without any bound on `T`.
pub fn readiness<T>() {
    fn future<T: Future<Output = io::Result<()>> + Debug + Unpin>() {}
    future::<Readable<'_, T>>();
    future::<ReadableOwned<T>>();
    future::<Writable<'_, T>>();
    future::<WritableOwned<T>>();
}

/// Operations by a closure.
pub async fn operations<T: Send + Sync>(io: &mut Async<T>) -> io::Result<()> {
    // What is asked of a closure is `FnMut`, and it may borrow.
    let mut tries = 0;
    let count: usize = yields(io.read_with(|_: &T| {
        tries += 1;
        Ok(tries)
    }))
    .await?;
    let _: Rc<usize> = io.read_with(|_| Ok(Rc::new(count))).await?;
    let _: usize = yields(io.write_with(|_: &T| {
        tries += 1;
        Ok(tries)
    }))
    .await?;
    // SAFETY: the closures leave the value alone.
    unsafe {
        let _: usize = yields(io.read_with_mut(|_: &mut T| {
            tries += 1;
            Ok(tries)
        }))
        .await?;
        let _: usize = yields(io.write_with_mut(|_: &mut T| {
            tries += 1;
            Ok(tries)
        }))
        .await?;
    }
    Ok(())
}

/// Debug, as far as `T` has it.
pub fn debug<T: Debug>() {
    is_debug::<Async<T>>();
}

/// Reading and writing through the wrapper.
pub fn read_and_write<R, W, S>()
where
    R: IoSafe + Read,
    W: IoSafe + Write,
    for<'a> &'a S: Read + Write,
{
    is_async_read::<Async<R>>();
    is_async_write::<Async<W>>();
    is_async_read::<&Async<S>>();
    is_async_write::<&Async<S>>();
}

/// Whose reads and writes are safe.
pub fn io_safe<T: IoSafe + Read, U: IoSafe + Write, C: IoSafe + Clone, N>() {
    is_io_safe::<&N>();
    is_io_safe::<&str>();
    is_io_safe::<std::fs::File>();
    is_io_safe::<io::Stderr>();
    is_io_safe::<io::Stdin>();
    is_io_safe::<io::Stdout>();
    is_io_safe::<io::StderrLock<'_>>();
    is_io_safe::<io::StdinLock<'_>>();
    is_io_safe::<io::StdoutLock<'_>>();
    is_io_safe::<TcpStream>();
    is_io_safe::<std::process::ChildStdin>();
    is_io_safe::<std::process::ChildStdout>();
    is_io_safe::<std::process::ChildStderr>();
    #[cfg(unix)]
    is_io_safe::<std::os::unix::net::UnixStream>();
    #[cfg(pipes)]
    is_io_safe::<io::PipeReader>();
    #[cfg(pipes)]
    is_io_safe::<io::PipeWriter>();
    is_io_safe::<io::BufReader<T>>();
    is_io_safe::<io::BufWriter<U>>();
    is_io_safe::<io::LineWriter<U>>();
    is_io_safe::<&mut T>();
    is_io_safe::<&mut dyn IoSafe>();
    is_io_safe::<Box<T>>();
    is_io_safe::<Box<dyn IoSafe>>();
    is_io_safe::<std::borrow::Cow<'_, C>>();

    struct Mine;
    // SAFETY: it has no descriptor.
    unsafe impl IoSafe for Mine {}
    is_io_safe::<Mine>();
}

/// TCP.
pub async fn tcp(address: SocketAddr) -> io::Result<()> {
    let listener: Async<TcpListener> = Async::<TcpListener>::bind(address)?;
    Async::<TcpListener>::bind((Ipv4Addr::LOCALHOST, 0))?;
    Async::<TcpListener>::bind(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?;
    let (accepted, from): (Async<TcpStream>, SocketAddr) = yields(listener.accept()).await?;
    let _ = (accepted, from);
    {
        fn stream<'a>(
            incoming: impl Stream<Item = io::Result<Async<TcpStream>>> + Send + 'a,
        ) -> impl Sized + 'a {
            incoming
        }
        drop(stream(listener.incoming()));
    }
    let stream: Async<TcpStream> = yields(Async::<TcpStream>::connect(address)).await?;
    Async::<TcpStream>::connect((Ipv4Addr::LOCALHOST, 0)).await?;
    let _: usize = yields(stream.peek(&mut [0])).await?;

    let _: Async<TcpListener> = TryFrom::<TcpListener>::try_from(listener.into_inner()?)?;
    let _: Async<TcpStream> = TryFrom::<TcpStream>::try_from(stream.into_inner()?)?;
    Ok(())
}

/// UDP.
pub async fn udp(address: SocketAddr) -> io::Result<()> {
    let socket: Async<UdpSocket> = Async::<UdpSocket>::bind(address)?;
    Async::<UdpSocket>::bind((Ipv4Addr::LOCALHOST, 0))?;
    let _: (usize, SocketAddr) = yields(socket.recv_from(&mut [0])).await?;
    let _: (usize, SocketAddr) = yields(socket.peek_from(&mut [0])).await?;
    let _: usize = yields(socket.send_to(&[0], address)).await?;
    let _: usize = yields(socket.send_to(&[0], (Ipv4Addr::LOCALHOST, 1))).await?;
    let _: usize = yields(socket.recv(&mut [0])).await?;
    let _: usize = yields(socket.peek(&mut [0])).await?;
    let _: usize = yields(socket.send(&[0])).await?;
    let _: Async<UdpSocket> = TryFrom::<UdpSocket>::try_from(socket.into_inner()?)?;
    Ok(())
}

/// What is there on Unix.
#[cfg(unix)]
pub mod unix {
    use super::*;
    use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
    use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
    use std::path::Path;

    /// By descriptor.
    pub fn descriptors<T: AsFd + From<OwnedFd> + Into<OwnedFd>>(fd: OwnedFd) -> io::Result<()> {
        let _: fn(T) -> io::Result<Async<T>> = Async::new;
        let _: fn(T) -> io::Result<Async<T>> = Async::new_nonblocking;
        let io: Async<T> = TryFrom::<OwnedFd>::try_from(fd)?;
        let _: BorrowedFd<'_> = io.as_fd();
        let _: Result<OwnedFd, io::Error> = TryFrom::<Async<T>>::try_from(io);
        fn raw<T: AsRawFd>() {
            fn has<T: AsRawFd>() {}
            has::<Async<T>>();
        }
        let _ = raw::<TcpStream>;
        let _: fn() -> Option<BorrowedFd<'static>> = subject::os::unix::reactor_fd;
        Ok(())
    }

    /// Streams.
    pub async fn streams(path: &Path) -> io::Result<()> {
        let listener: Async<UnixListener> = Async::<UnixListener>::bind(path)?;
        Async::<UnixListener>::bind("a path".to_owned())?;
        let _: (Async<UnixStream>, SocketAddr) = yields(listener.accept()).await?;
        {
            fn stream<'a>(
                incoming: impl Stream<Item = io::Result<Async<UnixStream>>> + Send + 'a,
            ) -> impl Sized + 'a {
                incoming
            }
            drop(stream(listener.incoming()));
        }
        let stream: Async<UnixStream> = yields(Async::<UnixStream>::connect(path)).await?;
        Async::<UnixStream>::connect("a path".to_owned()).await?;
        let _: fn() -> io::Result<(Async<UnixStream>, Async<UnixStream>)> =
            Async::<UnixStream>::pair;
        let _: Async<UnixListener> = TryFrom::<UnixListener>::try_from(listener.into_inner()?)?;
        let _: Async<UnixStream> = TryFrom::<UnixStream>::try_from(stream.into_inner()?)?;
        Ok(())
    }

    /// Datagrams.
    pub async fn datagrams(path: &Path) -> io::Result<()> {
        let socket: Async<UnixDatagram> = Async::<UnixDatagram>::bind(path)?;
        Async::<UnixDatagram>::bind("a path".to_owned())?;
        let _: fn() -> io::Result<Async<UnixDatagram>> = Async::<UnixDatagram>::unbound;
        let _: fn() -> io::Result<(Async<UnixDatagram>, Async<UnixDatagram>)> =
            Async::<UnixDatagram>::pair;
        let _: (usize, SocketAddr) = yields(socket.recv_from(&mut [0])).await?;
        let _: usize = yields(socket.send_to(&[0], path)).await?;
        let _: usize = yields(socket.send_to(&[0], "a path".to_owned())).await?;
        let _: usize = yields(socket.recv(&mut [0])).await?;
        let _: usize = yields(socket.send(&[0])).await?;
        let _: Async<UnixDatagram> = TryFrom::<UnixDatagram>::try_from(socket.into_inner()?)?;
        Ok(())
    }
}

/// What is there with kqueue.
#[cfg(any(
    target_vendor = "apple",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly",
))]
pub mod kqueue {
    use super::*;
    use std::num::NonZeroI32;
    use std::os::fd::{AsFd, AsRawFd, OwnedFd};
    use std::process::Child;

    use super::subject::os::kqueue::{Exit, Filter, Queueable, Ready, Signal};

    /// `Filter` of something that can be queued.
    pub fn filters<T: Queueable>(filter: T) -> io::Result<Filter<T>> {
        let _: fn(T) -> io::Result<Filter<T>> = Filter::new;
        Filter::new(filter)
    }

    /// `Filter` of anything.
    pub fn any_filter<T>(mut filter: Filter<T>) -> io::Result<T> {
        let _: fn(&Filter<T>) -> &T = Filter::get_ref;
        let _: fn(&mut Filter<T>) -> &mut T = Filter::get_mut;
        let _: for<'a> fn(&'a Filter<T>) -> Ready<'a, T> = Filter::ready;
        let _: fn(&Filter<T>, &mut Context<'_>) -> Poll<io::Result<()>> = Filter::poll_ready;
        let _: &T = filter.as_ref();
        let _: &mut T = filter.as_mut();
        fn future<T: Future<Output = io::Result<()>> + Unpin>() {}
        future::<Ready<'_, T>>();
        filter.into_inner()
    }

    /// `Filter` by descriptor.
    pub fn descriptors<T: Debug + AsRawFd + AsFd + From<OwnedFd> + Into<OwnedFd>>(
        fd: OwnedFd,
    ) -> io::Result<OwnedFd> {
        fn has<T: Debug + AsFd + AsRawFd>() {}
        has::<Filter<T>>();
        is_debug::<Ready<'_, T>>();
        let filter: Filter<T> = TryFrom::<OwnedFd>::try_from(fd)?;
        let fd: Result<OwnedFd, io::Error> = TryFrom::<Filter<T>>::try_from(filter);
        fd
    }

    /// What can be queued.
    pub fn subjects() {
        fn value<T: Queueable + Debug + Copy + Ord + std::hash::Hash>() {}
        value::<Signal>();
        let Signal(_number): Signal = Signal(1_i32);
        fn queueable<T: Queueable + Debug>() {}
        queueable::<Exit>();
        let _: fn(Child) -> Exit = Exit::new;
        let _: unsafe fn(NonZeroI32) -> Exit = Exit::from_pid;
    }
}

/// What is there on Windows.
#[cfg(windows)]
pub mod windows {
    use super::*;
    use std::os::windows::io::{
        AsHandle, AsRawHandle, AsRawSocket, AsSocket, OwnedHandle, OwnedSocket,
    };

    use super::subject::os::windows::{Ready, Waitable};

    /// By socket.
    pub fn sockets<T: AsSocket + From<OwnedSocket> + Into<OwnedSocket>>(
        socket: OwnedSocket,
    ) -> io::Result<OwnedSocket> {
        let _: fn(T) -> io::Result<Async<T>> = Async::new;
        let _: fn(T) -> io::Result<Async<T>> = Async::new_nonblocking;
        fn has<T: AsSocket>() {}
        has::<Async<T>>();
        fn raw<T: AsRawSocket>() {}
        raw::<Async<TcpStream>>();
        let io: Async<T> = TryFrom::<OwnedSocket>::try_from(socket)?;
        let socket: Result<OwnedSocket, io::Error> = TryFrom::<Async<T>>::try_from(io);
        socket
    }

    /// `Waitable` by handle.
    pub fn handles<T>(handle: OwnedHandle) -> io::Result<OwnedHandle>
    where
        T: Debug + AsRawHandle + AsHandle + From<OwnedHandle> + Into<OwnedHandle>,
    {
        let _: fn(T) -> io::Result<Waitable<T>> = Waitable::new;
        fn has<T: Debug + AsHandle + AsRawHandle>() {}
        has::<Waitable<T>>();
        is_debug::<Ready<'_, T>>();
        let waitable: Waitable<T> = TryFrom::<OwnedHandle>::try_from(handle)?;
        let handle: Result<OwnedHandle, io::Error> = TryFrom::<Waitable<T>>::try_from(waitable);
        handle
    }

    /// `Waitable` of anything.
    pub fn any_waitable<T>(waitable: Waitable<T>) -> io::Result<T> {
        let _: fn(&Waitable<T>) -> &T = Waitable::get_ref;
        let _: unsafe fn(&mut Waitable<T>) -> &mut T = Waitable::get_mut;
        let _: for<'a> fn(&'a Waitable<T>) -> Ready<'a, T> = Waitable::ready;
        let _: fn(&Waitable<T>, &mut Context<'_>) -> Poll<io::Result<()>> = Waitable::poll_ready;
        let _: &T = waitable.as_ref();
        fn future<T: Future<Output = io::Result<()>> + Unpin>() {}
        future::<Ready<'_, T>>();
        waitable.into_inner()
    }
}

/// Whether a type has a trait.
macro_rules! has {
    ($type:ty: $trait:path) => {{
        struct Probe<T: ?Sized>(std::marker::PhantomData<T>);
        #[allow(dead_code)]
        trait Otherwise {
            const HAS: bool = false;
        }
        impl<T: ?Sized> Otherwise for Probe<T> {}
        #[allow(dead_code)]
        impl<T: ?Sized + $trait> Probe<T> {
            const HAS: bool = true;
        }
        <Probe<$type>>::HAS
    }};
}

/// The auto traits and some others of each type in turn, by name.
macro_rules! table {
    ($table:ident: $($type:ty),* $(,)?) => {
        $(
            $table.extend([
                (concat!(stringify!($type), ": Send"), has!($type: Send)),
                (concat!(stringify!($type), ": Sync"), has!($type: Sync)),
                (concat!(stringify!($type), ": Unpin"), has!($type: Unpin)),
                (concat!(stringify!($type), ": UnwindSafe"), has!($type: UnwindSafe)),
                (concat!(stringify!($type), ": RefUnwindSafe"), has!($type: RefUnwindSafe)),
                (concat!(stringify!($type), ": Debug"), has!($type: Debug)),
                (concat!(stringify!($type), ": Clone"), has!($type: Clone)),
                (concat!(stringify!($type), ": IoSafe"), has!($type: IoSafe)),
                (concat!(stringify!($type), ": AsyncRead"), has!($type: AsyncRead)),
                (concat!(stringify!($type), ": AsyncWrite"), has!($type: AsyncWrite)),
                (concat!(stringify!($type), ": Future"), has!($type: Future)),
                (concat!(stringify!($type), ": Stream"), has!($type: Stream)),
            ]);
        )*
    };
}

/// The same for futures of the sources that differ in their traits.
macro_rules! table_of_futures {
    ($table:ident: $($name:ident<$($borrow:lifetime)?>),* $(,)?) => {
        $(
            table!($table:
                $name<$($borrow,)? TcpStream>, $name<$($borrow,)? NotSync>,
                $name<$($borrow,)? NotSend>, $name<$($borrow,)? Neither>,
                $name<$($borrow,)? NotUnpin>, $name<$($borrow,)? NotUnwindSafe>,
                $name<$($borrow,)? Bare>,
            );
        )*
    };
}

type NotSync = Cell<u8>;
type NotSend = MutexGuard<'static, u8>;
type Neither = Rc<u8>;
type NotUnpin = PhantomPinned;
type NotUnwindSafe = &'static mut u8;
/// Neither `Debug` nor anything else of interest.
pub struct Bare;

/// Which type has which trait.
pub fn auto_traits() -> Vec<(&'static str, bool)> {
    let mut table = Vec::new();
    table!(table: Timer);
    table!(table:
        Async<TcpStream>, Async<NotSync>, Async<NotSend>, Async<Neither>, Async<NotUnpin>,
        Async<NotUnwindSafe>, Async<Bare>, &'static Async<TcpStream>, Async<TcpListener>,
        Async<UdpSocket>, Async<io::BufReader<TcpStream>>, Async<&'static [u8]>,
    );
    table_of_futures!(table:
        Readable<'static>, ReadableOwned<>, Writable<'static>, WritableOwned<>,
    );
    table!(table:
        NotSync, Bare, Neither, TcpListener, UdpSocket, Vec<u8>, std::process::Child,
        Arc<TcpStream>, Rc<TcpStream>, io::Cursor<Vec<u8>>, io::BufReader<&'static [u8]>,
        io::Empty, String,
    );
    #[cfg(any(
        target_vendor = "apple",
        target_os = "freebsd",
        target_os = "netbsd",
        target_os = "openbsd",
        target_os = "dragonfly",
    ))]
    {
        use super::subject::os::kqueue::{Exit, Filter, Ready, Signal};
        table!(table:
            Signal, Exit, Filter<Signal>, Filter<Exit>, Filter<Neither>, Filter<NotSync>,
            Filter<NotUnwindSafe>, Ready<'static, Signal>, Ready<'static, Neither>,
            Ready<'static, NotSync>,
        );
    }
    #[cfg(windows)]
    {
        use super::subject::os::windows::{Ready, Waitable};
        table!(table:
            Waitable<std::process::Child>, Waitable<Neither>, Waitable<NotSync>,
            Waitable<NotUnwindSafe>, Ready<'static, std::process::Child>,
            Ready<'static, Neither>, Ready<'static, NotSync>,
        );
    }
    table
}
