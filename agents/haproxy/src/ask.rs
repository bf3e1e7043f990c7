//! Questions to a running haproxy, on the socket of its master, or on a stats socket where there is
//! no master.
#![forbid(unsafe_code)]

use std::path::Path;
use std::time::Duration;

use ocf::prelude::*;
use ocf::sys::clock::Deadline;
use ocf::sys::endpoint::exchange;
use ocf::sys::http::HttpErrorKind;
use ocf::sys::process::Process;

use crate::cli::info::{self, Info};
use crate::cli::proc::{self, Processes};
use crate::cli::stat::{self, Row};
use crate::record::Record;

/// A haproxy that takes longer to say who it is does not work.
const LONGEST: Duration = Duration::from_secs(10);

/// How long the first connections may take. A master that begins, or reads its configuration again,
/// opens its socket anew; a connection to the one before is answered by no process, and stays open
/// for as long as a `program` has that socket, too. The last one has the rest of the time.
const IMPATIENT: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(600)];

/// No table of servers is larger: each has less than a kilobyte.
const LARGEST: usize = 64 << 20;

/// How much is requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Who is there.
    Alive,
    /// How the frontends are.
    Frontends,
    /// How the servers are, too.
    Servers,
}

impl Question {
    /// The command for the table, without its prefix: the kinds are bits, 1 for frontends, 2 for
    /// backends, 4 for servers.
    fn table(self) -> Option<&'static str> {
        match self {
            Self::Alive => None,
            Self::Frontends => Some("show stat -1 1 -1"),
            Self::Servers => Some("show stat -1 5 -1"),
        }
    }
}

/// What haproxy says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The master and its workers; none where there is no master to ask.
    pub processes: Option<Processes>,
    /// The process that serves.
    pub info: Info,
    /// The requested table.
    pub rows: Vec<Row>,
}

/// Asks; `None` where there is no socket, of a haproxy that was started by other means.
///
/// # Errors
/// That it does not answer, or that what answers is not the one that serves now.
pub fn view(
    record: &Record,
    master: &Process,
    question: Question,
    deadline: Deadline,
) -> Result<Option<View>, Failure> {
    let limit = Deadline::after(LONGEST).min(deadline);
    if let Some(path) = &record.master_socket {
        let table = question.table().map_or_else(String::new, |table| format!(";@1 {table}"));
        let answer = converse(path, &format!("show proc;@1 show info{table}\n"), limit)?;
        return of_master(&answer, master, question, path).map(Some);
    }
    let Some(path) = &record.stats_socket else { return Ok(None) };
    let table = question.table().map_or_else(String::new, |table| format!(";{table}"));
    let answer = converse(path, &format!("show info{table}\n"), limit)?;
    let family = master.descendants().or_fail("/proc")?;
    let is_ours = |pid: i32| pid == master.pid || family.iter().any(|process| process.pid == pid);
    of_worker(&answer, is_ours, question, path).map(Some)
}

/// The workers of a master, and nothing else: also one that is about to reload has these.
///
/// # Errors
/// That it does not answer.
pub fn processes(path: &Path, master: &Process, deadline: Deadline) -> Result<Processes, Failure> {
    let answer = converse(path, "show proc\n", deadline)?;
    let found = proc::parse(&answer).ok_or_else(|| strange(path, &answer))?;
    if found.master == master.pid { Ok(found) } else { Err(another(path, found.master)) }
}

