//! Where messages go: stderr, syslog, log files, a trace. Nothing is opened or formatted before
//! there is something to say.
//!
//! As the shell library does it: with `HA_LOGFACILITY` (or `HA_LOGD=yes`) to syslog, with
//! `HA_LOGFILE` and `HA_DEBUGLOG` to these files, without any of them to stderr. On a terminal, to
//! the terminal. Debug messages only with `HA_debug`. But for two things: stderr gets warnings and
//! worse only (good news must not look like a fault), and a message is logged once.

use std::fmt::Arguments;
use std::io::{self, IsTerminal, Write};
use std::os::unix::net::UnixDatagram;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::invocation::Invocation;
use crate::message::line;
use crate::param::{TRACE_FILE, TRACE_RA, absolute_path, boolean};
use crate::state;
use crate::sys::file::{ensure_dir, open_append, open_descriptor};

/// The cluster's directory for what outlives a boot.
const STATE_DIRECTORY: &str = "/var/lib/heartbeat";

/// How much a message matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For those who look for a fault.
    Debug,
    /// What was done.
    Info,
    /// Something is not as it should be, and the action goes on.
    Warn,
    /// The action failed.
    Error,
}

impl Level {
    fn word(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARNING",
            Self::Error => "ERROR",
        }
    }

    /// The severity of RFC 3164, section 4.1.1.
    fn severity(self) -> u8 {
        match self {
            Self::Debug => 7,
            Self::Info => 6,
            Self::Warn => 4,
            Self::Error => 3,
        }
    }
}

/// Which places get messages, as the environment says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Places {
    facility: Option<u8>,
    file: Option<PathBuf>,
    debug_file: Option<PathBuf>,
    debug: bool,
    trace: Option<Trace>,
    /// A file that was named for the trace and gets none.
    refused: Option<String>,
}

/// Where the trace goes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Trace {
    /// A file, or a descriptor: /dev/stderr.
    File(PathBuf),
    /// A file of its own for this action, below the cluster's state directory.
    Own,
}

/// The facilities of RFC 3164 by the names of syslog.conf.
const FACILITIES: &[(&str, u8)] = &[
    ("kern", 0),
    ("user", 1),
    ("mail", 2),
    ("daemon", 3),
    ("auth", 4),
    ("syslog", 5),
    ("lpr", 6),
    ("news", 7),
    ("uucp", 8),
    ("cron", 9),
    ("authpriv", 10),
    ("ftp", 11),
    ("local0", 16),
    ("local1", 17),
    ("local2", 18),
    ("local3", 19),
    ("local4", 20),
    ("local5", 21),
    ("local6", 22),
    ("local7", 23),
];
const DAEMON: u8 = 3;

fn places(invocation: &Invocation) -> Places {
    let is_true =
        |name: &str| invocation.variable(name).is_some_and(|word| boolean(word) == Ok(true));
    let named = |name: &str| {
        FACILITIES.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, number)| *number)
    };
    let facility = match invocation.variable("HA_LOGFACILITY") {
        Some(name) if !name.eq_ignore_ascii_case("none") => Some(named(name).unwrap_or(DAEMON)),
        _ => is_true("HA_LOGD").then_some(DAEMON),
    };
    let file = |name: &str| invocation.variable(name).and_then(|path| absolute_path(path).ok());
    let by_caller = is_true("OCF_TRACE_RA");
    let traced = by_caller || invocation.values.get(&TRACE_RA) == Some(true);
    // crm_resource always says stderr. A trace that the parameter asks for goes to its file: pcs
    // 0.12 shows as a warning whatever a validation writes there.
    let of_caller = invocation.variable("OCF_TRACE_FILE").filter(|_| by_caller).map(str::to_owned);
    let target = of_caller.or_else(|| invocation.values.get(&TRACE_FILE));
    let named =
        target.as_deref().filter(|_| traced).and_then(|target| trace_target(target, invocation));
    let debug = invocation.variable("HA_debug").is_some_and(|level| level != "0");
    if invocation.is_explanation() {
        // It writes to no file and no log: a person reads its standard streams.
        let trace = named.filter(|path| descriptor(path).is_some()).map(Trace::File);
        return Places { debug, trace, ..Places::default() };
    }
    let refused = target.filter(|_| traced && named.is_none());
    let trace = traced.then(|| named.map_or(Trace::Own, Trace::File));
    Places {
        facility,
        file: file("HA_LOGFILE"),
        debug_file: file("HA_DEBUGLOG"),
        debug,
        trace,
        refused,
    }
}

