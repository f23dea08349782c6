//! How requests are read: arrays of bulk strings, and inline commands.
//!
//! A request may come in pieces that end at any byte. It is kept as it came, and its arguments are
//! slices of that, so that nothing is copied and nothing is taken for what is only announced.

use std::borrow::Cow;
use std::ops::Index;

use super::inline;

/// The longest line without an end: an inline command, or the length of what follows.
const LONGEST_LINE: usize = 64 << 10;
/// The most arguments of one request.
const MOST_ARGUMENTS: i64 = i32::MAX as i64;
/// The least room for what is read next.
const ROOM: usize = 16 << 10;
/// The most room that is made at once.
const MOST_ROOM: usize = 64 << 20;
/// The most that is read at once.
const MOST_READ: usize = 1 << 20;
/// The room that a connection keeps between two requests.
const KEPT: usize = 64 << 10;

/// Why a request cannot be read. It is the reply, and ends the connection.
pub type Refusal = Cow<'static, str>;

/// How long requests may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The longest argument, in bytes.
    pub argument: usize,
    /// The longest request, in bytes, below 4 GiB.
    pub request: usize,
}

/// The arguments of a request. The first is the name of the command.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    bytes: &'a [u8],
    parts: &'a [Part],
}

/// Where an argument is, counted from the start of its request.
#[derive(Clone, Copy)]
struct Part {
    start: u32,
    end: u32,
}

impl<'a> Request<'a> {
    pub fn len(&self) -> usize {
        self.parts.len()
    }

    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        let part = self.parts.get(index)?;
        Some(&self.bytes[part.start as usize..part.end as usize])
    }

    /// Returns the arguments from the given one on.
    pub fn from(&self, index: usize) -> impl ExactSizeIterator<Item = &'a [u8]> + use<'a> {
        let request = *self;
        (index..self.len()).map(move |index| request.get(index).expect("it is in the range"))
    }
}

impl Index<usize> for Request<'_> {
    type Output = [u8];

    fn index(&self, index: usize) -> &[u8] {
        self.get(index).expect("the arity was checked")
    }
}

/// Reads the requests of one connection.
pub struct Reader {
    limits: Limits,
    /// What has come, and behind it room for more.
    buffer: Vec<u8>,
    filled: usize,
    /// Where the current request starts, and up to where it has been read.
    start: usize,
    position: usize,
    parts: Vec<Part>,
    /// How many arguments are still to come.
    missing: usize,
    /// The length of the argument that comes now, once that has been read.
    argument: Option<usize>,
    complete: bool,
    /// The arguments of an inline command, whose quotes are gone.
    unquoted: Option<Vec<u8>>,
}

impl Reader {
    pub fn new(limits: Limits) -> Reader {
        Reader {
            limits,
            buffer: Vec::new(),
            filled: 0,
            start: 0,
            position: 0,
            parts: Vec::new(),
            missing: 0,
            argument: None,
            complete: false,
            unquoted: None,
        }
    }

