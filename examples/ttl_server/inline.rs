//! Inline commands: words of one line, with blanks between them and quotes around them.

/// Splits a line into its words. `None` if a quote is not closed, or closes within a word.
///
/// Within double quotes, `\n`, `\r`, `\t`, `\b`, `\a` and `\xHH` stand for bytes. Within single
/// quotes only `\'` does.
pub fn split(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = line;
    loop {
        let Some(start) = rest.iter().position(|byte| !is_blank(*byte)) else {
            return Some(words);
        };
        rest = &rest[start..];
        let (word, after) = word(rest)?;
        words.push(word);
        rest = after;
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// Reads the word at the start, and returns what follows it.
fn word(mut rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut word = Vec::new();
    loop {
        match *rest {
            [] => return Some((word, rest)),
            [blank, ..] if is_blank(blank) => return Some((word, &rest[1..])),
            [quote @ (b'"' | b'\''), ref after @ ..] => {
                rest = quoted(quote, after, &mut word)?;
                return match rest.first() {
                    Some(byte) if !is_blank(*byte) => None,
                    _ => Some((word, rest)),
                };
            }
            [byte, ref after @ ..] => {
                word.push(byte);
                rest = after;
            }
        }
    }
}

/// Reads what is within quotes, and returns what follows the closing one.
fn quoted<'a>(quote: u8, mut rest: &'a [u8], word: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        let (byte, after) = match *rest {
            [] => return None,
            [byte, ref after @ ..] if byte == quote => return Some(after),
            [b'\\', b'\'', ref after @ ..] if quote == b'\'' => (b'\'', after),
            [b'\\', b'x', high, low, ref after @ ..]
                if quote == b'"' && high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                (16 * digit(high) + digit(low), after)
            }
            [b'\\', byte, ref after @ ..] if quote == b'"' => (escaped(byte), after),
            [byte, ref after @ ..] => (byte, after),
        };
        word.push(byte);
        rest = after;
    }
}

fn digit(byte: u8) -> u8 {
    char::from(byte).to_digit(16).map_or(0, |digit| digit as u8)
}

fn escaped(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    fn words(line: &str) -> Option<Vec<String>> {
        let words = split(line.as_bytes())?;
        Some(words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect())
    }

    /// Hazard: words that redis-server sees otherwise.
    #[test]
    fn line_is_split_at_blanks_outside_quotes() {
        let good: [(&str, &[&str]); 8] = [
            ("", &[]),
            ("  \t ", &[]),
            ("set a 1", &["set", "a", "1"]),
            (r#"set "a b" '1 2'"#, &["set", "a b", "1 2"]),
            (r#"set "" ''"#, &["set", "", ""]),
            (r#""\x41\n\t\q""#, &["A\n\tq"]),
            (r#"'\n\''"#, &["\\n'"]),
            (r#"a"b""#, &["ab"]),
        ];
        for (line, expected) in good {
            assert_eq!(
                words(line).as_deref().map(<[_]>::to_vec),
                Some(to_owned(expected)),
                "{line}"
            );
        }
    }

    fn to_owned(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    /// Hazard: a quote that never ends takes the words behind it.
    #[test]
    fn unbalanced_quotes_are_refused() {
        for line in [r#"set "a"#, "set 'a", r#"set "a"b"#, r#""\"#, r#""a\""#] {
            assert_eq!(words(line), None, "{line}");
        }
    }
}
