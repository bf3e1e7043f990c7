//! Directives for all services.
#![forbid(unsafe_code)]

use super::{Config, Family, Note, is_positive, is_space, place, quoted, states, toggle, value};

/// Reads one.
pub(super) fn read(config: &mut Config, line: &str, number: usize) {
    if let Err(text) = directive(config, line, number) {
        config.fault(number, text);
    }
}

fn directive(config: &mut Config, line: &str, number: usize) -> Result<(), String> {
    let name = line.split(|letter| is_space(letter) || letter == '=').next().unwrap_or_default();
    if name == "supervised" && value(line, name).is_none() {
        return bare_supervised(config, line, number);
    }
    let Some(found) = value(line, name).filter(|_| !name.is_empty()) else {
        return Err(unknown(line));
    };
    match name {
        "checktimeout" | "negotiatetimeout" | "checkinterval" | "checkcount" | "failurecount" => {
            is_positive(found)
                .then_some(())
                .ok_or_else(|| format!("{name} must be a number above 0"))
        }
        "fallback" | "fallback6" => {
            let family = if name == "fallback" { Family::V4 } else { Family::V6 };
            place::fallback(found).map(|fallback| config.fallbacks.push((number, family, fallback)))
        }
        "emailalert" if found == "\"\"" => Err("emailalert is empty".to_owned()),
        "fallbackcommand" | "maintenancedir" | "emailalertfrom" | "emailalert" => {
            (!found.is_empty()).then_some(()).ok_or_else(|| format!("{name} is empty"))
        }
        "autoreload" => yes_or_no(name, found).map(|yes| config.autoreload = yes),
        "cleanstop" => yes_or_no(name, found).map(|yes| config.cleanstop = yes),
        "fork" => yes_or_no(name, found).map(|yes| config.forks = yes),
        "quiescent" | "readdquiescent" => yes_or_no(name, found).map(drop),
        "supervised" => yes_or_no(name, found).map(|yes| config.supervised = yes.then_some(number)),
        "callback" | "logfile" => {
            let text = quoted(found)
                .ok_or_else(|| format!("the value of {name} must be between quotes"))?;
            if name == "logfile" {
                config.log = Some((number, text.to_owned()));
            }
            Ok(())
        }
        "execute" => {
            config.executes.push(found.to_owned());
            Ok(())
        }
        "emailalertfreq" => {
            let number = found.starts_with(|letter: char| letter.is_ascii_digit());
            number.then_some(()).ok_or_else(|| format!("{name} must be a number"))
        }
        "emailalertstatus" => states(found),
        "smtp" => {
            place::is_mail_host(found).then_some(()).ok_or_else(|| "smtp must be a host".to_owned())
        }
        "connecttimeout" => Err("connecttimeout is gone, use negotiatetimeout".to_owned()),
        "timeout" => Err("timeout is gone, use checktimeout and negotiatetimeout".to_owned()),
        _ => Err(unknown(line)),
    }
}

/// An old form that still works: the word alone.
fn bare_supervised(config: &mut Config, line: &str, number: usize) -> Result<(), String> {
    let alone = line["supervised".len()..].chars().all(is_space);
    if !alone {
        return Err("supervised must be yes or no".to_owned());
    }
    config.supervised = Some(number);
    config.remarks.push(Note {
        line: number,
        text: "supervised should have a value: supervised=yes".to_owned(),
    });
    Ok(())
}

pub(super) fn yes_or_no(name: &str, value: &str) -> Result<bool, String> {
    toggle(value).ok_or_else(|| format!("{name} must be yes or no, with nothing after it"))
}

pub(super) fn unknown(line: &str) -> String {
    let shown: String = line.trim_matches(is_space).chars().take(60).collect();
    if line.starts_with(is_space) {
        return format!(
            "unknown directive \"{shown}\" (a line of a section begins with four spaces or a tab)"
        );
    }
    format!("unknown directive \"{shown}\"")
}
