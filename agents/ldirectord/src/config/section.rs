//! The section of a virtual service.
#![forbid(unsafe_code)]

use super::globals::{unknown, yes_or_no};
use super::place::{self, Fallback, Real};
use super::{
    Address, Checks, Config, Family, Note, Protocol, Virtual, digits, is_comment, is_port_letter,
    is_positive, is_space, quoted, run, states, toggle, value, word,
};

/// What a negotiating check can speak.
const SERVICES: [&str; 21] = [
    "dns",
    "ftp",
    "http",
    "https",
    "http_proxy",
    "imap",
    "imaps",
    "ldap",
    "ldaps",
    "nntp",
    "mysql",
    "none",
    "oracle",
    "pop",
    "pops",
    "radius",
    "pgsql",
    "sip",
    "smtp",
    "submission",
    "simpletcp",
];

/// What chooses where a configuration says nothing.
const DEFAULT_SCHEDULER: &str = "wrr";

/// Ways to check.
const CHECKS: [&str; 7] =
    ["connect", "negotiate", "ping", "off", "on", "external", "external-perl"];

/// Reads a section whose lines begin at an index; gives that of the first line after it.
pub(super) fn read(
    config: &mut Config,
    family: Family,
    address: &str,
    lines: &[&str],
    first: usize,
) -> usize {
    let found = match opened(family, address) {
        Ok(found) => found,
        Err(text) => {
            config.fault(first, text);
            // The lines of the section are read all the same, for their own mistakes.
            Address::Mark(0)
        }
    };
    if matches!(found, Address::Mark(mark) if mark > 0) && address.contains('.') {
        let text = format!("virtual={address} is read as a firewall mark; an address needs a port");
        config.remarks.push(Note { line: first, text });
    }
    let protocol = match &found {
        Address::Mark(_) => Protocol::Mark,
        Address::Place(_, port) if matches!(port.as_str(), "53" | "domain") => Protocol::Udp,
        Address::Place(..) => Protocol::Tcp,
    };
    let mut section = Virtual {
        line: first,
        end: first,
        family,
        address: found,
        protocol,
        off: false,
        checks: Checks::Negotiate,
        service: None,
        scheduler: (first, DEFAULT_SCHEDULER.to_owned()),
        command: None,
        cleanstop: None,
        reals: Vec::new(),
        fallback: None,
    };
    let mut index = first;
    while let Some(line) = lines.get(index) {
        if !is_comment(line) {
            let Some(command) = command(line) else { break };
            if let Err(text) = directive(&mut section, &command, index + 1) {
                config.fault(index + 1, text);
            }
        }
        index += 1;
    }
    section.end = index;
    config.virtuals.push(section);
    index
}

/// Where clients find the service.
fn opened(family: Family, text: &str) -> Result<Address, String> {
    let wrong = || format!("\"{text}\" is no address:port, name:port or firewall mark");
    let is_host =
        |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '+' | '-');
    let end = text.find(|letter| !is_host(letter)).unwrap_or(text.len());
    if end > 0
        && let Some(port) = text[end..].strip_prefix(':').and_then(port)
    {
        return Ok(Address::Place(text[..end].to_owned(), port.to_owned()));
    }
    if text.starts_with(|letter: char| letter.is_ascii_digit()) {
        let mark = digits(text).and_then(|digits| digits.parse().ok()).filter(|mark| *mark > 0);
        return mark
            .map(Address::Mark)
            .ok_or_else(|| format!("{text}: a firewall mark is a number from 1 to {}", u32::MAX));
    }
    let (host, rest) =
        text.strip_prefix('[').and_then(|rest| rest.split_once(']')).ok_or_else(wrong)?;
    let port = rest.strip_prefix(':').and_then(port).ok_or_else(wrong)?;
    let is_six =
        !host.is_empty() && host.chars().all(|letter| letter.is_ascii_hexdigit() || letter == ':');
    match family {
        _ if !is_six => Err(wrong()),
        Family::V4 => Err("an IPv6 address needs virtual6".to_owned()),
        Family::V6 => host
            .parse::<std::net::Ipv6Addr>()
            .map(|_| Address::Place(format!("[{host}]"), port.to_owned()))
            .map_err(|_| format!("{host} is no IPv6 address")),
    }
}

fn port(text: &str) -> Option<&str> {
    run(text, is_port_letter).filter(|port| text.starts_with(port))
}

/// The directive on a line of a section, without comment and indentation; `None` for a line that
/// ends the section.
fn command(line: &str) -> Option<String> {
    let line = line.split('#').next().unwrap_or_default().replace('\t', "    ");
    let spaces = line.len() - line.trim_start_matches(' ').len();
    if spaces < 4 || line.len() == 4 {
        return None;
    }
    // A line of more than four spaces and nothing else has a directive: a space.
    Some(line[spaces.min(line.len() - 1)..].to_owned())
}

