//! Lines that name servers: `real` and `fallback`.
#![forbid(unsafe_code)]

use super::{digits, is_port_letter, is_space, trim, word};

/// No name of a server is longer; what comes before is not looked at.
const LONGEST: usize = 1024;

/// Ways to forward.
const METHODS: [&str; 3] = ["gate", "masq", "ipip"];

/// A real server, or a range of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Real {
    /// The line.
    pub line: usize,
    /// The address or name; an IPv6 address between brackets.
    pub first: String,
    /// The last one of a range.
    pub last: Option<String>,
    /// The port, a number or a name; 0 where none is given.
    pub port: String,
    /// How clients' packets get there.
    pub method: String,
    /// Its weight while it lives.
    pub weight: u32,
}

/// The server that answers when no real one does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fallback {
    /// The address or name.
    pub host: String,
    /// The port, if one is given.
    pub port: Option<String>,
    /// How clients' packets get there.
    pub method: String,
}

/// Reads the value of `real`.
pub(super) fn real(value: &str, line: usize) -> Result<Real, String> {
    let (first, last, port, flags) = server(value).ok_or_else(|| {
        format!(
            "\"{}\" is no address[->address][:port] followed by gate, masq or ipip",
            shown(value)
        )
    })?;
    let method = word(flags).filter(|word| METHODS.contains(word)).ok_or(WRONG_METHOD)?;
    let rest = &flags[flags.find(method).unwrap_or_default() + method.len()..];
    let (weight, rest) = number_after(rest, "").map_or((1, rest), |(weight, rest)| (weight, rest));
    let rest = after_pair(rest);
    let rest = number_after(rest, "l:").map_or(rest, |(_, rest)| rest);
    let rest = number_after(rest, "u:").map_or(rest, |(_, rest)| rest);
    if rest.contains(|letter| !is_space(letter)) {
        return Err(format!(
            "\"{}\" does not belong on the line of a real server",
            shown(rest.trim_matches(is_space))
        ));
    }
    let owned = str::to_owned;
    Ok(Real {
        line,
        first: owned(first),
        last: last.map(owned),
        port: owned(port),
        method: owned(method),
        weight,
    })
}

const WRONG_METHOD: &str = "the way to forward must be gate, masq or ipip";

fn shown(text: &str) -> String {
    text.chars().take(60).collect()
}

/// The first word, or end of a word, that is a server; what follows it must be apart by a space.
fn server(value: &str) -> Option<(&str, Option<&str>, &str, &str)> {
    let mut rest = trim(value);
    while let Some(end) = rest.find(is_space) {
        let all = &rest[..end];
        let mut begin = all.len().saturating_sub(LONGEST);
        while !all.is_char_boundary(begin) {
            begin += 1;
        }
        let starts = all[begin..].char_indices().map(|(index, _)| begin + index);
        if let Some((first, last, port)) = starts.into_iter().find_map(|start| whole(&all[start..]))
        {
            return Some((first, last, port, trim(&rest[end..])));
        }
        rest = trim(&rest[end..]);
    }
    None
}

/// A whole word as a server: address, end of the range, port.
fn whole(word: &str) -> Option<(&str, Option<&str>, &str)> {
    let (first, rest) = host(word)?;
    let (last, rest) = match rest.strip_prefix("->") {
        Some(rest) => host(rest).map(|(last, rest)| (Some(last), rest))?,
        // A name may end in the hyphen of the arrow; then it is no name.
        None => (None, rest),
    };
    match rest.strip_prefix(':') {
        Some(port) if !port.is_empty() && port.chars().all(is_port_letter) => {
            Some((first, last, port))
        }
        None if rest.is_empty() => Some((first, last, "0")),
        _ => None,
    }
}

/// An address or name at the begin of a text.
fn host(text: &str) -> Option<(&str, &str)> {
    if let Some(rest) = text.strip_prefix('[') {
        let end = rest.find(']').filter(|end| *end > 0)?;
        let is_six = |letter: char| letter.is_ascii_digit() || matches!(letter, 'A'..='f' | ':');
        return rest[..end].chars().all(is_six).then(|| text.split_at(end + 2));
    }
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-');
    let mut end = text.find(|letter| !is_name(letter)).unwrap_or(text.len());
    if text[end..].starts_with('>') && text[..end].ends_with('-') {
        end -= 1;
    }
    (end > 0).then(|| text.split_at(end))
}

/// A number after a space and a mark, and what follows it.
fn number_after<'text>(text: &'text str, mark: &str) -> Option<(u32, &'text str)> {
    let begins = text
        .match_indices(is_space)
        .map(|(index, _)| index)
        .filter(|index| !text[..*index].ends_with(is_space));
    for index in begins {
        let Some(rest) = trim(&text[index..]).strip_prefix(mark) else { continue };
        if rest.starts_with(|letter: char| letter.is_ascii_digit()) {
            let number = digits(rest)?;
            return Some((number.parse().unwrap_or(u32::MAX), &rest[number.len()..]));
        }
    }
    None
}

/// What follows a pair of quoted strings; the whole text when there is none.
fn after_pair(text: &str) -> &str {
    let begin = text
        .match_indices('"')
        .map(|(index, _)| index)
        .find(|index| text[..*index].ends_with(is_space));
    let (Some(begin), Some(last)) = (begin, text.rfind('"')) else { return text };
    let middle =
        text[begin + 1..].match_indices('"').map(|(index, _)| begin + 1 + index).any(|close| {
            let mut rest = text[close + 1..].chars();
            let separated = matches!(rest.next(), Some(',' | ' '));
            let open = text.len() - rest.as_str().len();
            let next = open + (rest.as_str().len() - trim(rest.as_str()).len());
            separated && text[next..].starts_with('"') && next < last
        });
    if middle { &text[last + 1..] } else { text }
}

/// Reads the value of `fallback`: its last two words count.
pub(super) fn fallback(value: &str) -> Result<Fallback, String> {
    let words: Vec<&str> = value.split(is_space).filter(|word| !word.is_empty()).collect();
    let (place, method) = match words.as_slice() {
        [] => return Err("fallback is empty".to_owned()),
        [place] => (*place, "gate"),
        [.., place, method] => (*place, *method),
    };
    if !METHODS.contains(&method) {
        return Err(WRONG_METHOD.to_owned());
    }
    let port = place
        .rsplit_once(':')
        .filter(|(_, port)| !port.is_empty() && port.chars().all(is_port_letter));
    let (host, port) = port.map_or((place, None), |(host, port)| (host, Some(port.to_owned())));
    Ok(Fallback { host: host.to_owned(), port, method: method.to_owned() })
}

/// Whether a value begins as a host does.
pub(super) fn is_mail_host(value: &str) -> bool {
    value.starts_with(|letter: char| {
        letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '+' | '-')
    })
}
