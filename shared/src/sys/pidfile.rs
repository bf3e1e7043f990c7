//! Pid files: a hint at who might be running, never a licence to signal.
#![forbid(unsafe_code)]

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::file::{self, read_small};
use super::process::Process;

/// A pid file has a few numbers; haproxy's has one per process.
const LARGEST: u64 = 4096;

/// The numbers in a pid file, one a line; none when there is no file.
///
/// # Errors
/// When the file cannot be read or trusted, or holds anything but numbers of processes that could
/// be others' (1 and below and our own could not).
pub fn read(path: &Path) -> io::Result<Vec<i32>> {
    let pids = numbers(path)?;
    match pids.iter().find(|pid| **pid == own()) {
        Some(pid) => Err(io::Error::other(format!("no pid of another process: {pid}"))),
        None => Ok(pids),
    }
}

fn own() -> i32 {
    std::process::id() as i32
}

fn numbers(path: &Path) -> io::Result<Vec<i32>> {
    let Some(bytes) = read_small(path, LARGEST)? else { return Ok(Vec::new()) };
    let text = std::str::from_utf8(&bytes).map_err(io::Error::other)?;
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(number).collect()
}

fn number(line: &str) -> io::Result<i32> {
    match line.parse() {
        Ok(pid) if pid > 1 => Ok(pid),
        _ => Err(io::Error::other(format!("no pid: {line:?}"))),
    }
}

/// The numbers in a pid file but our own. In a container that starts anew the numbers repeat: ours
/// is then that of a process long gone, and a stop must not fail over it.
///
/// # Errors
/// As [`read`] but for our own number.
pub fn others(path: &Path) -> io::Result<Vec<i32>> {
    let mut pids = numbers(path)?;
    pids.retain(|pid| *pid != own());
    Ok(pids)
}

/// Whether a process had begun when the file was last written; one that began later has the number
/// of another. Weak evidence, for the clock may have been set meanwhile.
///
/// # Errors
/// When the file or /proc cannot be read.
pub fn is_younger_than(path: &Path, process: &Process) -> io::Result<bool> {
    let written = std::fs::symlink_metadata(path)?;
    let written = written.mtime() as f64 + written.mtime_nsec() as f64 / 1e9;
    Ok(began_before(process.start_time, boot_time()?, written))
}

/// Whether a process that began so many ticks after the boot was there when the file was written.
/// The boot time is known to the second, so a second's doubt is in the process's favour.
fn began_before(start_time: u64, booted: f64, written: f64) -> bool {
    /// USER_HZ, the same on every Linux that Rust runs on.
    const TICKS: f64 = 100.0;
    booted + start_time as f64 / TICKS <= written + 1.0
}

/// When this machine booted, in seconds since 1970 (`btime` in /proc/stat).
fn boot_time() -> io::Result<f64> {
    let text = file::read_kernel_text(Path::new("/proc/stat"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("btime "));
    line.and_then(|seconds| seconds.trim().parse().ok())
        .ok_or_else(|| io::Error::other("/proc/stat has no btime"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;
    use std::time::{Duration, SystemTime};

    #[test]
    fn fuzz_any_line_is_a_number_of_another_or_refused() {
        crate::testing::fuzz::survives_text(&["4711", "-1", "4711 x"], |line| {
            assert!(number(line).is_ok_and(|pid| pid > 1) || number(line).is_err());
        });
    }

    #[test]
    fn only_numbers_that_can_be_somebody_elses_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pid");
        assert_eq!(read(&path).unwrap(), [0; 0]);
        for (text, expected) in [
            ("123\n", Some(vec![123])),
            (" 12 \n\n34\n", Some(vec![12, 34])),
            ("", Some(vec![])),
            ("1\n", None),
            ("0", None),
            ("-5", None),
            ("12x", None),
        ] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(read(&path).ok(), expected, "{text:?}");
        }
        std::fs::write(&path, std::process::id().to_string()).unwrap();
        assert!(read(&path).is_err(), "our own number");
        assert_eq!(others(&path).unwrap(), [], "our own number is no other process's");
    }

    #[test]
    fn sl_06_a_process_younger_than_the_file_is_not_the_one_meant() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pid");
        let mut child = Command::new("/bin/sleep").arg("60").spawn().unwrap();
        std::fs::write(&path, child.id().to_string()).unwrap();
        let process = Process::find(child.id() as i32).unwrap().unwrap();
        assert!(is_younger_than(&path, &process).unwrap());
        let long_ago = SystemTime::now() - Duration::from_secs(3600);
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(long_ago).unwrap();
        assert!(!is_younger_than(&path, &process).unwrap(), "the number has been used again");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
