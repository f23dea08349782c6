//! The commands that are not about keys.

use bytes::Bytes;
use redis_protocol::resp2::types::BytesFrame;

use super::commands::{self, COMMANDS, Command, NO_INTEGER, Outcome, wrong_number};
use super::info;
use super::reply::bulk;
use super::request::{Request, integer};
use super::server::Client;

/// The version of Redis whose replies these are.
pub const VERSION: &str = "7.0.15";

pub fn ping(client: &mut Client<'_>, request: Request<'_>) -> Outcome {
    match request.len() {
        1 => client.output.simple("PONG"),
        2 => client.output.bulk(&request[1]),
        _ => return Err(wrong_number("ping").into()),
    }
    Ok(())
}

pub fn echo(client: &mut Client<'_>, request: Request<'_>) -> Outcome {
    client.output.bulk(&request[1]);
    Ok(())
}

pub fn quit(client: &mut Client<'_>, _: Request<'_>) -> Outcome {
    client.output.ok();
    client.closing = true;
    Ok(())
}

pub fn select(client: &mut Client<'_>, request: Request<'_>) -> Outcome {
    match i32::try_from(integer(&request[1]).ok_or(NO_INTEGER)?) {
        Ok(0) => {
            client.output.ok();
            Ok(())
        }
        Ok(_) => Err("ERR DB index is out of range".into()),
        Err(_) => {
            let (least, most) = (i32::MIN, i32::MAX);
            Err(format!("ERR value is out of range, value must between {least} and {most}").into())
        }
    }
}

pub fn info(client: &mut Client<'_>, request: Request<'_>) -> Outcome {
    let wanted = |section: &str| {
        let all = ["default", "all", "everything"];
        let names = |word: &[u8], name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        request.len() == 1
            || request
                .from(1)
                .any(|word| names(word, section) || all.iter().any(|all| names(word, all)))
    };
    let text = info::sections(client.server, wanted);
    client.output.text(&text);
    Ok(())
}

pub fn config(client: &mut Client<'_>, request: Request<'_>) -> Outcome {
    let settings = client.server.options.settings(client.server.address.port());
    let named = |name: &'static str| {
        let patterns = request.from(2);
        let mut patterns =
            patterns.filter(|text| matches(&text.to_ascii_lowercase(), name.as_bytes()));
        // A name is told as it was asked for.
        let text = patterns.next()?;
        Some(if text.eq_ignore_ascii_case(name.as_bytes()) { text } else { name.as_bytes() })
    };
    let pairs = settings.into_iter().filter_map(|(name, value)| Some((named(name)?, value)));
    let bytes = |name: &[u8]| BytesFrame::BulkString(Bytes::copy_from_slice(name));
    client.output.map(pairs.map(|(name, value)| (bytes(name), bulk(&value))).collect());
    Ok(())
}

/// Returns `true` if a name is of a pattern, in which `*` stands for anything and `?` for a byte.
///
/// It takes at most the product of the two lengths in steps, and no stack for them: patterns are what
/// clients send.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut from) = (0, 0);
    // What follows the last `*`, and the first byte of the name that this one does not stand for.
    let mut retry = None;
    while from < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                at += 1;
                retry = Some((at, from));
            }
            Some(&byte) if byte == b'?' || byte == name[from] => {
                at += 1;
                from += 1;
            }
            _ => {
                let Some((after, start)) = retry else { return false };
                retry = Some((after, start + 1));
                (at, from) = (after, start + 1);
            }
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

pub fn client(client: &mut Client<'_>, request: Request<'_>) -> Outcome {
    match request[1].to_ascii_lowercase().as_slice() {
        b"id" => client.output.integer(client.id as i64),
        b"getname" if client.name.is_empty() => client.output.null(),
        b"getname" => client.output.bulk(&client.name),
        _ => {
            set_name(client, &request[2])?;
            client.output.ok();
        }
    }
    Ok(())
}

fn set_name(client: &mut Client<'_>, name: &[u8]) -> Outcome {
    if !name.iter().all(|byte| (b'!'..=b'~').contains(byte)) {
        let wrong = "ERR Client names cannot contain spaces, newlines or special characters.";
        return Err(wrong.into());
    }
    client.name = name.into();
    Ok(())
}

