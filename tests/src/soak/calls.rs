//! The calls of agents: their beginnings from the shim's log, their ends from Pacemaker's.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::first_name;
use super::history::Call;

/// What Pacemaker's executor logged about a call.
#[derive(Debug, Clone, PartialEq)]
struct Said {
    /// Seconds of the day.
    at: f64,
    pid: i32,
    /// Such as `WEB_monitor_2000`.
    operation: String,
    what: What,
}

#[derive(Debug, Clone, PartialEq)]
enum What {
    Exit(i32),
    Signal,
    TimedOut,
    Cancelled,
    Error(String),
}

/// Puts both logs of a node together. `began` is the beginning of the run; `cuts` are the times
/// when the node lost its power, in order.
#[must_use]
pub fn read(node: &str, shim: &str, pacemaker: &str, began: SystemTime, cuts: &[f64]) -> Vec<Call> {
    let epoch = began.duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut said: BTreeMap<i32, Vec<Said>> = BTreeMap::new();
    for line in pacemaker.lines().filter_map(executor) {
        said.entry(line.pid).or_default().push(line);
    }
    let mut calls: Vec<Call> = shim.lines().filter_map(|line| call(node, line, epoch)).collect();
    calls.sort_by(|a, b| a.began.total_cmp(&b.began));
    // The numbers of processes come round again, with each boot at the latest.
    let next: Vec<f64> = calls
        .iter()
        .enumerate()
        .map(|(index, call)| {
            let later = calls[index + 1..].iter().find(|it| it.pid == call.pid);
            let cut = cuts.iter().copied().find(|cut| *cut > call.began);
            later.map_or(f64::INFINITY, |it| it.began).min(cut.unwrap_or(f64::INFINITY))
        })
        .collect();
    for (call, next) in calls.iter_mut().zip(next) {
        let mut reason = None;
        for line in said.get(&call.pid).into_iter().flatten() {
            let t = since(line.at, epoch);
            // The executor's clock is the shim's: only the writing takes time.
            let other = !is_of(&line.operation, call);
            // It may be killed before it has noted its beginning.
            let early = if line.what == What::Cancelled { 1.0 } else { 0.01 };
            if other
                || t < call.began - early
                || t >= next
                || call.ended.is_some_and(|ended| t > ended + 1.0)
            {
                continue;
            }
            match &line.what {
                What::Exit(code) => (call.ended, call.code) = (Some(t), Some(*code)),
                What::Signal => call.ended = call.ended.or(Some(t)),
                What::Cancelled => call.cancelled = Some(t),
                What::TimedOut => (call.ended, call.timed_out) = (Some(t), true),
                What::Error(text) => {
                    if let Some(given) = text.strip_prefix("ocf-exit-reason:") {
                        reason = Some(given.to_owned());
                    }
                    call.said += &format!("{text}\n");
                }
            }
        }
        call.reason = reason.unwrap_or_default();
    }
    calls
}

/// Whether an operation such as `ANY:1_start_0` is this call.
fn is_of(operation: &str, call: &Call) -> bool {
    let mut parts = operation.rsplitn(3, '_');
    let (interval, action, resource) = (parts.next(), parts.next(), parts.next());
    interval == Some(call.interval.to_string().as_str())
        && action == Some(call.action.as_str())
        && resource.map(first_name) == Some(call.resource.as_str())
}

/// Seconds since the beginning of the run, of a time of the day.
fn since(at: f64, began: Duration) -> f64 {
    const DAY: f64 = 86_400.0;
    let seconds = at - began.as_secs_f64() % DAY;
    // It may go on over midnight.
    if seconds < -DAY / 2.0 { seconds + DAY } else { seconds }
}

fn call(node: &str, line: &str, began: Duration) -> Option<Call> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    let resource = line["resource"].as_str()?;
    Some(Call {
        node: node.to_owned(),
        resource: first_name(resource).to_owned(),
        action: line["action"].as_str()?.to_owned(),
        interval: line["interval"].as_u64()?,
        pid: line["pid"].as_i64()? as i32,
        began: line["at"].as_f64()? - began.as_secs_f64(),
        ended: None,
        code: None,
        reason: String::new(),
        said: String::new(),
        timed_out: false,
        cancelled: None,
    })
}

