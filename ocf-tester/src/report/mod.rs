//! What people and programs read of a run. Every format is a pure function from what was found to
//! text.
#![forbid(unsafe_code)]

pub mod catalogue;
pub mod github;
pub mod html;
pub mod json;
pub mod junit;
pub mod table;
pub mod tap;
pub mod text;

use std::path::Path;

use crate::check::Check;
use crate::trace;
use crate::verdict::{Judgement, Report, Verdict};

/// What a check is called and says where only its id is known.
fn titled(judgement: &Judgement, table: &[&'static Check]) -> String {
    match find(judgement.id, table) {
        Some(check) => format!("{}: {}", check.id, check.says),
        None => judgement.id.to_owned(),
    }
}

/// The check with this id.
#[must_use]
pub fn find(id: &str, table: &[&'static Check]) -> Option<&'static Check> {
    table.iter().copied().find(|check| check.id == id)
}

/// The command line that shows what was found; for an agent that could not be called, the call that
/// was tried.
fn shown(report: &Report, judgement: &Judgement) -> Option<String> {
    let agent = Path::new(&report.agent);
    match &judgement.call {
        Some(call) => Some(trace::command(agent, call)),
        None if judgement.id == "meta-data" => Some(trace::bare(agent)),
        None => None,
    }
}

/// Whether a verdict is a failure; with `strict`, a warning is.
fn fails(verdict: &Verdict, strict: bool) -> bool {
    matches!(verdict, Verdict::Fail(_)) || strict && matches!(verdict, Verdict::Warn(_))
}

/// Text for a terminal: what would command it, hide text or turn it around is spelled out. Line
/// ends and tabs stay.
#[must_use]
pub fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '\n' | '\t') || !is_command(character) {
            plain.push(character);
        } else {
            plain.extend(character.escape_default());
        }
    }
    plain
}

/// Control characters, marks of writing direction (Unicode's bidi classes), and what no XML may
/// hold (XML 1.0, Char).
fn is_command(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}')
        || matches!(character, '\u{2066}'..='\u{2069}')
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}')
}

/// As [`plain`], in one line.
#[must_use]
pub fn folded(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    plain(&lines.join("; ")).replace('\t', " ")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::check::{Proof, Weight};
    use std::time::Duration;

    pub(crate) const CHECK: Check = Check {
        id: "starts",
        says: "It starts #1.",
        clause: "OCF 1.1, start",
        fix: "Start it.",
        costs: "It does not run.",
        weight: Weight::Must,
        proof: Proof::Document(|_| Ok(())),
    };

    static OTHER: Check = Check { id: "stops", says: "It stops.", weight: Weight::Should, ..CHECK };
    static FIRST: Check = CHECK;

    /// A table of two checks.
    pub(crate) fn table() -> Vec<&'static Check> {
        vec![&FIRST, &OTHER]
    }

    /// Everything that could break a format.
    pub(crate) const NASTY: &str =
        "a\x1b[2J\u{0}\u{7f}\u{85}\u{ffff}<&>\"'\\ # ]]>\r\n\n  second: \u{202e}x\n";

    pub(crate) fn report() -> Report {
        let judged =
            |id, verdict| Judgement { id, verdict, took: Duration::from_millis(1500), call: None };
        Report {
            agent: "/x/agent".to_owned(),
            judgements: vec![
                judged("starts", Verdict::Fail(NASTY.to_owned())),
                judged("stops", Verdict::Warn("slow".to_owned())),
                judged("starts", Verdict::Pass),
                judged("unknown", Verdict::Skip(NASTY.to_owned())),
            ],
            notes: vec![NASTY.to_owned()],
            ..Report::default()
        }
    }

    #[test]
    fn nothing_commands_the_terminal() {
        assert_eq!(plain("ä\t\n\x1b]0;\u{9b}\u{202e}\r"), "ä\t\n\\u{1b}]0;\\u{9b}\\u{202e}\\r");
        assert_eq!(folded(" a \n\n\tb\tc\n"), "a; b c");
    }
}