/// Where a trace may go: to a descriptor that the caller has opened, or to a file below the
/// directories of the cluster and of logs. Anywhere else, who may set this one parameter could add
/// lines to any file as root.
fn trace_target(target: &str, invocation: &Invocation) -> Option<PathBuf> {
    // The peer takes a descriptor's number, too.
    if target.len() == 1 && target.as_bytes()[0].is_ascii_digit() {
        return Some(Path::new("/dev/fd").join(target));
    }
    let path = absolute_path(target).ok()?;
    let logs =
        ["HA_LOGFILE", "HA_DEBUGLOG"].into_iter().filter_map(|name| invocation.variable(name));
    let logs = logs.filter_map(|file| Path::new(file).parent());
    let known =
        [invocation.variable("HA_VARLIB").unwrap_or(STATE_DIRECTORY), STATE_DIRECTORY, "/var/log"];
    let mut all =
        logs.chain(known.into_iter().map(Path::new)).chain([state::directory(invocation)]);
    let is_plain = path.components().all(|part| part != Component::ParentDir);
    // Not the root directory, should a log be there.
    let is_below = is_plain
        && all.any(|directory| directory.parent().is_some() && path.starts_with(directory));
    (is_below || descriptor(&path).is_some()).then_some(path)
}

/// The number of the descriptor that a path stands for.
fn descriptor(path: &Path) -> Option<u32> {
    match path.to_str()? {
        "/dev/stdout" => Some(1),
        "/dev/stderr" => Some(2),
        path => ["/dev/fd/", "/proc/self/fd/"]
            .iter()
            .find_map(|folder| path.strip_prefix(folder)?.parse().ok()),
    }
}

/// The way out for messages of one action.
#[derive(Debug)]
pub struct Log {
    places: Places,
    agent: &'static str,
    instance: String,
    tag: Option<String>,
    action: &'static str,
    state_directory: PathBuf,
    /// What marks a reason, which no message may contain.
    prefix: String,
}

impl Log {
    /// Reads where messages go.
    #[must_use]
    pub fn new(agent: &'static str, invocation: &Invocation) -> Self {
        Self {
            places: places(invocation),
            agent,
            instance: invocation.instance().to_owned(),
            tag: invocation.variable("HA_LOGTAG").map(str::to_owned),
            action: invocation.action_word(),
            state_directory: PathBuf::from(
                invocation.variable("HA_VARLIB").unwrap_or(STATE_DIRECTORY),
            ),
            prefix: invocation.reason_prefix().to_owned(),
        }
    }

    /// A file that was named for the trace and is not written to.
    #[must_use]
    pub fn refused_trace(&self) -> Option<&str> {
        self.places.refused.as_deref()
    }

    /// For those who look for a fault.
    pub fn debug(&self, text: Arguments<'_>) {
        self.write(Level::Debug, text);
    }

    /// What was done.
    pub fn info(&self, text: Arguments<'_>) {
        self.write(Level::Info, text);
    }

    /// Something is not as it should be, and the action goes on.
    pub fn warn(&self, text: Arguments<'_>) {
        self.write(Level::Warn, text);
    }

    /// Anywhere but to stderr, where the text stands already as the reason.
    pub fn aside(&self, level: Level, text: Arguments<'_>) {
        self.put(level, text, false);
    }

    /// A step, for the trace. Costs nothing unless there is one.
    pub fn trace(&self, text: Arguments<'_>) {
        let Some(trace) = &self.places.trace else { return };
        let path = match trace {
            Trace::File(path) => path.clone(),
            Trace::Own => {
                let folder = self.state_directory.join("trace_ra").join(self.agent);
                if ensure_dir(&folder, 0o700).is_err() {
                    return;
                }
                let name: String = self
                    .instance
                    .chars()
                    .map(|c| if c == '/' || c.is_control() { '_' } else { c })
                    .collect();
                folder.join(format!("{name}.{}.{}", self.action, started()))
            }
        };
        append(
            &path,
            &format!(
                "{} {} {}\n",
                timestamp(now()),
                self.tag(),
                line(&text.to_string(), &self.prefix)
            ),
        );
    }

    /// Something that matters this much.
    pub fn write(&self, level: Level, text: Arguments<'_>) {
        self.put(level, text, true);
    }

