//! A page for people: a timeline for each node, without a script, light or dark as the reader's
//! system is.

mod timeline;

use std::fmt::Write as _;

use ocf_tester::report::html::escaped;

use super::history::{Event, History};
use super::judge::{Rule, Violation};

const STYLE: &str = include_str!("page/style.css");

/// The page of a run.
#[must_use]
pub fn page(history: &History, violations: &[Violation]) -> String {
    let Some(plan) = history.plan() else { return String::new() };
    let title = format!("Soak of seed {}", plan.seed);
    let outcome = match violations.len() {
        0 => "<p class=\"outcome good\">No rule was broken</p>".to_owned(),
        1 => "<p class=\"outcome bad\">One rule was broken, once</p>".to_owned(),
        count => format!("<p class=\"outcome bad\">Rules were broken {count} times</p>"),
    };
    let settings = format!(
        "{} agents; monitors {}; {} fencing; {:.0} s; {} calls of agents; {} requests, {} of them \
         lost",
        escaped(&plan.provider),
        if plan.watch { "wait for events" } else { "do not wait" },
        if plan.fencing { "with" } else { "without" },
        history.end(),
        history.calls().count(),
        requests(history, false),
        requests(history, true),
    );
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>{title}</h1>\n{outcome}\n\
         <p class=\"soft\">{settings}</p>\n</header>\n<main>\n{}{}{}</main>\n<footer>What the \
         witnesses saw: clients, a packet capture, the kernels' addresses, processes and ports. \
         Where a mark is, its text says more.</footer>\n</body>\n</html>\n",
        rules(violations),
        timeline::of(history, violations),
        deeds(history),
    )
}

/// How many requests there were, or how many of them were lost after all was well for the first
/// time.
fn requests(history: &History, lost: bool) -> usize {
    let first = history.entries.iter().position(|it| matches!(it.event, Event::Calm { .. }));
    let after = &history.entries[first.unwrap_or_default()..];
    after
        .iter()
        .filter_map(|entry| match &entry.event {
            Event::Requests { count, page, .. } if !lost || page.is_none() => Some(*count),
            _ => None,
        })
        .sum()
}

fn rules(violations: &[Violation]) -> String {
    let mut text = String::from("<h2>Rules</h2>\n<table>\n");
    for rule in Rule::ALL {
        let count = violations.iter().filter(|it| it.rule == rule).count();
        let class = if count == 0 { "good" } else { "bad" };
        let _ =
            writeln!(text, "<tr><td>{}</td><td class=\"{class}\">{count}</td></tr>", rule.says());
    }
    text += "</table>\n";
    if !violations.is_empty() {
        text += "<h2>What was \
            found</h2>\n<table>\n<tr><th>s</th><th>episode</th><th>rule</th><th>found</th></tr>\n";
        for it in violations {
            let episode = it.episode.map_or("-".to_owned(), |number| number.to_string());
            let _ = writeln!(
                text,
                "<tr><td>{:.1}</td><td>{episode}</td><td>{}</td><td>{}</td></tr>",
                it.t,
                it.rule.says(),
                escaped(&it.found)
            );
        }
        text += "</table>\n";
    }
    text
}

fn deeds(history: &History) -> String {
    let mut text = String::from(
        "<h2>What was \
         done</h2>\n<table>\n<tr><th>s</th><th>episode</th><th>deed</th><th>to</th><th>on</th>\
         <th></th></tr>\n",
    );
    for entry in &history.entries {
        let Event::Deed { episode, deed, target, node, begins, note, idle, .. } = &entry.event
        else {
            continue;
        };
        let note = if *idle { format!("not done: {note}") } else { note.clone() };
        if *begins || !note.is_empty() {
            let _ = writeln!(
                text,
                "<tr><td>{:.1}</td><td>{episode}</td><td>{deed}</td><td>{}</td><td>{}</td><td \
                 class=\"soft\">{}</td></tr>",
                entry.t,
                escaped(target),
                escaped(node),
                escaped(&note)
            );
        }
    }
    text + "</table>\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::soak::history::{Call, Entry};
    use crate::soak::plan::Plan;

    #[test]
    fn the_page_is_whole_escaped_and_without_a_script() {
        let at = |t, event| Entry { t, event };
        let call = Call {
            node: "node1".into(),
            resource: "WEB".into(),
            action: "monitor".into(),
            interval: 2000,
            pid: 9,
            began: 3.0,
            ended: Some(3.1),
            code: Some(1),
            reason: "a <script> & \"more\"".into(),
            said: String::new(),
            timed_out: false,
            cancelled: None,
        };
        let history = History::of(vec![
            at(0.0, Event::Plan { plan: Plan::of(3, 60, "native") }),
            at(1.0, Event::Calm { number: None }),
            at(
                1.0,
                Event::Address { node: "node1".into(), address: "10.9.0.50".into(), there: true },
            ),
            at(3.0, Event::Call(call)),
            at(
                3.0,
                Event::Requests {
                    service: "SITE".into(),
                    address: "10.9.0.50".into(),
                    until: 4.0,
                    count: 20,
                    page: None,
                    error: "no answer".into(),
                },
            ),
            at(5.0, Event::Power { node: "node1".into(), on: false }),
        ]);
        let found =
            Violation { rule: Rule::Requests, t: 3.0, episode: None, found: "<lost>".into() };
        let page = page(&history, &[found]);
        assert!(
            !page.contains("<script") && page.contains("a &lt;script&gt; &amp; &quot;more&quot;")
        );
        assert!(page.contains("&lt;lost&gt;") && page.contains("20 of them lost"));
        assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
        let svg = &page[page.find("<svg").unwrap()..page.rfind("</svg>").unwrap() + 6];
        for part in svg.split("<svg").skip(1) {
            let one = format!("<svg{}", &part[..part.find("</svg>").unwrap() + 6]);
            roxmltree::Document::parse(&one).unwrap();
        }
    }
}
