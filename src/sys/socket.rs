//! Reading and writing a TCP socket without the C library in between, on Linux.
//!
//! Its `recv` and `send` are points at which a thread can be cancelled. In a process with more
//! than one thread, and with a reactor every process is one, each call changes an atomic word
//! twice for that. Elsewhere the standard library does it.

#[cfg(async_wheel_epoll)]
mod system {
    use std::io;
    use std::os::fd::BorrowedFd;

    use rustix::net::{RecvFlags, SendFlags, recv, send};

    /// A socket that is open.
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Socket<'a>(pub(in crate::sys) BorrowedFd<'a>);

    impl Socket<'_> {
        /// As the standard library's `TcpStream` reads.
        pub(crate) fn receive(self, buffer: &mut [u8]) -> io::Result<usize> {
            let (read, _) = recv(self.0, buffer, RecvFlags::empty())?;
            Ok(read)
        }

        /// As the standard library's `TcpStream` writes: without a signal if nobody reads.
        pub(crate) fn send(self, bytes: &[u8]) -> io::Result<usize> {
            Ok(send(self.0, bytes, SendFlags::NOSIGNAL)?)
        }
    }
}

#[cfg(not(async_wheel_epoll))]
mod system {
    use std::convert::Infallible;
    use std::io;
    use std::marker::PhantomData;

    /// There is none.
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Socket<'a>(Infallible, PhantomData<&'a ()>);

    impl Socket<'_> {
        pub(crate) fn receive(self, _: &mut [u8]) -> io::Result<usize> {
            match self.0 {}
        }

        pub(crate) fn send(self, _: &[u8]) -> io::Result<usize> {
            match self.0 {}
        }
    }
}

pub(crate) use system::Socket;
