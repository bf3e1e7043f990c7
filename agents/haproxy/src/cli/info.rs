//! `show info` of a worker: who answers.
#![forbid(unsafe_code)]

/// What matters of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// The version, for people.
    pub version: String,
    /// The number of the process that answered.
    pub pid: i32,
    /// Whether it is on its way out: it listens no more.
    pub stopping: bool,
}

/// Reads it, wherever in a longer text it is. Lines are `Key: value`; since 2.0 there are about
/// sixty, and each version adds some.
pub fn parse(text: &str) -> Option<Info> {
    let mut lines = text.lines().skip_while(|line| line.trim_end() != "Name: HAProxy");
    let mut info = Info { version: String::new(), pid: 0, stopping: false };
    for line in lines.by_ref().take_while(|line| !line.trim().is_empty()) {
        let Some((key, value)) = line.split_once(": ") else { continue };
        match key {
            "Version" => value.trim().clone_into(&mut info.version),
            "Pid" => info.pid = value.trim().parse().ok().filter(|pid| *pid > 0)?,
            "Stopping" => info.stopping = value.trim() != "0",
            _ => {}
        }
    }
    (info.pid != 0).then_some(info)
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Of a real 2.6, shortened.
    pub const V2_6: &str = "Name: HAProxy\nVersion: 2.6.12-1+deb12u4\nRelease_date: 2026/10/17\n\
                            Nbthread: 2\nNbproc: 1\n\
                            Process_num: 1\nPid: 7\nUptime: 0d 0h00m03s\nStopping: 0\nJobs: 4\n\
                            node: vm\n\n";

    #[test]
    fn who_answers_is_found() {
        let expected = |version: &str, pid, stopping| {
            Some(Info { version: version.to_owned(), pid, stopping })
        };
        assert_eq!(parse(V2_6), expected("2.6.12-1+deb12u4", 7, false));
        // 2.2 has as much; 3.0 and later say more between and after.
        let new = "Name: HAProxy\nVersion: 3.2.4\nNbthread: 8\nPid: 99\nStopping: 1\nNiceness: 0\n\
                   CurrStreams: 1\n";
        assert_eq!(parse(new), expected("3.2.4", 99, true));
        assert_eq!(
            parse("Name: HAProxy\nVersion: 2.2.9\nProcess_num: 2\nPid: 5\n"),
            expected("2.2.9", 5, false)
        );
        assert_eq!(parse(&format!("#<PID>\n7 master\n\n{V2_6}# pxname,svname,\n")), parse(V2_6));
    }

    #[test]
    fn anything_else_is_nobody() {
        for bad in [
            "",
            "Name: HAProxy\n",
            "Name: HAProxy\n\nPid: 7\n",
            "Name: HAProxy\nPid: seven\n",
            "Name: X\nPid: 7\n",
        ] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }
}
