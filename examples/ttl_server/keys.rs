//! The commands on keys.

use super::clock;
use super::commands::{NO_INTEGER, Outcome, SYNTAX};
use super::request::{Request, integer};
use super::server::Client;
use super::store::{Deadline, End};

/// How an end is given.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Unit {
    /// The milliseconds of one.
    millis: i64,
    /// Whether it counts from now, or else from 1970.
    relative: bool,
}

const SECONDS: Unit = Unit { millis: 1_000, relative: true };
const MILLIS: Unit = Unit { millis: 1, relative: true };
const SECONDS_AT: Unit = Unit { millis: 1_000, relative: false };
const MILLIS_AT: Unit = Unit { millis: 1, relative: false };

impl Unit {
    /// Returns the end in milliseconds since 1970, unless it is out of range.
    fn end(self, number: i64, base: i64) -> Option<i64> {
        let millis = number.checked_mul(self.millis)?;
        millis.checked_add(if self.relative { base } else { 0 })
    }

    /// Returns the deadline, or `None` if it is over.
    fn deadline(self, number: i64, end: i64, base: i64) -> Option<Deadline> {
        if !self.relative {
            return clock::at(end);
        }
        let left = u64::try_from(number * self.millis).ok()?;
        (left > 0).then(|| clock::after(left, base))
    }
}

fn invalid(name: &str) -> String {
    format!("ERR invalid expire time in '{name}' command")
}

pub fn count(client: &mut Client<'_>, _: Request<'_>) -> Outcome {
    let keys = client.server.store.borrow().len();
    client.output.integer(keys as i64);
    Ok(())
}

pub fn clear(client: &mut Client<'_>, request: Request<'_>) -> Outcome {
    let known =
        |word: &[u8]| word.eq_ignore_ascii_case(b"sync") || word.eq_ignore_ascii_case(b"async");
    if request.len() > 2 || !request.from(1).all(known) {
        return Err(SYNTAX.into());
    }
    client.server.store.borrow_mut().clear();
    client.output.ok();
    Ok(())
}

pub fn get(client: &mut Client<'_>, request: Request<'_>) -> Outcome {
    match client.server.store.borrow_mut().read(&request[1]) {
        Some(value) => client.output.bulk(value),
        None => client.output.null(),
    }
    Ok(())
}

pub fn delete(client: &mut Client<'_>, request: Request<'_>) -> Outcome {
    let mut store = client.server.store.borrow_mut();
    let removed = request.from(1).filter(|name| store.remove(name)).count();
    client.output.integer(removed as i64);
    Ok(())
}

pub fn exists(client: &mut Client<'_>, request: Request<'_>) -> Outcome {
    let mut store = client.server.store.borrow_mut();
    let found = request.from(1).filter(|name| store.contains(name)).count();
    client.output.integer(found as i64);
    Ok(())
}

/// The options of SET.
#[derive(Default)]
struct SetOptions<'a> {
    only_new: bool,
    only_old: bool,
    get: bool,
    keep: bool,
    end: Option<(Unit, &'a [u8])>,
}

