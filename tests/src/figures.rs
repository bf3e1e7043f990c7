//! What is made of many measured values.

use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::tell::tell;

/// Values for a picture: bars of several series beside each other (`metadata/src/picture.rs`).
#[derive(Debug)]
pub struct Figure {
    /// The name of its file, without the end.
    pub name: &'static str,
    /// What stands above.
    pub title: &'static str,
    /// What the numbers are.
    pub unit: &'static str,
    /// All series that the picture may have.
    pub series: &'static [&'static str],
}

impl Figure {
    /// Writes values to the directory `OCF_FIGURES`, if that is set: for each, its group, its
    /// series and the number. Values of other series that are there already stay.
    pub fn record(&self, machine: &str, values: &[(&str, &str, f64)]) {
        let Some(directory) = std::env::var_os("OCF_FIGURES") else { return };
        let path = Path::new(&directory).join(format!("{}.json", self.name));
        let before = std::fs::read_to_string(&path).unwrap_or_default();
        let text = format!("{:#}\n", self.merged(&before, &today(), machine, values));
        let written =
            std::fs::create_dir_all(&directory).and_then(|()| std::fs::write(&path, text));
        if let Err(error) = written {
            tell(&format!("{}: {error}", path.display()));
        }
    }

    fn merged(
        &self,
        before: &str,
        date: &str,
        machine: &str,
        values: &[(&str, &str, f64)],
    ) -> Value {
        let before: Value = serde_json::from_str(before).unwrap_or_default();
        let mut groups: Vec<Map<String, Value>> = before["groups"]
            .as_array()
            .map(|groups| groups.iter().filter_map(|group| group.as_object().cloned()).collect())
            .unwrap_or_default();
        for (name, series, value) in values {
            let known = groups.iter().position(|group| group["name"] == json!(name));
            let at = known.unwrap_or_else(|| {
                groups.push(Map::from_iter([("name".to_owned(), json!(name))]));
                groups.len() - 1
            });
            groups[at].insert((*series).to_owned(), json!((value * 1000.0).round() / 1000.0));
        }
        json!({
            "title": self.title, "unit": self.unit, "date": date, "machine": machine,
            "series": self.series, "groups": groups,
        })
    }
}

/// The day, as `date` has it.
fn today() -> String {
    let done = std::process::Command::new("date").args(["-u", "+%F"]).output();
    done.map_or_else(
        |_| String::new(),
        |done| String::from_utf8_lossy(&done.stdout).trim().to_owned(),
    )
}

/// The kernel and the processors of this machine.
#[must_use]
pub fn machine() -> String {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    // What follows is the builder's.
    let version = kernel.trim().split('-').next().unwrap_or_default();
    format!("Linux {version}, {cores} processors")
}

/// How long a client had no answer, for each fault.
pub const DOWNTIME: Figure = Figure {
    name: "downtime",
    title: "How long a client has no answer: address and nginx, three nodes, monitors every 2 s",
    unit: "seconds, median",
    series: &["native", "native with watch", "shell"],
};

/// What a healthy monitor costs.
pub const MONITOR: Figure = Figure {
    name: "monitor",
    title: "What a healthy monitor costs",
    unit: "million instructions",
    series: &["native", "shell"],
};

/// The middle of a list; nothing for an empty one.
#[must_use]
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

/// The largest of a list; nothing for an empty one.
#[must_use]
pub fn largest(values: &[f64]) -> Option<f64> {
    values.iter().copied().reduce(f64::max)
}

/// In milliseconds.
#[must_use]
pub fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_another_run_stay_beside_the_new_ones() {
        let first = DOWNTIME.merged("", "2026-11-01", "x", &[("move", "native", 0.2216)]);
        let second = DOWNTIME.merged(
            &first.to_string(),
            "2026-11-02",
            "y",
            &[("move", "shell", 1.7), ("kill", "native", 2.0)],
        );
        let groups = json!([
            { "name": "move", "native": 0.222, "shell": 1.7 },
            { "name": "kill", "native": 2.0 },
        ]);
        assert_eq!((&second["groups"], &second["date"]), (&groups, &json!("2026-11-02")));
    }

    #[test]
    fn the_median_is_in_the_middle_or_between_two() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(Vec::new()), None);
    }
}
