//! A connection to a server that speaks Redis's protocol.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use async_wheel::Async;
use async_wheel::time::TimeoutExt;
use bytes::{Buf, BytesMut};
use futures_lite::{AsyncReadExt, AsyncWriteExt, future};
use redis_protocol::resp2::decode::decode_range;
use redis_protocol::resp2::encode::extend_encode_borrowed;
use redis_protocol::resp2::types::{BorrowedFrame, RangeFrame};

use crate::Failure;

/// How long a reply may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Requests that are sent at once.
#[derive(Default)]
pub struct Requests {
    bytes: BytesMut,
    count: usize,
}

impl Requests {
    pub fn add(&mut self, words: &[&[u8]]) {
        let words: Vec<_> = words.iter().map(|word| BorrowedFrame::BulkString(word)).collect();
        extend_encode_borrowed(&mut self.bytes, &BorrowedFrame::Array(&words), false)
            .expect("the buffer was made long enough");
        self.count += 1;
    }

    pub fn clear(&mut self) {
        self.bytes.clear();
        self.count = 0;
    }
}

/// A reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply<'a> {
    Simple(&'a [u8]),
    Bulk(&'a [u8]),
    Integer(i64),
    Null,
    Error(&'a [u8]),
    Array,
}

impl<'a> Reply<'a> {
    fn new(bytes: &'a [u8], frame: &RangeFrame) -> Reply<'a> {
        match *frame {
            RangeFrame::SimpleString((start, end)) => Reply::Simple(&bytes[start..end]),
            RangeFrame::BulkString((start, end)) => Reply::Bulk(&bytes[start..end]),
            RangeFrame::Error((start, end)) => Reply::Error(&bytes[start..end]),
            RangeFrame::Integer(number) => Reply::Integer(number),
            RangeFrame::Array(_) => Reply::Array,
            RangeFrame::Null => Reply::Null,
        }
    }

    /// Says what came instead of what was expected.
    pub fn unexpected(self) -> Failure {
        match self {
            Reply::Error(text) => format!("the server replied {}", String::from_utf8_lossy(text)),
            other => format!("the server replied {other:?}"),
        }
    }
}

pub struct Connection {
    stream: Async<TcpStream>,
    input: BytesMut,
}

impl Connection {
    pub async fn new(address: SocketAddr) -> Result<Connection, Failure> {
        let refused = |error| format!("cannot connect to {address}: {error}");
        let stream = Async::<TcpStream>::connect(address).await.map_err(refused)?;
        stream.get_ref().set_nodelay(true).map_err(refused)?;
        Ok(Connection { stream, input: BytesMut::new() })
    }

    /// Sends requests, and gives each reply to `check` with its number.
    pub async fn exchange(
        &mut self,
        requests: &Requests,
        check: impl FnMut(usize, Reply<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let Connection { stream, input } = self;
        let mut writer = &*stream;
        let send = async {
            let sent = writer.write_all(&requests.bytes).await;
            sent.map_err(|error| format!("cannot send to the server: {error}"))
        };
        // At the same time: a server may not read on before its replies are taken.
        let both = future::try_zip(send, receive(stream, input, requests.count, check));
        match both.timeout(PATIENCE).await {
            Ok(done) => done.map(|_| ()),
            Err(_) => Err(format!("the server did not reply within {} s", PATIENCE.as_secs())),
        }
    }

    /// Sends one request, and returns what `read` makes of the reply.
    pub async fn ask<R>(
        &mut self,
        words: &[&[u8]],
        read: impl Fn(Reply<'_>) -> Option<R>,
    ) -> Result<R, Failure> {
        let mut requests = Requests::default();
        requests.add(words);
        let mut answer = None;
        self.exchange(&requests, |_, reply| {
            answer = read(reply);
            answer.as_ref().map(|_| ()).ok_or_else(|| reply.unexpected())
        })
        .await?;
        answer.ok_or_else(|| "the server did not reply".to_owned())
    }
}

async fn receive(
    mut stream: &Async<TcpStream>,
    input: &mut BytesMut,
    count: usize,
    mut check: impl FnMut(usize, Reply<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut chunk = [0; 16 << 10];
    let mut number = 0;
    while number < count {
        let decoded = decode_range(input);
        match decoded.map_err(|error| format!("the server replied what is no reply: {error}"))? {
            Some((frame, length)) => {
                check(number, Reply::new(input, &frame))?;
                input.advance(length);
                number += 1;
            }
            None => match stream.read(&mut chunk).await {
                Ok(0) => return Err("the server has closed the connection".to_owned()),
                Ok(read) => input.extend_from_slice(&chunk[..read]),
                Err(error) => return Err(format!("cannot read from the server: {error}")),
            },
        }
    }
    Ok(())
}
