//! Settings that a unit gets while the cluster runs it: a file of ours in the directory for those
//! that last until the next boot, `/run/systemd/system/haproxy.service.d/`.
//!
//! - `Restart=no`: systemd must not restart what the cluster believes to be down, or restarts
//!   itself.
//! - `Before=pacemaker.service pacemaker_remote.service`: when the machine goes down, things stop
//!   in the opposite order, so Pacemaker stops the unit, and does not find it stopped. For a scope,
//!   which another program makes, this is all.
//!
//! systemd reads such files when it reads all of its files again, which takes a moment on a large
//! machine and holds up everybody else: one for each start and stop of a dozen resources at boot is
//! a storm (resource-agents#1983). So a start asks first what systemd has in memory, and makes it
//! read only what it lacks. A stop takes the file away and leaves it at that: until systemd reads
//! its files again, it still holds what the file said about a unit that does not run, where it does
//! no harm, and the next start here costs nothing. The file has always the same time stamp, so that
//! systemd does not take the next one, with the same content, for a change.
//!
//! When Pacemaker is being stopped, alone or with the machine, the order must be forgotten before
//! the unit's stop, or that would wait for Pacemaker's end, and Pacemaker for it.
#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use ocf::prelude::*;
use ocf::sys::file;

use crate::manager::Manager;
use crate::name::{self, Kind, UnitName};
use crate::state::{Facts, Unit};

/// The file's name. Those with a higher one have the last word, also the administrator's, as it
/// should be.
const FILE: &str = "50-ocf-agents.conf";

/// What units must outlive at the end.
const LATER: [&str; 2] = ["pacemaker.service", "pacemaker_remote.service"];

/// The file's time stamp, in seconds since 1970: any, but always the same.
const STAMP: Duration = Duration::from_secs(86_400);

/// Gives the unit its file, and systemd the knowledge of it; what is known of the unit then.
///
/// # Errors
/// When the file cannot be written, or systemd does not answer.
pub fn ensure(
    context: &Context<'_>,
    manager: &mut Manager,
    unit: &Unit,
    name: &UnitName,
) -> Result<Facts, Failure> {
    let search = manager.unit_path()?;
    let Some(directory) = directory(&search) else {
        return Err(Failure::generic(
            "systemd searches no directory for runtime settings; set drop_in=no to go without",
        ));
    };
    if let Some(other) = shadow(&search, &directory, &unit.id) {
        context
            .log
            .warn(format_args!("{} takes the place of our settings: remove it", other.display()));
        return Ok(manager.facts(unit, name));
    }
    let path = place(&directory, &unit.id);
    let changed = write(&path, &content(name.kind)).or_fail(path.display())?;
    let facts = manager.facts(unit, name);
    if !must_read(&facts, &path, name.kind, changed) {
        return Ok(facts);
    }
    manager.daemon_reload()?;
    let facts = manager.facts(unit, name);
    if !holds(&facts, name.kind) {
        context.log.warn(format_args!(
            "{}: other settings override Restart=no or the order before Pacemaker: look at \
             systemctl cat {}",
            unit.id, unit.id
        ));
    }
    Ok(facts)
}

/// Takes back the order before Pacemaker when that is being stopped itself: systemd would let the
/// stop of the unit wait for the end of Pacemaker, which waits for this stop.
///
/// # Errors
/// When the file stays, or systemd does not answer.
pub fn release(manager: &mut Manager, unit: &Unit, name: &UnitName) -> Result<(), Failure> {
    let later =
        LATER.map(|name| name::resolve(name, None)).into_iter().flatten().collect::<Vec<_>>();
    let goes = manager.look(&later.iter().collect::<Vec<_>>())?.iter().any(goes);
    if !goes
        || !manager.facts(unit, name).before.iter().any(|known| LATER.contains(&known.as_str()))
    {
        return Ok(());
    }
    remove(manager, unit)?;
    manager.daemon_reload()
}

/// Whether a unit is to be stopped.
fn goes(unit: &Unit) -> bool {
    unit.job
        .as_ref()
        .is_some_and(|job| matches!(job.verb.as_str(), "stop" | "restart" | "try-restart"))
}

/// Takes the file away. The directory goes, too, if it is empty then.
///
/// # Errors
/// When it stays.
pub fn remove(manager: &mut Manager, unit: &Unit) -> Result<(), Failure> {
    let search = manager.unit_path()?;
    let Some(directory) = directory(&search) else { return Ok(()) };
    let path = place(&directory, &unit.id);
    file::remove_written(&path).or_fail(path.display())?;
    if let Some(parent) = path.parent() {
        // Not empty: another program has settings there.
        file::remove_empty_dir(parent);
    }
    Ok(())
}

