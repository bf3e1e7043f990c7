//! What was measured: as a table for people, as JSON for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::agents::Who;

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// Nanoseconds.
    Time,
    /// KiB.
    Memory,
    /// One number over another.
    Ratio,
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Unit::Count => "count",
            Unit::Time => "ns",
            Unit::Memory => "KiB",
            Unit::Ratio => "ratio",
        }
    }

    fn show(self, value: f64) -> String {
        match self {
            Unit::Count if value >= 10e6 => format!("{:.1} M", value / 1e6),
            Unit::Count if value >= 1e6 => format!("{:.2} M", value / 1e6),
            Unit::Count if value >= 10e3 => format!("{:.0} k", value / 1e3),
            Unit::Count => format!("{value:.0}"),
            Unit::Time if value.abs() >= 1e9 => format!("{:.2} s", value / 1e9),
            Unit::Time if value.abs() >= 1e6 => format!("{:.2} ms", value / 1e6),
            Unit::Time => format!("{:.0} us", value / 1e3),
            Unit::Memory => format!("{value:.0} KiB"),
            Unit::Ratio => format!("{value:.2} x"),
        }
    }
}

/// A demand on our number.
#[derive(Clone, Debug)]
pub struct Target {
    text: String,
    met: bool,
}

/// One line of the table.
#[derive(Clone, Debug)]
pub struct Row {
    what: String,
    unit: Unit,
    values: [Option<f64>; 3],
    targets: Vec<Target>,
    note: String,
}

impl Row {
    /// A line without numbers yet.
    pub fn new(what: impl Into<String>, unit: Unit) -> Row {
        Row { what: what.into(), unit, values: [None; 3], targets: Vec::new(), note: String::new() }
    }

    /// The number of one of the three.
    pub fn set(&mut self, who: Who, value: impl Into<Option<f64>>) {
        self.values[who.column()] = value.into().filter(|value| value.is_finite());
    }

    /// As [`Row::set`], in a chain.
    pub fn with(mut self, who: Who, value: impl Into<Option<f64>>) -> Row {
        self.set(who, value);
        self
    }

    /// The number of one of the three.
    pub fn get(&self, who: Who) -> Option<f64> {
        self.values[who.column()]
    }

    /// Whether it has this unit.
    pub fn is(&self, unit: Unit) -> bool {
        self.unit == unit
    }

    /// Says how ours relates to another column, without a demand. `measured` is the ratio where
    /// there is a better one than that of the two numbers.
    pub fn compare(mut self, who: Who, measured: Option<f64>) -> Row {
        let times = measured.or_else(|| Some(self.get(Who::Ours)? / self.get(who)?));
        if let Some(times) = times.filter(|times| *times > 0.0) {
            self.add_note(&times_text(times, who));
        }
        self
    }

    /// Demands that ours is at most `limit`.
    pub fn at_most(mut self, limit: f64) -> Row {
        if let Some(ours) = self.get(Who::Ours) {
            let text = format!("at most {}", self.unit.show(limit));
            self.targets.push(Target { text, met: ours <= limit });
        }
        self
    }

    /// Demands that ours is at most `limit` times the number of another column, where both are
    /// known.
    pub fn at_most_times(mut self, limit: f64, who: Who, measured: Option<f64>) -> Row {
        if let Some(times) = measured.or_else(|| Some(self.get(Who::Ours)? / self.get(who)?)) {
            let text = format!("{} (at most {})", times_text(times, who), fraction(limit));
            self.targets.push(Target { text, met: times <= limit });
        }
        self
    }

    /// Adds a remark.
    pub fn note(mut self, note: &str) -> Row {
        self.add_note(note);
        self
    }

    fn add_note(&mut self, note: &str) {
        if !self.note.is_empty() && !note.is_empty() {
            self.note.push_str("; ");
        }
        self.note.push_str(note);
    }

    fn cells(&self) -> [String; 5] {
        let cell =
            |who| self.get(who).map_or_else(|| "-".to_owned(), |value| self.unit.show(value));
        let verdict = |target: &Target| {
            format!("{} {}", if target.met { "PASS" } else { "OVER" }, target.text)
        };
        let mut remarks: Vec<String> = self.targets.iter().map(verdict).collect();
        if !self.note.is_empty() {
            remarks.push(self.note.clone());
        }
        [self.what.clone(), cell(Who::Ours), cell(Who::Shell), cell(Who::Floor), remarks.join("; ")]
    }