/// Reads a line of Pacemaker's log, such as `Nov 28 22:53:21.123 node1 pacemaker-execd [77]
/// (async_action_complete) \tdebug: WEB_monitor_2000[456] exited with status 0`.
fn executor(line: &str) -> Option<Said> {
    let (time, rest) = line.get(7..).and_then(|rest| rest.split_once(' '))?;
    if !rest.contains("pacemaker-execd") {
        return None;
    }
    let mut parts = time.split(':').map(|part| part.parse::<f64>().ok());
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    let message = ["debug: ", "info: ", "notice: ", "warning: ", "error: "]
        .iter()
        .find_map(|level| rest.split_once(level))?
        .1;
    let named = message.split(' ').find(|word| word.ends_with(']') && word.contains("_"))?;
    let (operation, pid) = named.strip_suffix(']')?.rsplit_once('[')?;
    let after = message.split_once(named)?.1.trim_start();
    let what = if let Some(code) = after.strip_prefix("exited with status ") {
        What::Exit(code.split_whitespace().next()?.parse().ok()?)
    } else if after.starts_with("terminated with signal ") {
        What::Signal
    } else if after.starts_with("early because it was cancelled") {
        What::Cancelled
    } else if after.starts_with("timed out after ") {
        What::TimedOut
    } else {
        let text = after.strip_prefix("error output [ ")?;
        What::Error(text.strip_suffix(" ]").unwrap_or(text).to_owned())
    };
    Some(Said {
        at: hours * 3600.0 + minutes * 60.0 + seconds,
        pid: pid.parse().ok()?,
        operation: operation.to_owned(),
        what,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIM: &str = r#"
{"action":"monitor","at":1000000010.5,"interval":2000,"pid":456,"resource":"WEB"}
{"action":"start","at":1000000020.0,"interval":0,"pid":500,"resource":"ANY:1"}
{"action":"stop","at":1000000030.0,"interval":0,"pid":456,"resource":"WEB.2"}
"#;

    #[test]
    fn beginnings_and_ends_are_put_together() {
        // 1000000000 is 01:46:40 of a day.
        let line = |time: &str, text: &str| {
            format!(
                "Sep 09 {time} node1 pacemaker-execd     [77] (action_complete) debug: {text}\n"
            )
        };
        let log = [
            line(
                "01:46:50.600",
                "WEB_monitor_2000[456] error output [ ocf-exit-reason:it has died ]",
            ),
            line(
                "01:46:50.450",
                "Terminating in-flight op WEB_monitor_2000[456] early because it was cancelled",
            ),
            line("01:46:50.600", "WEB_monitor_2000[456] exited with status 1"),
            line("01:47:00.100", "ANY:1_start_0[500] terminated with signal 9 (Killed)"),
            line("01:48:10.000", "Stop WEB.2_stop_0[456] timed out after 1m"),
            "nonsense\n".to_owned(),
        ]
        .concat();
        let began = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let calls = read("node1", SHIM, &log, began, &[]);
        let brief: Vec<_> = calls
            .iter()
            .map(|it| {
                (it.resource.as_str(), it.began, it.ended.map(f64::round), it.code, it.timed_out)
            })
            .collect();
        assert_eq!(
            brief,
            [
                ("WEB", 10.5, Some(11.0), Some(1), false),
                ("ANY", 20.0, Some(20.0), None, false),
                ("WEB", 30.0, Some(90.0), None, true),
            ]
        );
        assert_eq!(calls[0].reason, "it has died");
        assert_eq!(calls[0].cancelled.map(|t| (t * 100.0).round()), Some(1045.0));
        // What has the same number after a cut of power is another call.
        let cut = read("node1", SHIM, &log, began, &[60.0]);
        assert_eq!((cut[1].ended.is_some(), cut[2].ended), (true, None));
        assert_eq!(since(5.0, Duration::from_secs(86_395)), 10.0);
    }
}