/// What would take the place of our file: one of the same name where systemd looks first.
pub fn shadow(search: &[String], directory: &Path, id: &str) -> Option<PathBuf> {
    let stronger = search.iter().map(Path::new).take_while(|place| *place != directory);
    stronger.map(|place| self::place(place, id)).find(|path| path.exists())
}

/// Another file with settings of the unit that has the last word on `Restart=`: one with a higher
/// name than ours, whatever directory it is in (systemd.unit(5)).
pub fn overriding(known: &[String], read: impl Fn(&Path) -> Option<Vec<u8>>) -> Option<&Path> {
    let is_higher = |path: &&Path| path.file_name().is_some_and(|name| name > OsStr::new(FILE));
    // The last file that says it counts.
    let said = |path: &&Path| read(path).as_deref().and_then(restarts);
    let mut all: Vec<&Path> = known.iter().map(Path::new).filter(is_higher).collect();
    all.sort_by_key(|path| path.file_name());
    all.into_iter().rev().find(|path| said(path).is_some()).filter(|path| said(path) == Some(true))
}

/// Whether settings make systemd restart a unit; `None` when they do not say.
fn restarts(text: &[u8]) -> Option<bool> {
    let text = String::from_utf8_lossy(text);
    let mut values = text.lines().filter_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == "Restart").then(|| value.trim().to_owned())
    });
    values.next_back().map(|value| !matches!(value.as_str(), "" | "no"))
}

/// The directory for settings that last until the next boot: beside that for transient units,
/// whatever manager it is.
pub fn directory(search: &[String]) -> Option<PathBuf> {
    let transient =
        search.iter().map(Path::new).find(|path| path.ends_with("systemd/transient"))?;
    let runtime = transient.parent()?;
    let wanted = ["system", "user"].map(|name| runtime.join(name));
    wanted.into_iter().find(|path| search.iter().any(|known| Path::new(known) == path))
}

/// The file for a unit.
fn place(directory: &Path, id: &str) -> PathBuf {
    directory.join(format!("{id}.d")).join(FILE)
}

fn content(kind: Kind) -> String {
    let later = LATER.join(" ");
    let restart = if kind == Kind::Service { "\n[Service]\nRestart=no\n" } else { "" };
    format!(
        "# Made by the resource agent \"systemd\" while the cluster runs this unit.\n[Unit]\n\
         Before={later}\n{restart}"
    )
}

/// Whether systemd has to read its files again.
fn must_read(facts: &Facts, path: &Path, kind: Kind, changed: bool) -> bool {
    let known = facts.drop_ins.iter().any(|known| Path::new(known) == path);
    !known || (changed && !holds(facts, kind))
}

/// Whether our settings are in force.
fn holds(facts: &Facts, kind: Kind) -> bool {
    let ordered = LATER.iter().all(|later| facts.before.iter().any(|known| known == later));
    ordered && (kind != Kind::Service || facts.restart.as_deref() == Some("no"))
}