    /// Returns the room for what comes next. The start of it was filled if `filled` says so.
    pub fn room(&mut self) -> &mut [u8] {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.filled, 0);
            self.filled -= self.start;
            self.position -= self.start;
            self.start = 0;
        }
        if self.filled == 0 && self.buffer.len() > KEPT {
            self.buffer = Vec::new();
        }
        if self.buffer.len() - self.filled < ROOM {
            self.buffer.resize(self.filled + self.filled.clamp(ROOM, MOST_ROOM), 0);
        }
        let end = self.buffer.len().min(self.filled + MOST_READ);
        &mut self.buffer[self.filled..end]
    }

    /// Notes that so many bytes have come. Returns `false` if the request is longer than it may
    /// be.
    #[must_use]
    pub fn filled(&mut self, bytes: usize) -> bool {
        self.filled += bytes;
        self.filled - self.start <= self.limits.request
    }

    /// Returns the next request, or `None` if it is not all there.
    pub fn next(&mut self) -> Result<Option<Request<'_>>, Refusal> {
        if self.complete {
            self.begin();
        }
        while !self.complete {
            if self.filled == self.position {
                return Ok(None);
            }
            let progress = if self.missing > 0 {
                self.read_argument()?
            } else if self.buffer[self.position] == b'*' {
                self.read_count()?
            } else {
                self.read_inline()?
            };
            if !progress {
                return Ok(None);
            }
        }
        let bytes = match &self.unquoted {
            Some(unquoted) => unquoted,
            None => &self.buffer[self.start..self.position],
        };
        Ok(Some(Request { bytes, parts: &self.parts }))
    }

    /// Forgets the request that was read.
    fn begin(&mut self) {
        self.start = self.position;
        self.parts.clear();
        self.parts.shrink_to(ROOM);
        self.unquoted = None;
        self.complete = false;
    }

    fn read_count(&mut self) -> Result<bool, Refusal> {
        let Some(count) = self.read_line("too big mbulk count string")? else { return Ok(false) };
        match count {
            // A request without arguments is none.
            Some(..=0) => self.start = self.position,
            Some(count @ ..=MOST_ARGUMENTS) => self.missing = count as usize,
            _ => return Err("invalid multibulk length".into()),
        }
        Ok(true)
    }

    fn read_argument(&mut self) -> Result<bool, Refusal> {
        let length = match self.argument {
            Some(length) => length,
            None => match self.read_length()? {
                Some(length) => *self.argument.insert(length),
                None => return Ok(false),
            },
        };
        // Two bytes end it, whatever they are.
        if self.filled - self.position < length + 2 {
            return Ok(false);
        }
        let start = self.position - self.start;
        self.parts.push(Part { start: start as u32, end: (start + length) as u32 });
        self.position += length + 2;
        self.argument = None;
        self.missing -= 1;
        self.complete = self.missing == 0;
        Ok(true)
    }

    fn read_length(&mut self) -> Result<Option<usize>, Refusal> {
        let first = self.buffer[self.position];
        if first != b'$' && self.line().is_some() {
            let got = String::from_utf8_lossy(&[first]).into_owned();
            return Err(format!("expected '$', got '{got}'").into());
        }
        match self.read_line("too big bulk count string")? {
            None => Ok(None),
            Some(Some(length @ 0..)) if length as u64 <= self.limits.argument as u64 => {
                Ok(Some(length as usize))
            }
            Some(_) => Err("invalid bulk length".into()),
        }
    }

    /// Returns the length of the line at the position, without the two bytes that end it.
    fn line(&self) -> Option<usize> {
        let rest = &self.buffer[self.position..self.filled];
        let length = memchr::memchr(b'\r', rest)?;
        (length + 2 <= rest.len()).then_some(length)
    }

    /// Reads a line of a letter and a number: `Some(None)` if it is no number.
    fn read_line(&mut self, too_long: &'static str) -> Result<Option<Option<i64>>, Refusal> {
        let Some(length) = self.line() else {
            let long = self.filled - self.position > LONGEST_LINE;
            return if long { Err(too_long.into()) } else { Ok(None) };
        };
        let number = integer(&self.buffer[self.position + 1..self.position + length]);
        self.position += length + 2;
        Ok(Some(number))
    }

    fn read_inline(&mut self) -> Result<bool, Refusal> {
        let rest = &self.buffer[self.position..self.filled];
        let Some(length) = memchr::memchr(b'\n', rest) else {
            let long = rest.len() > LONGEST_LINE;
            return if long { Err("too big inline request".into()) } else { Ok(false) };
        };
        let line = rest[..length].strip_suffix(b"\r").unwrap_or(&rest[..length]);
        let words = inline::split(line).ok_or("unbalanced quotes in request")?;
        self.position += length + 1;
        if words.is_empty() {
            self.start = self.position;
            return Ok(true);
        }
        let mut unquoted = Vec::new();
        for word in &words {
            let start = unquoted.len() as u32;
            unquoted.extend_from_slice(word);
            self.parts.push(Part { start, end: unquoted.len() as u32 });
        }
        self.unquoted = Some(unquoted);
        self.complete = true;
        Ok(true)
    }
}