impl<'a> SetOptions<'a> {
    fn read(request: Request<'a>) -> Option<SetOptions<'a>> {
        let mut options = SetOptions::default();
        let mut words = request.from(3);
        while let Some(word) = words.next() {
            match word.to_ascii_lowercase().as_slice() {
                b"nx" if !options.only_old => options.only_new = true,
                b"xx" if !options.only_new => options.only_old = true,
                b"get" => options.get = true,
                b"keepttl" if options.end.is_none() => options.keep = true,
                b"ex" => options.set_end(SECONDS, words.next()?)?,
                b"px" => options.set_end(MILLIS, words.next()?)?,
                b"exat" => options.set_end(SECONDS_AT, words.next()?)?,
                b"pxat" => options.set_end(MILLIS_AT, words.next()?)?,
                _ => return None,
            }
        }
        Some(options)
    }

    /// Notes an end, or `None` if there is one of another kind. Of the same kind the last counts.
    fn set_end(&mut self, unit: Unit, number: &'a [u8]) -> Option<()> {
        let fits = !self.keep && self.end.is_none_or(|(other, _)| other == unit);
        self.end = Some((unit, number));
        fits.then_some(())
    }

    /// Returns the end, or `None` if it is over.
    fn end(&self) -> Result<Option<End>, String> {
        let Some((unit, text)) = self.end else {
            return Ok(Some(if self.keep { End::Kept } else { End::Never }));
        };
        let number = integer(text).ok_or(NO_INTEGER)?;
        let base = clock::unix_millis();
        let end = unit.end(number, base).filter(|_| number > 0).ok_or_else(|| invalid("set"))?;
        Ok(unit.deadline(number, end, base).map(End::At))
    }
}

pub fn set(client: &mut Client<'_>, request: Request<'_>) -> Outcome {
    let options = SetOptions::read(request).ok_or(SYNTAX)?;
    let end = options.end()?;
    let (name, value) = (&request[1], &request[2]);
    let mut store = client.server.store.borrow_mut();
    if options.get {
        match store.read(name) {
            Some(old) => client.output.bulk(old),
            None => client.output.null(),
        }
    }
    let conditional = options.only_new || options.only_old;
    let wanted = !conditional || store.contains(name) == options.only_old;
    match end {
        _ if !wanted => {}
        Some(end) => store.set(name, value, end),
        None => _ = store.remove(name),
    }
    match (options.get, wanted) {
        (true, _) => {}
        (false, true) => client.output.ok(),
        (false, false) => client.output.null(),
    }
    Ok(())
}

pub fn expire(client: &mut Client<'_>, request: Request<'_>) -> Outcome {
    change_end("expire", SECONDS, client, request)
}

pub fn expire_millis(client: &mut Client<'_>, request: Request<'_>) -> Outcome {
    change_end("pexpire", MILLIS, client, request)
}

pub fn expire_at(client: &mut Client<'_>, request: Request<'_>) -> Outcome {
    change_end("expireat", SECONDS_AT, client, request)
}

pub fn expire_at_millis(client: &mut Client<'_>, request: Request<'_>) -> Outcome {
    change_end("pexpireat", MILLIS_AT, client, request)
}

/// On which condition an end is changed.
#[derive(Default)]
struct Conditions {
    no_end: bool,
    some_end: bool,
    later: bool,
    earlier: bool,
}

impl Conditions {
    fn read(request: Request<'_>) -> Result<Conditions, String> {
        let mut conditions = Conditions::default();
        for word in request.from(3) {
            match word.to_ascii_lowercase().as_slice() {
                b"nx" => conditions.no_end = true,
                b"xx" => conditions.some_end = true,
                b"gt" => conditions.later = true,
                b"lt" => conditions.earlier = true,
                _ => {
                    return Err(format!(
                        "ERR Unsupported option {}",
                        String::from_utf8_lossy(word)
                    ));
                }
            }
        }
        let Conditions { no_end, some_end, later, earlier } = conditions;
        let not_together = if no_end && (some_end || later || earlier) {
            "NX and XX, GT or LT"
        } else if later && earlier {
            "GT and LT"
        } else {
            return Ok(conditions);
        };
        Err(format!("ERR {not_together} options at the same time are not compatible"))
    }

    /// Returns `true` if a key that has this end may get that one. No end is later than any.
    fn allow(&self, old: Option<i64>, new: i64) -> bool {
        !(self.no_end && old.is_some()
            || self.some_end && old.is_none()
            || self.later && old.is_none_or(|old| new <= old)
            || self.earlier && old.is_some_and(|old| new >= old))
    }
}

fn change_end(name: &str, unit: Unit, client: &mut Client<'_>, request: Request<'_>) -> Outcome {
    let conditions = Conditions::read(request)?;
    let number = integer(&request[2]).ok_or(NO_INTEGER)?;
    let base = clock::unix_millis();
    let end = unit.end(number, base).ok_or_else(|| invalid(name))?;
    let mut store = client.server.store.borrow_mut();
    let allowed = store.end(&request[1]).is_some_and(|old| conditions.allow(old, end));
    if allowed {
        match unit.deadline(number, end, base) {
            Some(deadline) => store.set_end(&request[1], End::At(deadline)),
            // It is over.
            None => store.remove(&request[1]),
        };
    }
    client.output.integer(allowed.into());
    Ok(())
}

pub fn persist(client: &mut Client<'_>, request: Request<'_>) -> Outcome {
    let mut store = client.server.store.borrow_mut();
    let ends = store.end(&request[1]).flatten().is_some();
    if ends {
        store.set_end(&request[1], End::Never);
    }
    client.output.integer(ends.into());
    Ok(())
}

pub fn left(client: &mut Client<'_>, request: Request<'_>) -> Outcome {
    tell_end(client, request, |end| in_seconds(left_of(end)))
}

pub fn left_millis(client: &mut Client<'_>, request: Request<'_>) -> Outcome {
    tell_end(client, request, left_of)
}

pub fn end(client: &mut Client<'_>, request: Request<'_>) -> Outcome {
    tell_end(client, request, in_seconds)
}

pub fn end_millis(client: &mut Client<'_>, request: Request<'_>) -> Outcome {
    tell_end(client, request, |end| end)
}

fn left_of(end: i64) -> i64 {
    end.saturating_sub(clock::unix_millis()).max(0)
}

/// Returns the nearest number of seconds.
fn in_seconds(millis: i64) -> i64 {
    millis / 1_000 + i64::from(millis % 1_000 >= 500)
}

/// Replies with the end of a key: -2 if there is no such key, -1 if it has no end.
fn tell_end(client: &mut Client<'_>, request: Request<'_>, told: fn(i64) -> i64) -> Outcome {
    let end = client.server.store.borrow_mut().end(&request[1]);
    client.output.integer(match end {
        None => -2,
        Some(None) => -1,
        Some(Some(end)) => told(end),
    });
    Ok(())
}
