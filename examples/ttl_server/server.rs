//! The server: one thread with a task for each connection, and one that removes keys as they end.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::time::{Duration, Instant};

use async_executor::LocalExecutor;
use async_wheel::{Async, Timer};
use futures_lite::{AsyncReadExt, AsyncWriteExt, FutureExt, future};

use super::clock;
use super::commands;
use super::options::ServerOptions;
use super::reply::Output;
use super::request::{Limits, Reader};
use super::store::Store;

/// Replies are written as soon as there are so many bytes.
const FLUSHED: usize = 256 << 10;
/// How many keys are removed at once before others have their turn.
const REMOVED_AT_ONCE: usize = 128;

/// How many connections may wait to be accepted.
const WAITING: i32 = 511;

/// What the tasks share.
pub struct Server {
    pub options: ServerOptions,
    pub address: SocketAddr,
    pub started: Instant,
    pub store: RefCell<Store>,
    pub connected: Cell<usize>,
    pub accepted: Cell<u64>,
    pub rejected: Cell<u64>,
    pub commands: Cell<u64>,
}

impl Server {
    /// Returns `true` if the keys take more memory than they may.
    pub fn is_full(&self) -> bool {
        self.options.maxmemory > 0 && self.store.borrow().memory() > self.options.maxmemory
    }
}

/// A connection, as commands see it.
pub struct Client<'a> {
    pub server: &'a Server,
    pub id: u64,
    pub name: Box<[u8]>,
    pub output: Output,
    /// Whether the connection ends after this reply.
    pub closing: bool,
}

/// Listens on the address that the options name.
pub fn listen(options: &ServerOptions) -> io::Result<Async<TcpListener>> {
    let listener = Async::<TcpListener>::bind((options.bind, options.port))?;
    rustix::net::listen(&listener, WAITING)?;
    Ok(listener)
}

/// Serves until `stop` is ready.
pub async fn serve<S: Future<Output = ()>>(
    options: ServerOptions,
    listener: Async<TcpListener>,
    stop: S,
) -> io::Result<()> {
    let server = Rc::new(Server {
        options,
        address: listener.get_ref().local_addr()?,
        started: clock::now(),
        store: RefCell::new(Store::new()),
        connected: Cell::new(0),
        accepted: Cell::new(0),
        rejected: Cell::new(0),
        commands: Cell::new(0),
    });
    // When it is dropped, all tasks are, and with them their connections.
    let executor = LocalExecutor::new();
    executor.spawn(expire(server.clone())).detach();
    let accepting = accept(&server, &listener, &executor);
    executor.run(stop.or(accepting)).await;
    Ok(())
}

/// Removes each key when its end has come.
async fn expire(server: Rc<Server>) {
    loop {
        for _ in 0..REMOVED_AT_ONCE {
            poll_fn(|cx| server.store.borrow_mut().poll_expire(cx)).await;
        }
        future::yield_now().await;
    }
}

/// Accepts for ever.
async fn accept(server: &Rc<Server>, listener: &Async<TcpListener>, executor: &LocalExecutor<'_>) {
    let mut told = false;
    loop {
        match listener.accept().await {
            Ok((stream, _)) if server.connected.get() >= server.options.maxclients => {
                server.rejected.set(server.rejected.get() + 1);
                // Best effort: it is turned away in any case.
                let _ = stream.get_ref().write(b"-ERR max number of clients reached\r\n");
            }
            Ok((stream, _)) => {
                server.accepted.set(server.accepted.get() + 1);
                let connected = Connected::new(server.clone());
                executor.spawn(connection(connected, stream, server.accepted.get())).detach();
            }
            Err(error) => {
                if !std::mem::replace(&mut told, true) {
                    eprintln!("warning: cannot accept: {error}");
                }
                Timer::after(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Counts a connection while it is open.
struct Connected(Rc<Server>);

impl Connected {
    fn new(server: Rc<Server>) -> Connected {
        server.connected.set(server.connected.get() + 1);
        Connected(server)
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.connected.set(self.0.connected.get() - 1);
    }
}

/// A connection's life.
async fn connection(connected: Connected, stream: Async<TcpStream>, id: u64) {
    let server = &connected.0;
    // Best effort: it only makes the replies later.
    let _ = stream.get_ref().set_nodelay(true);
    let limits = Limits {
        argument: server.options.proto_max_bulk_len,
        request: server.options.query_buffer_limit,
    };
    let client =
        Client { server, id, name: Box::default(), output: Output::default(), closing: false };
    // It ends as it may: the peer has gone.
    let _ = converse(&stream, client, Reader::new(limits)).await;
}

async fn converse(
    mut stream: &Async<TcpStream>,
    mut client: Client<'_>,
    mut reader: Reader,
) -> io::Result<()> {
    while !client.closing {
        let read = stream.read(reader.room()).await?;
        if read == 0 || !reader.filled(read) {
            return Ok(());
        }
        // A client that does not take its replies is not read from: what is kept for it is these
        // and one more.
        while answer(&mut client, &mut reader) {
            stream.write_all(client.output.bytes()).await?;
            client.output.clear();
        }
        // A client that always has more does not keep the others waiting.
        future::yield_now().await;
    }
    Ok(())
}

/// Runs the requests that have come, until there are enough replies to write. Returns `false` if
/// there are none.
fn answer(client: &mut Client<'_>, reader: &mut Reader) -> bool {
    while !client.closing && client.output.bytes().len() < FLUSHED {
        match reader.next() {
            Ok(Some(request)) => {
                client.server.commands.set(client.server.commands.get() + 1);
                commands::run(client, request);
            }
            Ok(None) => break,
            Err(refusal) => {
                client.output.error(&format!("ERR Protocol error: {refusal}"));
                client.closing = true;
            }
        }
    }
    !client.output.bytes().is_empty()
}