fn directive(section: &mut Virtual, text: &str, number: usize) -> Result<(), String> {
    let name = text.split(|letter| is_space(letter) || letter == '=').next().unwrap_or_default();
    let Some(found) = value(text, name).filter(|_| !name.is_empty()) else {
        return Err(unknown(text));
    };
    let filled =
        |text: &str| if text.is_empty() { Err(format!("{name} is empty")) } else { Ok(()) };
    match name {
        "real" | "real6" => {
            of_family(section, name, "real")?;
            place::real(found, number).map(|real: Real| section.reals.push(real))
        }
        "fallback" | "fallback6" => {
            of_family(section, name, "fallback")?;
            place::fallback(found)
                .map(|fallback: Fallback| section.fallback = Some((number, fallback)))
        }
        "request" | "receive" | "login" | "passwd" | "database" | "secret" => filled(
            quoted(found).ok_or_else(|| format!("the value of {name} must be between quotes"))?,
        ),
        "load" => {
            let text = quoted(found)
                .ok_or_else(|| format!("the value of {name} must be between quotes"))?;
            word(text).map(drop).ok_or_else(|| format!("{name} has no word"))
        }
        "checkcommand" => {
            let command = quoted(found).unwrap_or(found);
            section.command = Some((number, command.to_owned()));
            filled(command)
        }
        "fallbackcommand" => filled(quoted(found).unwrap_or(found)),
        "checktype" => checktype(section, found),
        "checktimeout" | "negotiatetimeout" | "checkcount" | "failurecount" | "checkinterval" => {
            is_positive(found)
                .then_some(())
                .ok_or_else(|| format!("{name} must be a number above 0"))
        }
        "connecttimeout" => Err("connecttimeout is gone, use negotiatetimeout".to_owned()),
        "checkport" => {
            let port = digits(found)
                .and_then(|digits| digits.parse::<u16>().ok())
                .filter(|port| *port > 0);
            port.map(drop).ok_or_else(|| "checkport must be a number from 1 to 65535".to_owned())
        }
        "scheduler" => run(found, |letter| letter.is_ascii_lowercase())
            .map(|name| section.scheduler = (number, name.to_owned()))
            .ok_or_else(|| "a scheduler's name has small letters".to_owned()),
        "persistent" => {
            digits(found).map(drop).ok_or_else(|| "persistent must be a number".to_owned())
        }
        "schedflags" => {
            let words = found.contains(|letter| !is_space(letter));
            words.then_some(()).ok_or_else(|| "schedflags is empty".to_owned())
        }
        "netmask" => netmask(section.family, found),
        "protocol" => protocol(section, found),
        "ops" | "quiescent" => yes_or_no(name, found).map(drop),
        "cleanstop" => {
            section.cleanstop =
                Some(toggle(found).ok_or("cleanstop must be yes or no, with nothing after it")?);
            Ok(())
        }
        "service" => {
            section.service = word(found).map(str::to_owned);
            let known = word(found).is_some_and(|word| SERVICES.contains(&word));
            known
                .then_some(())
                .ok_or_else(|| format!("service must be one of {}", SERVICES.join(", ")))
        }
        "httpmethod" => {
            let known = word(found).is_some_and(|word| {
                ["GET", "HEAD"].iter().any(|known| word.eq_ignore_ascii_case(known))
            });
            known.then_some(()).ok_or_else(|| "httpmethod must be GET or HEAD".to_owned())
        }
        "virtualhost" | "servicename" | "comment" | "monitorfile" => Ok(()),
        "emailalert" => filled(if found == "\"\"" { "" } else { found }),
        "emailalertfreq" => {
            let number = found.starts_with(|letter: char| letter.is_ascii_digit());
            number.then_some(()).ok_or_else(|| "emailalertfreq must be a number".to_owned())
        }
        "emailalertstatus" => states(found),
        "smtp" => {
            place::is_mail_host(found).then_some(()).ok_or_else(|| "smtp must be a host".to_owned())
        }
        _ => Err(unknown(text)),
    }
}

/// Whether a directive is of the section's family.
fn of_family(section: &Virtual, name: &str, plain: &str) -> Result<(), String> {
    match (section.family, name.ends_with('6')) {
        (Family::V4, false) | (Family::V6, true) => Ok(()),
        (Family::V4, true) => Err(format!("{name} in a section of IPv4; use {plain}")),
        (Family::V6, false) => Err(format!("{name} in a section of IPv6; use {plain}6")),
    }
}

fn checktype(section: &mut Virtual, value: &str) -> Result<(), String> {
    let letters = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    let first = run(value, letters).filter(|word| digits(value).is_some() || CHECKS.contains(word));
    section.off = first == Some("off") && digits(value).is_none();
    section.checks = match first {
        _ if digits(value).is_some() => Checks::Negotiate,
        Some("negotiate") => Checks::Negotiate,
        Some("external" | "external-perl") => Checks::External,
        _ => Checks::Plain,
    };
    first
        .map(drop)
        .ok_or_else(|| format!("checktype must be a number or one of {}", CHECKS.join(", ")))
}

fn netmask(family: Family, value: &str) -> Result<(), String> {
    match family {
        Family::V4 => {
            let parts: Vec<&str> = value.split('.').collect();
            let quad = parts.len() == 4 && parts.iter().all(|part| digits(part) == Some(part));
            quad.then_some(()).ok_or_else(|| {
                "netmask must be four numbers with dots between, and nothing after".to_owned()
            })
        }
        Family::V6 => {
            let whole = digits(value) == Some(value);
            let length =
                value.parse::<u32>().ok().filter(|length| whole && (1..=128).contains(length));
            length
                .map(drop)
                .ok_or_else(|| "netmask must be a prefix length from 1 to 128".to_owned())
        }
    }
}

fn protocol(section: &mut Virtual, value: &str) -> Result<(), String> {
    let found = word(value).ok_or("protocol is empty")?;
    section.protocol = match (section.protocol, found) {
        (Protocol::Mark, "fwm") => Protocol::Mark,
        (Protocol::Mark, _) => return Err("the protocol of a firewall mark is fwm".to_owned()),
        (_, "tcp") => Protocol::Tcp,
        (_, "udp") => Protocol::Udp,
        _ => return Err("the protocol of an address is tcp or udp".to_owned()),
    };
    Ok(())
}
