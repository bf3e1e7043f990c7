//! What the system says when a file cannot be run, in the words of what is wrong with the file.
#![forbid(unsafe_code)]

use std::io;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::statvfs::{FsFlags, statvfs};
use ocf::sys::file;

/// As much of a file as the kernel reads of its first line (BINPRM_BUF_SIZE).
pub const FIRST: u64 = 256;

/// Why an agent could not be run.
#[must_use]
pub fn not_run(agent: &Path, error: &io::Error) -> String {
    let cause = match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ENOENT) => interpreter(agent),
        Some(Errno::ENOEXEC) => Some(
            "it does not begin with #!, and is no program for this machine: name an interpreter, \
             as in #!/bin/sh"
                .to_owned(),
        ),
        Some(Errno::EACCES) if is_noexec(agent) => Some(noexec().to_owned()),
        Some(Errno::EACCES) => interpreter(agent),
        _ => None,
    };
    match cause {
        Some(cause) => format!("{} could not be run: {cause}", agent.display()),
        None => format!("{} could not be run: {error}", agent.display()),
    }
}

/// What a file system that runs nothing is.
#[must_use]
pub fn noexec() -> &'static str {
    "its file system is mounted with noexec: put the agent elsewhere, or mount it with exec"
}

/// Whether the file system of a file runs nothing.
#[must_use]
pub fn is_noexec(path: &Path) -> bool {
    statvfs(path).is_ok_and(|system| system.flags().contains(FsFlags::ST_NOEXEC))
}

/// What is wrong with the interpreter of a file that is there.
fn interpreter(agent: &Path) -> Option<String> {
    let first = file::read_start(agent, FIRST).ok()?;
    let line = first.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    fault(&String::from_utf8_lossy(line), |path| path.is_file())
}

/// What is wrong with the rest of a line that begins with `#!`.
fn fault(line: &str, is_there: impl Fn(&Path) -> bool) -> Option<String> {
    let name = line.trim_matches([' ', '\t']).split([' ', '\t']).next().unwrap_or_default();
    if name.starts_with('@') && name.trim_end().ends_with('@') {
        return Some(format!(
            "its first line names {}: a template that was not filled in; test what make installs",
            name.trim_end()
        ));
    }
    if line.ends_with('\r') {
        return Some(
            "its lines end with CR LF, and no interpreter has a name with a CR: sed -i 's/\\r$//' \
             mends it"
                .to_owned(),
        );
    }
    match name {
        "" => Some("its first line names no interpreter".to_owned()),
        name if !is_there(Path::new(name)) => Some(format!(
            "its first line names the interpreter {name}, which is not here: install it, or \
             correct the line"
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_line_is_explained() {
        let text =
            |line: &str| fault(line, |path| path == Path::new("/bin/sh")).unwrap_or_default();
        let expected = [
            ("/bin/sh", ""),
            (" /bin/sh -e", ""),
            ("/bin/sh\r", "CR LF"),
            ("@BASH_SHELL@", "a template that was not filled in"),
            ("/opt/ruby", "the interpreter /opt/ruby, which is not here"),
            ("", "names no interpreter"),
        ];
        for (line, part) in expected {
            let text = text(line);
            assert!(text.contains(part) && text.is_empty() == part.is_empty(), "{line:?}: {text}");
        }
    }

    #[test]
    fn what_cannot_be_explained_is_said_as_the_system_says_it() {
        let text =
            not_run(Path::new("/bin/sh"), &io::Error::from_raw_os_error(Errno::EMFILE as i32));
        assert!(text.starts_with("/bin/sh could not be run: Too many open files"), "{text}");
    }
}
