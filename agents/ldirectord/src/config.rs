//! What a configuration file says, and what is wrong with it. Pure: names become addresses in
//! [`resolve`].
//!
//! The daemon's own way of reading decides, with all its odd corners: nothing that it accepts is
//! refused here. It reads a line at a time. A line that begins with `virtual=` opens a section; the
//! lines that follow belong to it as long as they begin with four spaces or a tab, but for
//! comments; the first other line ends it, an empty one, too. Everything else is for all services.
//! In a section, a `#` begins a comment anywhere, even between quotes; outside only at a line's
//! begin. Where a number is expected, the first digits in the value are it; where a word is
//! expected, the first word, or in places the value to its last space.
#![forbid(unsafe_code)]

mod globals;
mod place;
pub mod resolve;
mod section;

pub use place::{Fallback, Real};

/// No file has more mistakes than anybody wants to read.
pub const MOST_FAULTS: usize = 20;

/// A mistake, or something worth a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The line, counted from 1.
    pub line: usize,
    /// What it is.
    pub text: String,
}

/// Addresses of IPv4 or of IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// `virtual`, `real`, `fallback`.
    V4,
    /// `virtual6`, `real6`, `fallback6`.
    V6,
}

/// What a virtual service balances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Connections.
    Tcp,
    /// Datagrams.
    Udp,
    /// Whatever has the mark.
    Mark,
}

impl Protocol {
    /// Its name in /etc/services.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Mark => "fwm",
        }
    }
}

/// Where clients find a virtual service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// By a mark that the firewall has set.
    Mark(u32),
    /// By address and port; both may be names.
    Place(String, String),
}

/// Kinds of checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checks {
    /// By requests of a service's own protocol, each time or now and then.
    Negotiate,
    /// By a program, or a file of Perl.
    External,
    /// By no more than the daemon has itself.
    Plain,
}

/// A virtual service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Virtual {
    /// Where its section begins.
    pub line: usize,
    /// The line after its section.
    pub end: usize,
    /// Its addresses.
    pub family: Family,
    /// Where clients find it.
    pub address: Address,
    /// What it balances.
    pub protocol: Protocol,
    /// `checktype=off`: no real server is ever put in.
    pub off: bool,
    /// How its real servers are checked.
    pub checks: Checks,
    /// `service=`, where it is given: what a negotiating check speaks.
    pub service: Option<String>,
    /// What chooses a real server for a client, with its line.
    pub scheduler: (usize, String),
    /// `checkcommand=`, with its line.
    pub command: Option<(usize, String)>,
    /// What it says itself of `cleanstop`.
    pub cleanstop: Option<bool>,
    /// Its real servers.
    pub reals: Vec<Real>,
    /// Its own fallback, with the line.
    pub fallback: Option<(usize, Fallback)>,
}

/// A configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The virtual services.
    pub virtuals: Vec<Virtual>,
    /// The fallbacks of all services, with their lines.
    pub fallbacks: Vec<(usize, Family, Fallback)>,
    /// Whether the daemon takes its services away when it ends.
    pub cleanstop: bool,
    /// Whether the daemon reads the file again when it has changed.
    pub autoreload: bool,
    /// Whether the daemon stays in the foreground, with its line.
    pub supervised: Option<usize>,
    /// Other configurations that get daemons of their own.
    pub executes: Vec<String>,
    /// Whether each service has a process of its own, and its checks cannot end the daemon.
    pub forks: bool,
    /// `logfile=`, a file or a facility of syslog, with its line.
    pub log: Option<(usize, String)>,
    /// What the daemon would refuse.
    pub faults: Vec<Note>,
    /// What it accepts, and is hardly meant.
    pub remarks: Vec<Note>,
}

impl Config {
    fn fault(&mut self, line: usize, text: impl Into<String>) {
        if self.faults.len() < MOST_FAULTS {
            self.faults.push(Note { line, text: text.into() });
        }
    }
}

/// Reads a configuration to its end, whatever is wrong with it.
#[must_use]
pub fn read(text: &str) -> Config {
    let mut config = Config {
        virtuals: Vec::new(),
        fallbacks: Vec::new(),
        cleanstop: true,
        autoreload: false,
        supervised: None,
        executes: Vec::new(),
        forks: false,
        log: None,
        faults: Vec::new(),
        remarks: Vec::new(),
    };
    let lines: Vec<&str> = text.split('\n').collect();
    let mut index = 0;
    while let Some(line) = lines.get(index) {
        index += 1;
        if let Some((family, value)) = opening(line) {
            index = section::read(&mut config, family, value, &lines, index);
        } else if !is_blank(line) && !is_comment(line) {
            globals::read(&mut config, line, index);
        }
    }
    config
}

/// A line that begins a section.
fn opening(line: &str) -> Option<(Family, &str)> {
    value(line, "virtual")
        .map(|value| (Family::V4, value))
        .or_else(|| value(line, "virtual6").map(|value| (Family::V6, value)))
}

/// What is assigned to a name at the begin of a text.
fn value<'text>(text: &'text str, name: &str) -> Option<&'text str> {
    Some(trim(trim(text.strip_prefix(name)?).strip_prefix('=')?))
}

/// What is between the first quote, which begins the value, and the last one.
fn quoted(value: &str) -> Option<&str> {
    let rest = value.strip_prefix('"')?;
    rest.rfind('"').map(|end| &rest[..end])
}

/// Without the spaces at its begin, as Perl has them.
fn trim(text: &str) -> &str {
    text.trim_start_matches(is_space)
}

fn is_space(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\r' | '\n' | '\x0b' | '\x0c')
}

fn is_blank(line: &str) -> bool {
    line.chars().all(is_space)
}

fn is_comment(line: &str) -> bool {
    trim(line).starts_with('#')
}

/// The first run of letters of a kind.
fn run(text: &str, kind: impl Fn(char) -> bool) -> Option<&str> {
    let start = text.find(&kind)?;
    let rest = &text[start..];
    Some(&rest[..rest.find(|letter| !kind(letter)).unwrap_or(rest.len())])
}

/// The first digits.
fn digits(text: &str) -> Option<&str> {
    run(text, |letter| letter.is_ascii_digit())
}

/// The first word.
fn word(text: &str) -> Option<&str> {
    run(text, is_word)
}

fn is_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

/// A part of a service's name.
fn is_port_letter(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_')
}

/// Whether a value has a number other than 0.
fn is_positive(value: &str) -> bool {
    digits(value).is_some_and(|digits| digits.bytes().any(|digit| digit != b'0'))
}

/// yes or no, exactly.
fn toggle(value: &str) -> Option<bool> {
    match value {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

/// The comma-separated states of `emailalertstatus`.
fn states(value: &str) -> Result<(), String> {
    // Perl's split drops the empty fields at the end.
    let mut all: Vec<&str> = value.split(',').map(|state| state.trim_matches(is_space)).collect();
    // Only around commas are spaces left out.
    if let (Some(last), Some(whole)) = (all.last_mut(), value.rsplit(',').next()) {
        *last = trim(whole);
    }
    while all.last().is_some_and(|state| state.is_empty()) {
        all.pop();
    }
    let none = all.contains(&"none");
    for state in all.into_iter().filter(|state| *state != "none") {
        if !matches!(state, "all" | "starting" | "stopping" | "running" | "reloading") {
            return Err(format!(
                "emailalertstatus: \"{state}\" is none of all, none, starting, running, stopping, \
                 reloading"
            ));
        }
        if none {
            return Err(format!("emailalertstatus: none and {state} exclude each other"));
        }
    }
    Ok(())
}

#[cfg(test)]
pub mod tests;