/// Writes the file unless it is there; returns whether it was not.
fn write(path: &Path, content: &str) -> io::Result<bool> {
    if let Some(parent) = path.parent() {
        file::ensure_dir(parent, 0o755)?;
    }
    file::write_stamped(path, content.as_bytes(), 0o644, SystemTime::UNIX_EPOCH + STAMP)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Job;

    fn list(paths: &[&str]) -> Vec<String> {
        paths.iter().map(|path| (*path).to_owned()).collect()
    }

    #[test]
    fn sd_07_the_directory_is_that_of_the_whole_name() {
        for id in ["httpd.service", "foo@bar.service", "backup.timer"] {
            let path = place(Path::new("/run/systemd/system"), id);
            assert_eq!(
                path.to_str().unwrap(),
                format!("/run/systemd/system/{id}.d/50-ocf-agents.conf")
            );
        }
    }

    #[test]
    fn the_directory_is_the_managers_own() {
        let system = [
            "/etc/systemd/system.control",
            "/run/systemd/transient",
            "/etc/systemd/system",
            "/run/systemd/system",
        ];
        assert_eq!(directory(&list(&system)), Some("/run/systemd/system".into()));
        let user = [
            "/tmp/run/systemd/transient",
            "/etc/systemd/user",
            "/tmp/run/systemd/user",
            "/run/systemd/user",
        ];
        assert_eq!(directory(&list(&user)), Some("/tmp/run/systemd/user".into()));
        assert_eq!(directory(&list(&["/etc/systemd/system"])), None);
    }

    #[test]
    fn sd_07_a_file_in_etc_takes_the_place_of_ours() {
        let folder = tempfile::tempdir().unwrap();
        let (etc, run) = (folder.path().join("etc"), folder.path().join("run"));
        let search = list(&[etc.to_str().unwrap(), run.to_str().unwrap()]);
        assert_eq!(shadow(&search, &run, "a.service"), None);
        write(&place(&run, "a.service"), "x").unwrap();
        assert_eq!(shadow(&search, &run, "a.service"), None);
        std::fs::create_dir_all(etc.join("a.service.d")).unwrap();
        std::fs::write(place(&etc, "a.service"), "y").unwrap();
        assert_eq!(shadow(&search, &run, "a.service"), Some(place(&etc, "a.service")));
    }

    #[test]
    fn sd_10_a_file_with_a_higher_name_has_the_last_word() {
        let known = list(&[
            "/etc/systemd/system/a.service.d/10-low.conf",
            "/run/systemd/system/a.service.d/50-ocf-agents.conf",
            "/etc/systemd/system/a.service.d/60-other.conf",
            "/etc/systemd/system/a.service.d/90-restart.conf",
        ]);
        let found = |texts: [&str; 3]| {
            let read = |path: &Path| {
                let names = ["10-low.conf", "60-other.conf", "90-restart.conf"];
                let place = names.iter().position(|name| path.ends_with(name))?;
                Some(texts[place].as_bytes().to_vec())
            };
            overriding(&known, read).map(|path| path.file_name().unwrap().to_owned())
        };
        let always = "[Service]\nRestart = always\n";
        assert_eq!(found([always, "[Service]\nUser=www\n", ""]), None, "ours has the last word");
        assert_eq!(found(["", always, "[Service]\nRestartSec=1\n"]), Some("60-other.conf".into()));
        assert_eq!(found(["", "", always]), Some("90-restart.conf".into()));
        assert_eq!(found(["", always, "[Service]\nRestart=no\n"]), None);
    }

    #[test]
    fn sd_08_what_systemd_knows_is_not_read_again() {
        let path = Path::new("/run/systemd/system/a.service.d/50-ocf-agents.conf");
        let mut facts = Facts { restart: Some("always".into()), ..Facts::default() };
        assert!(must_read(&facts, path, Kind::Service, true));
        assert!(
            must_read(&facts, path, Kind::Service, false),
            "a start that was killed before systemd read it"
        );
        facts.drop_ins = list(&[path.to_str().unwrap()]);
        facts.before = list(&LATER);
        assert!(must_read(&facts, path, Kind::Service, true), "other content");
        assert!(
            !must_read(&facts, path, Kind::Service, false),
            "overridden by the administrator's file: for good"
        );
        facts.restart = Some("no".into());
        assert!(!must_read(&facts, path, Kind::Service, true), "taken away and put back");
        facts.before.pop();
        assert!(!holds(&facts, Kind::Socket));
    }

    #[test]
    fn sd_08_the_same_file_put_back_is_no_change_for_systemd() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.service.d").join(FILE);
        assert!(write(&path, &content(Kind::Service)).unwrap());
        let first = std::fs::metadata(&path).unwrap().modified().unwrap();
        assert!(!write(&path, &content(Kind::Service)).unwrap());
        std::fs::remove_file(&path).unwrap();
        assert!(write(&path, &content(Kind::Service)).unwrap());
        assert_eq!(std::fs::metadata(&path).unwrap().modified().unwrap(), first);
    }

    #[test]
    fn a_unit_with_a_stop_before_it_goes() {
        let job = |verb: &str| Some(Job { verb: verb.into(), path: "/job/1".into() });
        let unit = |job| Unit {
            id: LATER[0].into(),
            load: "loaded".into(),
            active: "active".into(),
            sub: "running".into(),
            job,
            path: "/unit".into(),
        };
        assert!(goes(&unit(job("stop"))) && goes(&unit(job("restart"))));
        assert!(!goes(&unit(job("start"))) && !goes(&unit(None)));
    }

    #[test]
    fn only_services_restart() {
        assert!(content(Kind::Service).ends_with("[Service]\nRestart=no\n"));
        assert!(!content(Kind::Scope).contains("Restart"));
        assert!(
            content(Kind::Scope).contains("Before=pacemaker.service pacemaker_remote.service\n")
        );
    }
}