    fn json(&self) -> Value {
        let targets =
            self.targets.iter().map(|target| json!({ "text": target.text, "met": target.met }));
        json!({
            "what": self.what, "unit": self.unit.name(), "ours": self.get(Who::Ours),
            "shell": self.get(Who::Shell), "floor": self.get(Who::Floor),
            "targets": targets.collect::<Vec<_>>(), "note": self.note,
        })
    }
}

fn times_text(times: f64, who: Who) -> String {
    let whom = match who {
        Who::Ours => "ours",
        Who::Shell => "the shell's",
        Who::Floor => "the floor",
    };
    format!("{} {whom}", fraction(times))
}

/// `1.25 x`, or `1/40` for what is small.
fn fraction(times: f64) -> String {
    if times > 0.0 && times < 0.5 {
        format!("1/{:.0} of", 1.0 / times)
    } else {
        format!("{times:.2} x")
    }
}

/// Lines that belong together.
#[derive(Clone, Debug)]
pub struct Section {
    /// The word after `--only`.
    pub name: &'static str,
    /// Its heading.
    pub title: String,
    /// Its lines.
    pub rows: Vec<Row>,
}

/// Everything.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Where and with what: name and text.
    pub machine: Vec<(&'static str, String)>,
    /// What was measured.
    pub sections: Vec<Section>,
    /// What was not, and why.
    pub unmeasured: Vec<String>,
}

impl Report {
    /// How many demands were not met.
    pub fn missed(&self) -> usize {
        self.targets().filter(|target| !target.met).count()
    }

    fn targets(&self) -> impl Iterator<Item = &Target> {
        self.sections.iter().flat_map(|section| &section.rows).flat_map(|row| &row.targets)
    }

    /// What healthy monitors cost, in millions of instructions: of whom, by whom, and the number.
    pub fn costs(&self) -> Vec<(String, &'static str, f64)> {
        let monitors = self.sections.iter().filter_map(|section| {
            let of = section.title.strip_prefix("Healthy monitor, ")?.replace("depth", "level");
            let of = if of.starts_with("IPv") { format!("IPaddr2, {of}") } else { of };
            let row = section.rows.iter().find(|row| row.what.starts_with("instructions"))?;
            Some((of, row))
        });
        let both = monitors.flat_map(|(of, row)| {
            [(Who::Ours, "native"), (Who::Shell, "shell")]
                .into_iter()
                .filter_map(move |(who, series)| Some((of.clone(), series, row.get(who)? / 1e6)))
        });
        both.collect()
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (name, value) in &self.machine {
            let _ = writeln!(text, "{name:<9}{value}");
        }
        for section in &self.sections {
            let mut lines = vec![[&section.title, "ours", "shell", "floor", ""].map(str::to_owned)];
            lines.extend(section.rows.iter().map(Row::cells));
            let width = |column: usize| {
                lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0)
            };
            let widths = [width(0), width(1).max(9), width(2).max(9), width(3).max(9)];
            text.push('\n');
            for [what, ours, shell, floor, remarks] in &lines {
                let [a, b, c, d] = widths;
                let line = format!("{what:<a$}  {ours:>b$}  {shell:>c$}  {floor:>d$}  {remarks}");
                let _ = writeln!(text, "{}", line.trim_end());
            }
        }
        if !self.unmeasured.is_empty() {
            text.push_str("\nNot measured:\n");
            self.unmeasured.iter().for_each(|what| text.push_str(&format!("  {what}\n")));
        }
        let _ = writeln!(
            text,
            "\n{} of {} targets met.",
            self.targets().count() - self.missed(),
            self.targets().count()
        );
        text
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let machine: serde_json::Map<String, Value> =
            self.machine.iter().map(|(name, text)| ((*name).to_owned(), json!(text))).collect();
        let section = |section: &Section| {
            let rows: Vec<Value> = section.rows.iter().map(Row::json).collect();
            json!({ "name": section.name, "title": section.title, "rows": rows })
        };
        let sections: Vec<Value> = self.sections.iter().map(section).collect();
        json!({
            "machine": machine, "sections": sections, "unmeasured": self.unmeasured,
            "missed": self.missed(),
        })
    }
}
