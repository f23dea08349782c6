//! The replies to a client, in the version of the protocol that it asked for.

use bytes::{Bytes, BytesMut};
use redis_protocol::resp2::encode::{extend_encode, extend_encode_borrowed};
use redis_protocol::resp2::types::{BorrowedFrame, BytesFrame};
use redis_protocol::resp3;
use redis_protocol::resp3::types::{self as types3, VerbatimStringFormat};

/// The room that a connection keeps for its replies.
const KEPT: usize = 64 << 10;

/// Replies that are still to be written.
#[derive(Default)]
pub struct Output {
    buffer: BytesMut,
    /// Whether the client asked for version 3 of the protocol.
    pub version_3: bool,
}

impl Output {
    pub fn bytes(&self) -> &[u8] {
        &self.buffer
    }

    /// Forgets what was written.
    pub fn clear(&mut self) {
        if self.buffer.capacity() > KEPT {
            self.buffer = BytesMut::new();
        } else {
            self.buffer.clear();
        }
    }

    pub fn ok(&mut self) {
        self.simple("OK");
    }

    pub fn simple(&mut self, text: &str) {
        self.put(&BorrowedFrame::SimpleString(text.as_bytes()));
    }

    /// Adds an error, which is one line.
    pub fn error(&mut self, text: &str) {
        let text = text.replace(['\r', '\n'], " ");
        self.put(&BorrowedFrame::Error(&text));
    }

    pub fn integer(&mut self, number: i64) {
        self.put(&BorrowedFrame::Integer(number));
    }

    pub fn bulk(&mut self, bytes: &[u8]) {
        self.put(&BorrowedFrame::BulkString(bytes));
    }

    pub fn null(&mut self) {
        if self.version_3 {
            self.put_3(&types3::BorrowedFrame::Null);
        } else {
            self.put(&BorrowedFrame::Null);
        }
    }

    pub fn array(&mut self, items: Vec<BytesFrame>) {
        encoded(extend_encode(&mut self.buffer, &BytesFrame::Array(items), false));
    }

    /// Adds an array item by item: an item takes some hundred bytes until it is encoded, and clients
    /// may ask for many.
    pub fn array_of(&mut self, items: impl ExactSizeIterator<Item = BytesFrame>) {
        self.buffer.extend_from_slice(format!("*{}\r\n", items.len()).as_bytes());
        items.for_each(|item| encoded(extend_encode(&mut self.buffer, &item, false)));
    }

    /// Adds pairs, which are a map in version 3 and an array in version 2.
    pub fn map(&mut self, pairs: Vec<(BytesFrame, BytesFrame)>) {
        if self.version_3 {
            let data = pairs.into_iter().map(|(key, value)| (upgrade(key), upgrade(value)));
            let frame = types3::BytesFrame::Map { data: data.collect(), attributes: None };
            encoded(resp3::encode::complete::extend_encode(&mut self.buffer, &frame, false));
        } else {
            self.array(pairs.into_iter().flat_map(|(key, value)| [key, value]).collect());
        }
    }

    /// Adds a text for people.
    pub fn text(&mut self, text: &str) {
        let data = text.as_bytes();
        if self.version_3 {
            let format = VerbatimStringFormat::Text;
            let frame = types3::BorrowedFrame::VerbatimString { data, format, attributes: None };
            self.put_3(&frame);
        } else {
            self.bulk(data);
        }
    }

    fn put(&mut self, frame: &BorrowedFrame<'_>) {
        encoded(extend_encode_borrowed(&mut self.buffer, frame, false));
    }

    fn put_3(&mut self, frame: &types3::BorrowedFrame<'_>) {
        encoded(resp3::encode::complete::extend_encode_borrowed(&mut self.buffer, frame, false));
    }
}

fn encoded<E: std::fmt::Debug>(result: Result<usize, E>) {
    result.expect("the buffer was made long enough");
}

/// Returns a bulk string.
pub fn bulk(text: &str) -> BytesFrame {
    BytesFrame::BulkString(Bytes::copy_from_slice(text.as_bytes()))
}

/// Returns the same frame of version 3.
fn upgrade(frame: BytesFrame) -> types3::BytesFrame {
    let attributes = None;
    match frame {
        BytesFrame::SimpleString(data) => types3::BytesFrame::SimpleString { data, attributes },
        BytesFrame::Error(data) => types3::BytesFrame::SimpleError { data, attributes },
        BytesFrame::Integer(data) => types3::BytesFrame::Number { data, attributes },
        BytesFrame::BulkString(data) => types3::BytesFrame::BlobString { data, attributes },
        BytesFrame::Array(items) => {
            let data = items.into_iter().map(upgrade).collect();
            types3::BytesFrame::Array { data, attributes }
        }
        BytesFrame::Null => types3::BytesFrame::Null,
    }
}