/// Reads a whole number as Redis writes it: no plus sign, no zeros in front, no blanks.
pub fn integer(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let canonical = match digits {
        [b'0'] => digits.len() == text.len(),
        [b'1'..=b'9', ..] => true,
        _ => false,
    };
    if !canonical {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::{Limits, Reader, integer};

    type Words = Vec<Vec<u8>>;

    /// Feeds the pieces, and returns the requests, and why it ended if it was refused.
    fn read(pieces: &[&[u8]]) -> (Vec<Words>, Option<String>) {
        let mut reader = Reader::new(Limits { argument: 1_000, request: 100_000 });
        let mut requests = Vec::new();
        for piece in pieces {
            for piece in piece.chunks(1_000) {
                reader.room()[..piece.len()].copy_from_slice(piece);
                assert!(reader.filled(piece.len()));
                loop {
                    match reader.next() {
                        Ok(Some(request)) => {
                            requests.push(request.from(0).map(<[u8]>::to_vec).collect());
                        }
                        Ok(None) => break,
                        Err(refusal) => return (requests, Some(refusal.into_owned())),
                    }
                }
            }
        }
        (requests, None)
    }

    fn written(requests: &[Words]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for words in requests {
            bytes.extend(format!("*{}\r\n", words.len()).bytes());
            for word in words {
                bytes.extend(format!("${}\r\n", word.len()).bytes());
                bytes.extend(word);
                bytes.extend(b"\r\n");
            }
        }
        bytes
    }

    /// Hazard: what a read returns decides what is understood.
    #[test]
    fn requests_may_be_split_anywhere() {
        let bytes =
            b"*2\r\n$3\r\nGET\r\n$4\r\na\r\nb\r\nset a \"b c\"\r\n\r\n*0\r\n*1\r\n$0\r\n\r\nping\n";
        let whole = read(&[bytes]);
        assert_eq!((whole.0.len(), &whole.1), (4, &None));
        for first in 0..bytes.len() {
            for second in first..bytes.len() {
                let pieces = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                assert_eq!(read(&pieces), whole, "{first} {second}");
            }
        }
        let single: Vec<_> = bytes.chunks(1).collect();
        assert_eq!(read(&single), whole);
    }

    /// Hazard: numbers that Redis refuses are taken, or other ones.
    #[test]
    fn integers_are_canonical() {
        for (text, expected) in [
            ("0", Some(0)),
            ("-1", Some(-1)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("", None),
            ("-", None),
            ("-0", None),
            ("00", None),
            ("01", None),
            ("+1", None),
            (" 1", None),
            ("1 ", None),
            ("1.0", None),
        ] {
            assert_eq!(integer(text.as_bytes()), expected, "{text:?}");
        }
    }

    proptest! {
        /// Hazard: arguments of any bytes are changed on the way.
        #[test]
        fn arguments_come_as_they_were_sent(
            requests in vec(vec(vec(any::<u8>(), 0..50), 1..5), 0..10),
            piece in 1_usize..100,
        ) {
            let bytes = written(&requests);
            let pieces: Vec<_> = bytes.chunks(piece).collect();
            prop_assert_eq!(read(&pieces), (requests, None));
        }

        /// Hazard: a panic ends the server for all.
        #[test]
        fn any_bytes_are_read_or_refused(
            bytes in proptest::string::bytes_regex(r#"([*$]|-?[0-9]{1,3}|\r\n|["' ]|\\x|[a-z]|(?s-u:.)){0,100}"#).unwrap(),
            piece in 1_usize..20,
        ) {
            let pieces: Vec<_> = bytes.chunks(piece).collect();
            prop_assert_eq!(read(&pieces), read(&[&bytes]));
        }
    }
}
