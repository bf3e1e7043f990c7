//! What systemd of several releases of Debian has said of three units.

use nix::libc::CLD_EXITED;
use ocf::testing::recorded;
use serde_json::Value as Json;
use zbus::zvariant::Value;

use super::*;

/// All properties of an interface, in one line of `busctl --json=short`.
fn properties(line: &str) -> Properties {
    let said: Json = serde_json::from_str(line).unwrap();
    let all = said["data"][0].as_object().unwrap();
    let one = |(name, found): (&String, &Json)| {
        let value = value(found["type"].as_str()?, &found["data"])?;
        Some((name.clone(), value.try_into().unwrap()))
    };
    all.iter().filter_map(one).collect()
}

/// A value of one of the types that facts are made of.
fn value(signature: &str, data: &Json) -> Option<Value<'static>> {
    let text = |data: &Json| data.as_str().map(str::to_owned);
    let pair = |data: &Json| Some((text(&data[0])?, text(&data[1])?));
    let list = || data.as_array();
    Some(match signature {
        "s" | "o" => text(data)?.into(),
        "b" => data.as_bool()?.into(),
        "i" => i32::try_from(data.as_i64()?).ok()?.into(),
        "u" => u32::try_from(data.as_u64()?).ok()?.into(),
        "t" => data.as_u64()?.into(),
        "as" => list()?.iter().map(text).collect::<Option<Vec<String>>>()?.into(),
        "ay" => {
            let byte = |data: &Json| data.as_u64().and_then(|byte| u8::try_from(byte).ok());
            list()?.iter().map(byte).collect::<Option<Vec<u8>>>()?.into()
        }
        "(ss)" => pair(data)?.into(),
        "a(ss)" => list()?.iter().map(pair).collect::<Option<Vec<_>>>()?.into(),
        "a(sbbsi)" => {
            let condition = |data: &Json| {
                let code = i32::try_from(data[4].as_i64()?).ok()?;
                Some((
                    text(&data[0])?,
                    data[1].as_bool()?,
                    data[2].as_bool()?,
                    text(&data[3])?,
                    code,
                ))
            };
            list()?.iter().map(condition).collect::<Option<Vec<_>>>()?.into()
        }
        _ => return None,
    })
}

fn of(name: &str) -> Vec<(String, Facts)> {
    let read = |(place, text): (String, String)| {
        let (common, special) = text.split_once('\n').unwrap_or_else(|| panic!("{place}"));
        (place, read(&properties(common), &properties(special.trim())))
    };
    recorded(name).into_iter().map(read).collect()
}

#[test]
fn every_releases_failed_service_is_read() {
    for (place, facts) in of("systemd-failed") {
        assert_eq!(facts.main_end, Some((CLD_EXITED, 3)), "{place}");
        assert_eq!(facts.end().as_deref(), Some("exit status 3 (exit-code)"), "{place}");
        assert_eq!((facts.main_pid, facts.main_ended_first), (None, Some(true)), "{place}");
        assert!(facts.invocation.is_some_and(|id| id.len() == 32), "{place}");
        assert!(facts.began.is_some() && facts.load_error.is_empty(), "{place}");
        assert_eq!(facts.service_type.as_deref(), Some("simple"), "{place}");
    }
}

#[test]
fn what_starts_a_unit_again_is_read_of_every_release() {
    for (place, facts) in of("systemd-runs") {
        assert_eq!(facts.triggered_by, ["runs.path"], "{place}");
        assert_eq!(facts.upheld_by, ["keeper.target"], "{place}");
        assert!(facts.refuses_stop && facts.remains && facts.hides_its_end(), "{place}");
        assert_eq!(
            facts.starters().as_deref(),
            Some("runs.path, keeper.target (Upholds=), Restart=always"),
            "{place}"
        );
        assert_eq!(facts.kill_mode.as_deref(), Some("control-group"), "{place}");
    }
}

#[test]
fn every_releases_conditions_are_read() {
    for (place, facts) in of("systemd-condition") {
        assert_eq!(facts.condition, Some(false), "{place}");
        assert_eq!(facts.conditions, ["ConditionPathExists=/no/such/file"], "{place}");
    }
}
