//! Auto traits are part of the interface: a private field that changes must not take one away.
//! Checked by the compiler; that it compiles is the test.

use std::io;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::panic::{RefUnwindSafe, UnwindSafe};

use async_wheel::time::delay_queue::{Closed, Expired, Handle, Key, UnknownKey};
use async_wheel::time::{
    Activity, DelayQueue, Elapsed, IdleFuture, IdleIo, IdleStream, IdleTimeout,
};
use async_wheel::{Async, Readable, ReadableOwned, Timer, Writable, WritableOwned};
use futures_lite::Stream;

fn everything<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe>() {}
fn sent<T: Send>(_: T) {}
fn shared<T: Send + Sync>() {}

/// For any type inside, whatever it lacks.
fn unpin_whatever_is_inside<'a, T: 'a>() {
    fn unpin<T: Unpin>() {}
    unpin::<Async<T>>();
    unpin::<Readable<'a, T>>();
    unpin::<ReadableOwned<T>>();
    unpin::<Writable<'a, T>>();
    unpin::<WritableOwned<T>>();
    unpin::<DelayQueue<T>>();
    unpin::<Handle<T>>();
}

/// A queue whose values cannot be shared is sent all the same, and so are its handles, shared too.
fn sent_if_the_inside_is<T: Send>() {
    fn send<T: Send>() {}
    send::<DelayQueue<T>>();
    shared::<Handle<T>>();
}

/// For any type inside that has the traits itself.
fn shared_if_the_inside_is<'a, T: Send + Sync + UnwindSafe + RefUnwindSafe + 'a>() {
    everything::<Async<T>>();
    everything::<Readable<'a, T>>();
    everything::<ReadableOwned<T>>();
    everything::<Writable<'a, T>>();
    everything::<WritableOwned<T>>();
}

#[test]
fn no_type_has_lost_an_auto_trait() {
    everything::<Timer>();
    everything::<Key>();
    everything::<UnknownKey>();
    everything::<Expired<u8>>();
    everything::<Closed<u8>>();
    shared::<DelayQueue<u8>>();
    sent_if_the_inside_is::<std::cell::Cell<u8>>();
    everything::<IdleTimeout>();
    everything::<Activity>();
    everything::<Elapsed>();
    everything::<IdleFuture<TcpStream>>();
    everything::<IdleIo<TcpStream>>();
    everything::<IdleStream<TcpStream>>();
    shared_if_the_inside_is::<TcpStream>();
    shared_if_the_inside_is::<TcpListener>();
    shared_if_the_inside_is::<UdpSocket>();
    unpin_whatever_is_inside::<std::marker::PhantomPinned>();
}

#[test]
fn no_future_has_lost_send() {
    // Built and dropped, not run.
    async_wheel::block_on(async {
        let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0)).unwrap();
        let address = listener.get_ref().local_addr().unwrap();
        let mut socket = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0)).unwrap();
        let mut buffer = [0; 8];
        sent(listener.accept());
        sent(listener.incoming());
        sent(Async::<TcpStream>::connect(address));
        sent(socket.recv(&mut buffer));
        sent(socket.recv_from(&mut buffer));
        sent(socket.peek(&mut buffer));
        sent(socket.send(b""));
        sent(socket.send_to(b"", address));
        sent(socket.read_with(|_| io::Result::Ok(())));
        sent(socket.write_with(|_| io::Result::Ok(())));
        // SAFETY: the operation does nothing at all.
        sent(unsafe { socket.read_with_mut(|_| io::Result::Ok(())) });
        // SAFETY: as above.
        sent(unsafe { socket.write_with_mut(|_| io::Result::Ok(())) });
    });
}

#[test]
fn timer_is_future_and_stream_of_instants() {
    fn both<T: Future<Output = std::time::Instant> + Stream<Item = std::time::Instant>>() {}
    both::<Timer>();
}