    fn put(&self, level: Level, text: Arguments<'_>, to_stderr: bool) {
        let places = &self.places;
        // A trace has all messages, whatever their level.
        self.trace(format_args!("{}: {text}", level.word()));
        if level == Level::Debug && !places.debug {
            return;
        }
        let elsewhere = places.facility.is_some() || places.file.is_some();
        let stderr =
            to_stderr && (io::stderr().is_terminal() || (!elsewhere && level >= Level::Warn));
        let debug_file =
            places.debug_file.as_ref().filter(|path| Some(*path) != places.file.as_ref());
        if !stderr && !elsewhere && debug_file.is_none() {
            return;
        }
        let text = format!("{}: {}", level.word(), line(&text.to_string(), &self.prefix));
        if stderr {
            // A closed stderr cannot be reported.
            let _ = writeln!(io::stderr(), "{}: {text}", self.tag());
            if io::stderr().is_terminal() {
                return;
            }
        }
        if let Some(facility) = places.facility {
            syslog(facility, level, &format!("{}: {text}", self.tag()));
        }
        if let Some(file) = places.file.as_ref().filter(|_| level > Level::Debug) {
            append(file, &format!("{} {}:    {text}\n", timestamp(now()), self.tag()));
        }
        if let Some(file) = debug_file {
            append(file, &format!("{}:\t{} {text}\n", self.tag(), timestamp(now())));
        }
    }

    fn tag(&self) -> String {
        let own = || format!("{}({})[{}]", self.agent, self.instance, std::process::id());
        self.tag.clone().unwrap_or_else(own)
    }
}

/// One datagram to the local syslog (RFC 3164; the journal listens there, too). Without one,
/// nothing can be done.
fn syslog(facility: u8, level: Level, text: &str) {
    let Ok(socket) = UnixDatagram::unbound() else { return };
    let _ = socket.set_nonblocking(true);
    let message = format!("<{}>{text}", facility * 8 + level.severity());
    let _ = socket.send_to(message.as_bytes(), "/dev/log");
}

