//! `show proc` of a master: who its workers are.
//!
//! Since 2.5 the line of the master has how many reloads in a row have failed, and the column
//! `<relative PID>` is gone (HAProxy's src/cli.c and src/mworker.c from 2.2 to 3.2).
#![forbid(unsafe_code)]

/// A master and its workers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Processes {
    /// The number of the master.
    pub master: i32,
    /// How often it was ordered to reload.
    pub reloads: u32,
    /// How many of these have failed since the last good one; `None` where that is not known.
    pub failed: Option<u32>,
    /// The workers of now.
    pub workers: Vec<i32>,
    /// The workers of former configurations, which serve those who are connected to them.
    pub old: Vec<i32>,
}

/// The part of the text that is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Master,
    Workers,
    Old,
    Other,
}

/// Reads it. What follows the tables is left alone.
pub fn parse(text: &str) -> Option<Processes> {
    let mut lines = text.lines();
    let header = lines.by_ref().find(|line| !line.trim().is_empty())?;
    if !header.starts_with("#<PID>") {
        return None;
    }
    // Of the columns that matter this one alone comes and goes.
    let before_reloads = if header.contains("<relative PID>") { 2 } else { 1 };
    let mut found = Processes::default();
    let mut part = Part::Master;
    for line in lines {
        let line = line.trim();
        if line.is_empty() {
            break;
        }
        if let Some(title) = line.strip_prefix('#') {
            part = match title.trim() {
                "workers" => Part::Workers,
                "old workers" => Part::Old,
                _ => Part::Other,
            };
            continue;
        }
        let mut words = line.split_ascii_whitespace();
        let pid = words.next()?.parse().ok().filter(|pid: &i32| *pid > 0)?;
        match part {
            Part::Master => {
                if words.next()? != "master" || found.master != 0 {
                    return None;
                }
                found.master = pid;
                found.reloads = words.nth(before_reloads - 1)?.parse().ok()?;
                found.failed = match words.next() {
                    Some("[failed:") => Some(words.next()?.trim_end_matches(']').parse().ok()?),
                    _ => None,
                };
            }
            Part::Workers => found.workers.push(pid),
            Part::Old => found.old.push(pid),
            Part::Other => {}
        }
    }
    (found.master != 0).then_some(found)
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// As 2.2 to 2.4 have it.
    pub const V2_2: &str = "\
#<PID>          <type>          <relative PID>  <reloads>       <uptime>        <version>      \n\
1162            master          0               5               0d00h02m07s     2.2.9-2+deb11u6\n\
# workers\n\
1271            worker          1               0               0d00h00m00s     2.2.9-2+deb11u6\n\
1272            worker          2               0               0d00h00m00s     2.2.9-2+deb11u6\n\
# old workers\n\
1233            worker          [was: 1]        2               0d00h00m19s     2.2.9-2+deb11u6\n\
# programs\n\
1244            foo             -               0               0d00h00m00s     -              \n\
\n";

    /// As 2.5 to 3.0 have it; this is of a real 2.6.
    pub const V2_6: &str = "\
#<PID>          <type>          <reloads>       <uptime>        <version>      \n\
5               master          1 [failed: 1]   0d00h00m01s     2.6.12-1+deb12u4\n\
# workers\n\
6               worker          1               0d00h00m01s     2.6.12-1+deb12u4\n\
# programs\n\
\n";

    /// Since 3.1 there are no programs.
    pub const V3_2: &str = "\
#<PID>          <type>          <reloads>       <uptime>        <version>      \n\
100             master          3 [failed: 0]   12d03h00m01s    3.2.4-98813a1  \n\
# workers\n\
140             worker          0               0d00h00m01s     3.2.4-98813a1  \n\
# old workers\n\
120             worker          1               0d00h10m01s     3.2.4-98813a1  \n\
101             worker          3               12d03h00m01s    3.2.4-98813a1  \n\
\n";

    /// `show proc debug` of 3.1.
    const DEBUG: &str = "\
#<PID>          <type>          <reloads>       <uptime>        <version>      \t\t \
<ipc_fd[0]>     <ipc_fd[1]>    \n\
100             master          0 [failed: 0]   0d00h00m01s     3.1.0          \t\t \
3               4              \n\
# workers\n\
101             worker          0               0d00h00m01s     3.1.0          \t\t \
5               6              \n";

    #[test]
    fn every_versions_table_is_read() {
        let expected = |master, reloads, failed, workers: &[i32], old: &[i32]| Processes {
            master,
            reloads,
            failed,
            workers: workers.to_vec(),
            old: old.to_vec(),
        };
        for (text, expected) in [
            (V2_2, expected(1162, 5, None, &[1271, 1272], &[1233])),
            (V2_6, expected(5, 1, Some(1), &[6], &[])),
            (V3_2, expected(100, 3, Some(0), &[140], &[120, 101])),
            (DEBUG, expected(100, 0, Some(0), &[101], &[])),
        ] {
            assert_eq!(parse(text), Some(expected), "{text}");
            assert_eq!(
                parse(&format!("{text}\nName: HAProxy\nPid: 6\n")),
                parse(text),
                "with more behind it"
            );
        }
    }

    #[test]
    fn a_master_without_workers_is_one() {
        let text = "#<PID> <type> <reloads> <uptime> <version>\n\
                    7 master 0 [failed: 0] 0d00h00m01s 2.6\n# workers\n\n";
        assert_eq!(parse(text).unwrap().workers, [0; 0]);
    }

    #[test]
    fn anything_else_is_no_table() {
        for bad in [
            "",
            "Unknown command: 'show proc', but maybe one of the following ones is a better \
             match:\n",
            "#<PID> <type> <reloads>\n",
            "#<PID> <type> <reloads>\n7 worker 0\n",
            "#<PID> <type> <reloads>\n-7 master 0\n",
            "#<PID> <type> <reloads>\n7 master soon\n",
            "#<PID> <type> <reloads>\n7 master 0 [failed: x]\n",
            "#<PID> <type> <reloads>\n7 master 0\n8 master 0\n",
            "#<PID> <type> <reloads>\n7 master 0\n# workers\nx worker\n",
            "#<PID> <type> <reloads>\n99999999999 master 0\n",
        ] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }
}