fn converse(path: &Path, question: &str, deadline: Deadline) -> Result<String, Failure> {
    let ask = |limit: Deadline| exchange(path, question.as_bytes(), LARGEST, limit);
    let soon = |limit: Duration| match ask(Deadline::after(limit).min(deadline)) {
        Err(error) if error.kind == HttpErrorKind::Timeout => None,
        other => Some(other),
    };
    let answer = IMPATIENT.into_iter().find_map(soon).unwrap_or_else(|| ask(deadline));
    let answer = answer.map_err(|error| {
        let may =
            nix::unistd::access(path, nix::unistd::AccessFlags::W_OK) != Err(nix::Error::EACCES);
        if error.kind == HttpErrorKind::Connect && !may {
            return Failure::new(
                Kind::Permission,
                format!("haproxy runs, and only root may ask it: {error}"),
            );
        }
        Failure::generic(format!("haproxy runs but does not answer: {error}"))
    })?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// What a master and its worker said.
fn of_master(
    answer: &str,
    master: &Process,
    question: Question,
    path: &Path,
) -> Result<View, Failure> {
    let processes = proc::parse(answer).ok_or_else(|| strange(path, answer))?;
    if processes.master != master.pid {
        return Err(another(path, processes.master));
    }
    if processes.workers.is_empty() {
        return Err(Failure::generic(
            "the master of haproxy runs without a worker: see haproxy's log",
        ));
    }
    let workers = processes.workers.clone();
    let mut view = of_worker(answer, |pid| workers.contains(&pid), question, path)?;
    view.processes = Some(processes);
    Ok(view)
}

/// What a worker said. An old one still answers while its last clients are there, and may have
/// other servers.
fn of_worker(
    answer: &str,
    is_current: impl Fn(i32) -> bool,
    question: Question,
    path: &Path,
) -> Result<View, Failure> {
    let info = info::parse(answer).ok_or_else(|| strange(path, answer))?;
    if !is_current(info.pid) {
        return Err(Failure::generic(format!(
            "{}: the answer is that of process {}, which is not the one that serves",
            path.display(),
            info.pid
        )));
    }
    if info.stopping {
        return Err(Failure::generic("haproxy is on its way out and takes no new connections"));
    }
    let rows = match question {
        Question::Alive => Vec::new(),
        _ => stat::parse(answer).ok_or_else(|| strange(path, answer))?,
    };
    Ok(View { processes: None, info, rows })
}

/// An answer that no haproxy gives.
fn strange(path: &Path, answer: &str) -> Failure {
    let line = answer.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("nothing");
    let shown: String = line.chars().filter(|letter| !letter.is_control()).take(80).collect();
    Failure::generic(format!("{}: no answer of haproxy but \"{shown}\"", path.display()))
}

fn another(path: &Path, pid: i32) -> Failure {
    Failure::generic(format!(
        "{}: the answer is that of another haproxy, process {pid}",
        path.display()
    ))
}

/// Whether all frontends listen.
///
/// # Errors
/// Which do not.
pub fn listens(view: &View) -> Result<Status, Failure> {
    let (closed, full) = stat::closed_and_full(&view.rows);
    if !closed.is_empty() {
        return Err(Failure::generic(format!(
            "frontends that take no connections: {}",
            closed.join(", ")
        )));
    }
    Ok(match full.is_empty() {
        true => Status::Running,
        false => Status::Degraded(format!("frontends at their maxconn: {}", full.join(", "))),
    })
}

/// Whether it serves: it answers, and all frontends listen. One without a socket counts as serving.
///
/// # Errors
/// Why not.
pub fn serves(record: &Record, master: &Process, deadline: Deadline) -> Result<(), Failure> {
    match view(record, master, Question::Frontends, deadline)? {
        Some(view) => listens(&view).map(drop),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{info, proc, stat};

    fn view_of(answer: &str, master: i32) -> Result<View, String> {
        let master = Process { pid: master, start_time: 1 };
        of_master(answer, &master, Question::Servers, Path::new("/s"))
            .map_err(|failure| failure.to_string())
    }

    fn worker(pid: i32, stopping: u8) -> String {
        info::tests::V2_6
            .replace("Pid: 7", &format!("Pid: {pid}"))
            .replace("Stopping: 0", &format!("Stopping: {stopping}"))
    }

    #[test]
    fn an_old_workers_answer_is_not_taken_for_the_new_ones() {
        let (old, new) = (101, 140);
        let all = |pid| format!("{}{}{}", proc::tests::V3_2, worker(pid, 0), stat::tests::V2_6);
        let view = view_of(&all(new), 100).unwrap();
        assert_eq!((view.info.pid, view.rows.len()), (new, 4));
        assert_eq!(view.processes.unwrap().old, [120, 101]);
        assert!(view_of(&all(old), 100).unwrap_err().contains("not the one that serves"));
        assert!(view_of(&all(new), 99).unwrap_err().contains("another haproxy"));
        let stopping = format!("{}{}", proc::tests::V3_2, worker(new, 1));
        assert!(view_of(&stopping, 100).unwrap_err().contains("on its way out"));
        let alone = "#<PID>\n7 master 0 [failed: 0]\n# workers\n\n";
        assert!(view_of(alone, 7).unwrap_err().contains("without a worker"));
    }

    #[test]
    fn half_an_answer_is_none() {
        let whole = format!("{}{}{}", proc::tests::V3_2, worker(140, 0), stat::tests::V2_6);
        assert!(view_of("", 100).unwrap_err().contains("\"nothing\""));
        assert!(view_of(proc::tests::V3_2, 100).is_err());
        assert!(view_of(&whole[..whole.find("# pxname").unwrap()], 100).is_err());
        assert!(
            view_of("220 mail.example.com ESMTP\r\n", 100)
                .unwrap_err()
                .contains("\"220 mail.example.com ESMTP\"")
        );
    }

    #[test]
    fn a_frontend_that_is_full_is_shown_and_one_that_is_closed_fails() {
        let judge = |status: &str| {
            let text = stat::tests::V2_6.replace(",OPEN,", &format!(",{status},"));
            let rows = stat::parse(&text).unwrap();
            let info = info::parse(info::tests::V2_6).unwrap();
            listens(&View { processes: None, info, rows }).map_err(|failure| failure.to_string())
        };
        assert_eq!(judge("OPEN"), Ok(Status::Running));
        assert_eq!(judge("FULL"), Ok(Status::Degraded("frontends at their maxconn: web".into())));
        assert_eq!(judge("STOP"), Err("frontends that take no connections: web (STOP)".into()));
    }
}
