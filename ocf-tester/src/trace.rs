//! A call as a shell would make it, and what came of it.
#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use crate::call::{Done, named};
use crate::report::plain;

/// A call in one line that can be pasted into a shell.
#[must_use]
pub fn command(agent: &Path, done: &Done) -> String {
    let mut words = done.shell.words.clone();
    words.extend(["env".to_owned(), "-i".to_owned()]);
    words.extend(done.environment.iter().map(|(name, value)| assignment(name, value)));
    words.extend(run(agent, done));
    let mut commands = done.shell.commands.clone();
    commands.push(words.join(" "));
    let line = commands.join(" && ");
    if commands.len() > 1 { format!("({line})") } else { line }
}

/// The command line that asks an agent for its meta-data, without any environment.
#[must_use]
pub fn bare(agent: &Path) -> String {
    format!("env -i {} meta-data", quoted(agent.as_os_str()))
}

/// The agent with its words, under what it runs, and where it reads.
fn run(agent: &Path, done: &Done) -> Vec<String> {
    let shell = &done.shell;
    let quoted_words =
        shell.under.iter().map(|word| quoted(word)).chain([quoted(agent.as_os_str())]);
    quoted_words
        .chain(done.words.iter().map(|word| quoted(OsStr::new(word))))
        .chain(shell.redirections.clone())
        .collect()
}

fn assignment(name: &OsStr, value: &OsStr) -> String {
    format!("{}={}", quoted(name), quoted(value))
}

/// Everything about a call. The command can be pasted into a shell.
#[must_use]
pub fn trace(agent: &Path, done: &Done) -> String {
    let how = if done.how.is_empty() { String::new() } else { format!(" ({})", plain(&done.how)) };
    let end = match (done.ended.signal, done.ended.code) {
        (Some(signal), _) => format!("signal {signal}"),
        (None, code) => code.map_or_else(|| "no end".to_owned(), named),
    };
    let mut text = format!(
        "# {}{how}: {end} after {} ms\n",
        plain(&done.what),
        done.ended.elapsed.as_millis()
    );
    text.push_str("env -i \\\n");
    for (name, value) in &done.environment {
        text.push_str(&format!("  {} \\\n", assignment(name, value)));
    }
    text.push_str(&format!("  {}\n", run(agent, done).join(" ")));
    for (stream, bytes) in [("stdout", &done.ended.stdout), ("stderr", &done.ended.stderr)] {
        for line in String::from_utf8_lossy(bytes).lines() {
            text.push_str(&format!("    {stream}: {}\n", plain(line)));
        }
    }
    text
}

/// A word for a shell. Bytes that a terminal should not get are written as `$'…'`, which bash, ksh,
/// zsh and POSIX 2024 know.
fn quoted(word: &OsStr) -> String {
    let safe = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-./:,+@%".contains(byte);
    match word.to_str() {
        Some(text) if !text.is_empty() && text.bytes().all(|byte| safe(&byte)) => text.to_owned(),
        Some(text) if plain(text) == text && !text.contains(['\n', '\t']) => {
            format!("'{}'", text.replace('\'', r"'\''"))
        }
        _ => format!("$'{}'", word.as_bytes().iter().map(escaped).collect::<String>()),
    }
}

fn escaped(byte: &u8) -> String {
    match byte {
        b'\'' | b'\\' => format!("\\{}", *byte as char),
        b' '..=b'~' => (*byte as char).to_string(),
        _ => format!("\\{byte:03o}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Ended;
    use std::ffi::OsString;

    #[test]
    fn words_are_quoted_for_a_shell() {
        let words: [(&[u8], &str); 6] = [
            (b"/a/b.c-1", "/a/b.c-1"),
            (b"", "''"),
            (b"it's $x", r"'it'\''s $x'"),
            (b"a\nb", r"$'a\012b'"),
            (b"\x1b[31m'\\", r"$'\033[31m\'\\'"),
            (b"\xff1", r"$'\3771'"),
        ];
        for (word, expected) in words {
            assert_eq!(quoted(OsStr::from_bytes(word)), expected);
        }
    }

    #[test]
    fn an_agent_that_could_not_be_called_has_a_command_too() {
        assert_eq!(bare(Path::new("/x/an agent")), "env -i '/x/an agent' meta-data");
    }

    #[test]
    fn a_call_can_be_pasted() {
        let ended = Ended {
            code: Some(0),
            stdout: b"up\n".into(),
            stderr: b"\x1b[2Jx".into(),
            ..Ended::default()
        };
        let environment = vec![(OsString::from("OCF_RESKEY_p"), OsString::from("a b"))];
        let words = vec!["monitor".to_owned()];
        let mut done = Done { what: "probe".into(), words, environment, ended, ..Done::default() };
        let expected = "# probe: 0 (success) after 0 ms\nenv -i \\\n  OCF_RESKEY_p='a b' \\\n  \
                        /x/agent monitor\n    stdout: up\n    stderr: \\u{1b}[2Jx\n";
        assert_eq!(trace(Path::new("/x/agent"), &done), expected);
        assert_eq!(
            command(Path::new("/x/agent"), &done),
            "env -i OCF_RESKEY_p='a b' /x/agent monitor"
        );
        done.shell.commands.push("umask 077".to_owned());
        done.shell.words.push("nice -n 5".to_owned());
        done.shell.under.push("/bin/dash".into());
        done.shell.redirections.push("<&-".to_owned());
        let expected =
            "(umask 077 && nice -n 5 env -i OCF_RESKEY_p='a b' /bin/dash /x/agent monitor <&-)";
        assert_eq!(command(Path::new("/x/agent"), &done), expected);
    }
}