pub fn hello(client: &mut Client<'_>, request: Request<'_>) -> Outcome {
    let mut version = if client.output.version_3 { 3 } else { 2 };
    if let Some(text) = request.get(1) {
        version = integer(text).ok_or("ERR Protocol version is not an integer or out of range")?;
        if !(2..=3).contains(&version) {
            return Err("NOPROTO unsupported protocol version".into());
        }
    }
    let mut words = request.from(2);
    while let Some(word) = words.next() {
        match words.next().filter(|_| word.eq_ignore_ascii_case(b"setname")) {
            Some(name) => set_name(client, name)?,
            None => {
                let word = String::from_utf8_lossy(word);
                return Err(format!("ERR Syntax error in HELLO option '{word}'").into());
            }
        }
    }
    client.output.version_3 = version == 3;
    client.output.map(vec![
        (bulk("server"), bulk("redis")),
        (bulk("version"), bulk(VERSION)),
        (bulk("proto"), BytesFrame::Integer(version)),
        (bulk("id"), BytesFrame::Integer(client.id as i64)),
        (bulk("mode"), bulk("standalone")),
        (bulk("role"), bulk("master")),
        (bulk("modules"), BytesFrame::Array(Vec::new())),
    ]);
    Ok(())
}

pub fn command(client: &mut Client<'_>, request: Request<'_>) -> Outcome {
    let Some(word) = request.get(1) else {
        client.output.array(COMMANDS.iter().map(described).collect());
        return Ok(());
    };
    match word.to_ascii_lowercase().as_slice() {
        b"count" => client.output.integer(COMMANDS.len() as i64),
        b"list" => client.output.array(COMMANDS.iter().map(|command| bulk(command.name)).collect()),
        // There are none.
        b"docs" => client.output.map(Vec::new()),
        _ if request.len() == 2 => client.output.array(COMMANDS.iter().map(described).collect()),
        _ => {
            let named = request.from(2).map(commands::find);
            let items = named.map(|found| found.map_or(BytesFrame::Null, described));
            client.output.array_of(items);
        }
    }
    Ok(())
}

/// Returns what clients want to know of a command.
fn described(command: &Command) -> BytesFrame {
    let flag = |flag: &&str| BytesFrame::SimpleString(Bytes::copy_from_slice(flag.as_bytes()));
    let mut parts = vec![
        bulk(command.name),
        BytesFrame::Integer(command.arity.into()),
        BytesFrame::Array(command.flags.iter().map(flag).collect()),
    ];
    parts.extend(command.keys.map(BytesFrame::Integer));
    // Categories, tips, specifications of keys, commands below it.
    parts.extend(std::iter::repeat_n(BytesFrame::Array(Vec::new()), 4));
    BytesFrame::Array(parts)
}

#[cfg(test)]
mod tests {
    use redis_protocol::resp2::types::BytesFrame;

    use super::super::reply::Output;
    use super::{COMMANDS, described, matches};

    /// Hazard: a long reply takes many times its bytes while it is made.
    #[test]
    fn array_by_items_is_the_same() {
        let items = || COMMANDS.iter().map(described).chain([BytesFrame::Null]).collect::<Vec<_>>();
        let (mut whole, mut by_items) = (Output::default(), Output::default());
        whole.array(items());
        by_items.array_of(items().into_iter());
        assert_eq!(by_items.bytes(), whole.bytes());
    }

    /// Hazard: a client that asks for a group of settings gets none, or all.
    #[test]
    fn pattern_matches_group_of_names() {
        for (pattern, name, expected) in [
            ("*", "port", true),
            ("max*", "maxmemory", true),
            ("max*s", "maxmemory", false),
            ("p?rt", "port", true),
            ("port?", "port", false),
            ("", "port", false),
            ("", "", true),
            ("*", "", true),
            ("?", "", false),
            ("*t", "port-port", true),
            ("*o*t", "port-port", true),
            ("*o?t-*rt", "port-port", true),
            ("*ort?", "port-port", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }

    /// Hazard: a client keeps the server busy for years, or ends it, with one pattern.
    #[test]
    fn pattern_of_many_stars_costs_little() {
        let name = b"client-query-buffer-limit";
        for stars in [30, 1_000_000] {
            let mut pattern = b"*".repeat(stars);
            assert!(matches(&pattern, name));
            pattern.push(b'x');
            assert!(!matches(&pattern, name));
        }
        assert!(matches(&b"*?".repeat(name.len()), name));
        assert!(!matches(&b"*?".repeat(name.len() + 1), name));
    }
}