/// Adds a line to a file. A log that cannot be written is no reason to fail an action.
fn append(path: &Path, line: &str) {
    let opened = match descriptor(path) {
        Some(number) => open_descriptor(number),
        None => open_append(path),
    };
    if let Ok(mut file) = opened {
        let _ = file.write_all(line.as_bytes());
    }
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// When this process began to trace: all its lines go to one file.
fn started() -> String {
    static STARTED: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    STARTED.get_or_init(|| format!("{}.{}", timestamp(now()), std::process::id())).clone()
}

/// A moment in UTC as ISO 8601, to the millisecond.
fn timestamp(since_1970: Duration) -> String {
    let seconds = since_1970.as_secs();
    let (days, second) = ((seconds / 86_400) as i64, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z",
        since_1970.subsec_millis()
    )
}

/// The date of a day counted from 1970-01-01, in the Gregorian calendar (Howard Hinnant,
/// "chrono-Compatible Low-Level Date Algorithms", civil_from_days).
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    fn call(environment: &[(&str, &str)]) -> Invocation {
        let environment = environment.iter().map(|(n, v)| (OsString::from(n), OsString::from(v)));
        Invocation::new([OsString::from("agent"), "start".into()], environment)
    }

    #[test]
    fn the_environment_says_where_messages_go() {
        assert_eq!(places(&call(&[])), Places::default());
        assert_eq!(places(&call(&[("HA_LOGFACILITY", "none")])), Places::default());
        assert_eq!(places(&call(&[("HA_LOGFACILITY", "local3")])).facility, Some(19));
        assert_eq!(places(&call(&[("HA_LOGD", "yes")])).facility, Some(DAEMON));
        assert_eq!(places(&call(&[("HA_LOGFILE", "relative")])).file, None);
        assert!(
            !places(&call(&[("HA_debug", "0")])).debug && places(&call(&[("HA_debug", "1")])).debug
        );
        assert_eq!(places(&call(&[("OCF_RESKEY_trace_ra", "1")])).trace, Some(Trace::Own));
        let file = [("OCF_TRACE_RA", "1"), ("OCF_TRACE_FILE", "/dev/stderr")];
        assert_eq!(places(&call(&file)).trace, Some(Trace::File("/dev/stderr".into())));
        let of_crm_resource = [("OCF_RESKEY_trace_ra", "1"), ("OCF_TRACE_FILE", "/dev/stderr")];
        assert_eq!(places(&call(&of_crm_resource)).trace, Some(Trace::Own));
        let number = [("OCF_TRACE_RA", "1"), ("OCF_TRACE_FILE", "9")];
        assert_eq!(places(&call(&number)).trace, Some(Trace::File("/dev/fd/9".into())));
    }

    #[test]
    fn rt_4_a_trace_stays_below_the_directories_of_the_cluster_and_of_logs() {
        let target = |file: &str| {
            let found = places(&call(&[
                ("OCF_RESKEY_trace_ra", "1"),
                ("OCF_RESKEY_trace_file", file),
                ("HA_LOGFILE", "/srv/log/cluster.log"),
                ("HA_RSCTMP", "/run/state"),
            ]));
            (found.trace, found.refused)
        };
        for good in [
            "/var/log/pacemaker/trace",
            "/var/lib/heartbeat/trace_ra/x",
            "/run/state/x",
            "/srv/log/x",
            "/dev/stderr",
            "/dev/fd/9",
            "/proc/self/fd/3",
        ] {
            assert_eq!(target(good), (Some(Trace::File(good.into())), None), "{good}");
        }
        for bad in [
            "/etc/ld.so.preload",
            "/dev/shm/x",
            "/var/log/../../etc/x",
            "/dev/sda",
            "/srv/x",
            "/var/logs/x",
            "x",
        ] {
            assert_eq!(target(bad), (Some(Trace::Own), Some(bad.to_owned())), "{bad}");
        }
        assert_eq!(
            places(&call(&[("OCF_RESKEY_trace_file", "/etc/x")])).refused,
            None,
            "there is no trace"
        );
        let at_the_top =
            [("OCF_TRACE_RA", "1"), ("OCF_TRACE_FILE", "/etc/x"), ("HA_LOGFILE", "/log")];
        assert_eq!(places(&call(&at_the_top)).trace, Some(Trace::Own));
    }

    #[test]
    fn sl_14_a_message_is_written_once_to_each_place() {
        let folder = tempfile::tempdir().unwrap();
        let (file, debug_file) = (folder.path().join("log"), folder.path().join("debug"));
        let (one, other) = (file.to_str().unwrap(), debug_file.to_str().unwrap());
        let call = call(&[
            ("HA_LOGFILE", one),
            ("HA_DEBUGLOG", other),
            ("HA_debug", "1"),
            ("OCF_RESOURCE_INSTANCE", "vip"),
        ]);
        let log = Log::new("Dummy", &call);
        log.info(format_args!("first"));
        log.debug(format_args!("second\nline"));
        log.aside(Level::Error, format_args!("100% of $x \"q\""));
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.contains("Dummy(vip)[") && text.contains("INFO: first"), "{text}");
        assert!(text.ends_with("ERROR: 100% of $x \"q\"\n"), "{text}");
        let text = std::fs::read_to_string(&debug_file).unwrap();
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.contains("DEBUG: second line"), "{text}");
    }

    #[test]
    fn a_pipe_without_a_reader_does_not_hold_an_action_up() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
        append(&pipe, "lost\n");
    }

    #[test]
    fn sl_10_each_traced_action_has_a_file_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().to_str().unwrap();
        let call = call(&[
            ("OCF_TRACE_RA", "true"),
            ("HA_VARLIB", state),
            ("OCF_RESOURCE_INSTANCE", "a/b"),
        ]);
        let log = Log::new("Dummy", &call);
        log.trace(format_args!("one"));
        log.debug(format_args!("two"));
        let files: Vec<_> =
            std::fs::read_dir(folder.path().join("trace_ra/Dummy")).unwrap().collect();
        assert_eq!(files.len(), 1);
        let path = files.into_iter().next().unwrap().unwrap().path();
        assert!(path.file_name().unwrap().to_str().unwrap().starts_with("a_b.start."), "{path:?}");
        let text = std::fs::read_to_string(path).unwrap();
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.contains("DEBUG: two"), "{text}");
    }

    #[test]
    fn moments_are_written_in_utc() {
        assert_eq!(timestamp(Duration::ZERO), "1970-01-01T00:00:00.000Z");
        assert_eq!(timestamp(Duration::from_millis(951_827_696_789)), "2000-02-29T12:34:56.789Z");
        assert_eq!(timestamp(Duration::from_secs(1_798_761_599)), "2026-12-31T23:59:59.000Z");
    }
}
