//! The calls of a run over its time: a row for each check that made any, as a picture that needs no
//! script.
#![forbid(unsafe_code)]

use super::escaped;
use crate::call::Done;
use crate::verdict::Report;

/// The width of a row, in the units of its picture.
const WIDTH: f64 = 1000.0;

/// A call is never thinner: it can still be seen, and met by a pointer.
const THINNEST: f64 = 2.0;

/// Rows in the order in which their checks began.
pub(super) fn of(report: &Report) -> String {
    let mut checks: Vec<&str> = Vec::new();
    let mut calls: Vec<&Done> = report.calls.iter().collect();
    calls.sort_by_key(|call| call.began);
    for call in &calls {
        if !checks.contains(&call.check) {
            checks.push(call.check);
        }
    }
    let whole = report.took.as_secs_f64().max(0.001);
    let rows: String = checks
        .iter()
        .map(|check| {
            let own = calls.iter().filter(|call| call.check == *check);
            let bars: String = own.map(|call| bar(call, whole)).collect();
            let name = if check.is_empty() { "(between checks)" } else { check };
            format!(
                "<tr><th scope=\"row\">{}</th><td><svg viewBox=\"0 0 {WIDTH} 14\" \
                 preserveAspectRatio=\"none\" role=\"img\" \
                 aria-label=\"calls of {0}\">{bars}</svg></td></tr>\n",
                escaped(name)
            )
        })
        .collect();
    if rows.is_empty() {
        return rows;
    }
    format!(
        "<h3>Timeline of the calls</h3>\n<p><small>From 0 to {whole:.1} s. Green: success, or a \
         state that was seen; ochre: another code; red: a signal, or killed at its time-out; grey: \
         killed on purpose. Point at a bar for what it is.</small></p>\n\
         <div class=\"wide\"><table class=\"timeline\">\n<tbody>\n{rows}</tbody>\n</table></div>\n"
    )
}

fn bar(call: &Done, whole: f64) -> String {
    let at = |seconds: f64| (seconds / whole * WIDTH).clamp(0.0, WIDTH);
    let left = at(call.began.as_secs_f64()).min(WIDTH - THINNEST);
    let width = at(call.ended.elapsed.as_secs_f64()).max(THINNEST).min(WIDTH - left);
    let class = match call.ended.code {
        _ if call.cut_short => "cut",
        _ if call.ended.killed || call.ended.signal.is_some() => "killed",
        Some(0 | 7 | 8 | 190 | 191) => "seen",
        _ => "other",
    };
    let title = format!(
        "{:.3} s: {}, {} ms",
        call.began.as_secs_f64(),
        call.summary(),
        call.ended.elapsed.as_millis()
    );
    format!(
        "<rect class=\"{class}\" x=\"{left:.1}\" y=\"1\" width=\"{width:.1}\" \
         height=\"12\"><title>{}</title></rect>",
        escaped(&title)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Ended;
    use std::time::Duration;

    #[test]
    fn a_call_stands_where_it_was_made() {
        let call = |check: &'static str, began, took| {
            let ended =
                Ended { code: Some(0), elapsed: Duration::from_millis(took), ..Ended::default() };
            Done {
                check,
                began: Duration::from_millis(began),
                ended,
                what: "a<b".into(),
                ..Done::default()
            }
        };
        let calls = vec![call("stop", 500, 250), call("start", 0, 1), call("start", 999, 900)];
        let text = of(&Report { calls, took: Duration::from_secs(1), ..Report::default() });
        assert!(text.find("start").unwrap() < text.find("stop").unwrap(), "{text}");
        assert!(text.contains("x=\"500.0\" y=\"1\" width=\"250.0\""), "{text}");
        assert!(
            text.contains("x=\"0.0\" y=\"1\" width=\"2.0\"")
                && text.contains("x=\"998.0\" y=\"1\" width=\"2.0\""),
            "{text}"
        );
        assert!(text.contains("a&lt;b") && of(&Report::default()).is_empty());
    }
}
