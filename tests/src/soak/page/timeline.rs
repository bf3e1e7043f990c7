//! The timelines: where each service was, what was done, which requests were lost, which calls
//! failed.

use std::fmt::Write as _;

use super::super::history::{Event, History};
use super::super::judge::{Fact, Timeline, Violation, windows};
use super::super::{NODES, SERVICES, node_name};
use super::escaped;

/// Pixels for a second.
const SCALE: f64 = 12.0;

/// The names stand left of it.
const LEFT: f64 = 90.0;

/// The height of a row.
const ROW: f64 = 16.0;

/// An episode with its rest is one picture; the first one has the beginning.
pub(super) fn of(history: &History, violations: &[Violation]) -> String {
    let timeline = Timeline::of(history);
    let mut cuts: Vec<f64> = history
        .entries
        .iter()
        .filter(|entry| matches!(entry.event, Event::Episode { number } if number > 0))
        .map(|entry| entry.t)
        .collect();
    cuts.insert(0, 0.0);
    cuts.push(history.end());
    let pictures = cuts.windows(2).enumerate().map(|(number, pair)| {
        let drawing = Drawing { history, timeline: &timeline, from: pair[0], to: pair[1] };
        format!("<h3>Episode {number}</h3>\n{}", drawing.whole(number, violations))
    });
    format!("<h2>Timelines</h2>\n{}", pictures.collect::<String>())
}

/// One picture.
struct Drawing<'history> {
    history: &'history History,
    timeline: &'history Timeline,
    from: f64,
    to: f64,
}

impl Drawing<'_> {
    fn x(&self, t: f64) -> f64 {
        LEFT + (t.clamp(self.from, self.to) - self.from) * SCALE
    }

    fn touches(&self, from: f64, to: f64) -> bool {
        from < self.to && to >= self.from
    }

    /// A box in a row, with a text for those who point at it.
    fn bar(&self, class: &str, row: f64, from: f64, to: f64, title: &str) -> String {
        let (x, end) = (self.x(from), self.x(to));
        format!(
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{:.1}\" width=\"{:.1}\" \
             height=\"{:.1}\"><title>{}</title></rect>\n",
            row * ROW + 3.0,
            (end - x).max(1.5),
            ROW - 6.0,
            escaped(title)
        )
    }

    fn whole(&self, number: usize, violations: &[Violation]) -> String {
        let mut body = String::new();
        let mut row = 1.0;
        let name = |body: &mut String, row: f64, text: &str| {
            let _ = writeln!(
                body,
                "<text x=\"4\" y=\"{:.1}\">{}</text>",
                row * ROW + 12.0,
                escaped(text)
            );
        };
        for window in windows(self.history) {
            if self.touches(window.began, window.ended) {
                let text = format!("{} {}", window.deed, window.target);
                body += &self.bar("fault", row, window.began, window.ended, &text);
                let _ = writeln!(
                    body,
                    "<text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                    self.x(window.ended.min(self.to)) + 4.0,
                    row * ROW + 12.0,
                    escaped(&text)
                );
                row += 1.0;
            }
        }
        for node in (1..=NODES).map(node_name) {
            name(&mut body, row, &node);
            self.dark(&mut body, row, &node);
            self.calls(&mut body, row, &node);
            row += 1.0;
            for service in &SERVICES {
                name(&mut body, row, &format!("  {}", service.name));
                self.service(&mut body, row, &node, service);
                row += 1.0;
            }
        }
        for service in &SERVICES {
            name(&mut body, row, &format!("{} lost", service.name));
            self.lost(&mut body, row, service.name);
            row += 1.0;
        }
        for it in violations.iter().filter(|it| self.touches(it.t, it.t)) {
            let _ = writeln!(
                body,
                "<line class=\"mark\" x1=\"{0:.1}\" x2=\"{0:.1}\" y1=\"0\" \
                 y2=\"{1:.1}\"><title>{2}</title></line>",
                self.x(it.t),
                row * ROW,
                escaped(&it.found)
            );
        }
        let (width, height) = (self.x(self.to) + 260.0, row * ROW + 4.0);
        format!(
            "<div class=\"wide\"><svg width=\"{width:.0}\" height=\"{height:.0}\" role=\"img\" \
             aria-label=\"Episode {number}\">\n{}{body}</svg></div>\n",
            self.grid(height)
        )
    }

    /// A line and a number every five seconds.
    fn grid(&self, height: f64) -> String {
        let first = (self.from / 5.0).ceil() as u64;
        let last = (self.to / 5.0).floor() as u64;
        let mut text = String::new();
        for five in first..=last {
            let x = self.x(five as f64 * 5.0);
            let _ = writeln!(
                text,
                "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"12\" \
                 y2=\"{height:.0}\"/><text class=\"soft\" x=\"{x:.1}\" y=\"11\">{} s</text>",
                five * 5
            );
        }
        text
    }

    fn dark(&self, body: &mut String, row: f64, node: &str) {
        for (from, to) in self.timeline.spans(node, &Fact::Dark, self.to) {
            if self.touches(from, to) {
                *body += &self.bar("dark", row, from, to, &format!("{node} has no power"));
            }
        }
    }

    fn calls(&self, body: &mut String, row: f64, node: &str) {
        for call in self.history.calls().filter(|it| it.node == node) {
            let ended = call.ended.unwrap_or(call.began);
            let failed = call.code.is_none_or(|code| code != 0)
                && !(call.interval == 0 && call.action == "monitor" && call.code == Some(7));
            // A healthy monitor is no news.
            if !self.touches(call.began, ended) || call.action == "monitor" && !failed {
                continue;
            }
            let class = if failed { "call failed" } else { "call" };
            let code = call.code.map_or("a signal".to_owned(), |code| code.to_string());
            let text = format!("{} {}: {code} {}", call.resource, call.action, call.reason);
            let from = if call.action == "monitor" { ended } else { call.began };
            *body += &self.bar(class, row, from, ended, &text);
        }
    }

    fn service(&self, body: &mut String, row: f64, node: &str, service: &super::super::Service) {
        let address = Fact::Address(service.addresses[0].1.to_owned());
        for (from, to) in self.timeline.spans(node, &address, self.to) {
            if self.touches(from, to) {
                *body +=
                    &self.bar(service.name, row, from, to, &format!("{} on {node}", service.name));
            }
        }
    }

    fn lost(&self, body: &mut String, row: f64, name: &str) {
        for entry in &self.history.entries {
            let Event::Requests { service, until, count, page: None, error, address } =
                &entry.event
            else {
                continue;
            };
            if service == name && self.touches(entry.t, *until) {
                let text = format!("{count} requests to {address} lost: {error}");
                *body += &self.bar("lost", row, entry.t, *until, &text);
            }
        }
    }
}
