//! An agent's man page, in the layout that the pages of cluster agents have, with the sections of
//! its README; and the page of what all agents share.
#![forbid(unsafe_code)]

use roff::{Roff, bold, italic, roman};

use crate::describe::{Action, Description, Parameter};
use crate::readme::{self, Section};

/// What actions do. One that is not here has no sentence.
const ACTIONS: &[(&str, &str)] = &[
    ("start", "Starts the resource. Returns when a monitor would find it running."),
    ("stop", "Stops the resource. Returns when nothing of it is left."),
    ("status", "The same as monitor, for people."),
    ("monitor", "Reports whether the resource works."),
    ("reload", "Makes a running resource use what has changed, without a restart."),
    ("reload-agent", "Takes over changes of the reloadable parameters, without a restart."),
    (
        "validate-all",
        "Checks the parameters, and from level 10 on also what they need on this node.",
    ),
    ("meta-data", "Prints what the cluster knows of this agent."),
];

/// Sections of a README by their place in a page. Those that are not here are notes.
const EXAMPLE: &str = "Example";
const DIFFERENCES: [&str; 3] = ["Moving from", "Using", "Parameters that differ"];
const DIAGNOSTICS: &str = "Diagnostics";

/// The page of an agent, as installed for a provider. `about` is its README.
#[must_use]
pub fn page(agent: &Description, provider: &str, about: &[Section]) -> String {
    let shared = shared_title(provider);
    let mut page = head(&format!("ocf_{provider}_{}", agent.name), &agent.version, &agent.short);
    synopsis(&mut page, agent);
    page.control("SH", ["DESCRIPTION"]);
    paragraphs(&mut page, &agent.long, "PP");
    page.control("SH", ["SUPPORTED PARAMETERS"]);
    for parameter in &agent.parameters {
        describe(&mut page, parameter);
    }
    page.control("SH", ["SUPPORTED ACTIONS"]);
    for action in &agent.actions {
        describe_action(&mut page, action);
    }
    let is_different = |title: &str| DIFFERENCES.iter().any(|start| title.starts_with(start));
    let is_note = |title: &str| ![EXAMPLE, DIAGNOSTICS].contains(&title) && !is_different(title);
    plain(&mut page, "EXAMPLES", about.iter().find(|section| section.title == EXAMPLE), &shared);
    divided(&mut page, "DIFFERENCES", about, is_different, &shared);
    divided(&mut page, "NOTES", about.get(1..).unwrap_or_default(), is_note, &shared);
    plain(
        &mut page,
        "DIAGNOSTICS",
        about.iter().find(|section| section.title == DIAGNOSTICS),
        &shared,
    );
    page.control("SH", ["FILES"]).control("TP", []);
    page.text([italic(format!("/usr/lib/ocf/resource.d/{provider}/{}", agent.name))]);
    page.text([roman("The agent. "), bold("--help"), roman(" lists its parameters.")]);
    foot(&mut page, &[&shared]);
    page.render()
}

/// The page of what all agents of a provider share. `about` is the README of the shared crate.
#[must_use]
pub fn shared(version: &str, provider: &str, about: &[Section]) -> String {
    let title = shared_title(provider);
    let mut page = head(&title, version, "what the agents of this provider have in common");
    page.control("SH", ["SYNOPSIS"]).text([bold(format!("ocf:{provider}:AGENT"))]);
    page.control("SH", ["DESCRIPTION"]);
    page.text([roman("A parameter, an option and reasons that all agents have.")]);
    for section in about.iter().skip(1) {
        plain(&mut page, &section.title.to_uppercase(), Some(section), &title);
    }
    foot(&mut page, &[]);
    page.render()
}

fn shared_title(provider: &str) -> String {
    format!("ocf_{provider}_agents")
}

fn head(title: &str, version: &str, short: &str) -> Roff {
    let mut page = Roff::new();
    let package = format!("ocf-agents {version}");
    // The date is left out.
    page.control("TH", [title, "7", "\"\"", package.as_str(), "OCF resource agents"]);
    page.control("SH", ["NAME"]).text([roman(format!("{title} - {short}"))]);
    page
}

fn foot(page: &mut Roff, more: &[&str]) {
    page.control("SH", ["SEE ALSO"]);
    let known = [("crm", "8"), ("crm_resource", "8"), ("ocf-tester", "1"), ("pcs", "8")];
    let mut references: Vec<(&str, &str)> = more.iter().map(|name| (*name, "7")).collect();
    references.extend(known);
    let mut line = Vec::new();
    for (number, (name, section)) in references.iter().enumerate() {
        line.extend([bold(*name), roman(format!("({section})"))]);
        if number + 1 < references.len() {
            line.push(roman(", "));
        }
    }
    page.text(line);
    page.control("SH", ["AUTHOR"]).text([roman("The authors of ocf-agents.")]);
}

/// A section of a README as a section of the page, if there is one.
fn plain(page: &mut Roff, title: &str, section: Option<&Section>, shared: &str) {
    let Some(section) = section else { return };
    page.control("SH", [title]);
    readme::render(page, &section.blocks, shared);
}

/// All sections of a kind in one section of the page.
fn divided(
    page: &mut Roff,
    title: &str,
    about: &[Section],
    is_wanted: impl Fn(&str) -> bool,
    shared: &str,
) {
    for (number, section) in about.iter().filter(|section| is_wanted(&section.title)).enumerate() {
        if number == 0 {
            page.control("SH", [title]);
        }
        page.control("SS", [section.title.as_str()]);
        readme::render(page, &section.blocks, shared);
    }
}

fn synopsis(page: &mut Roff, agent: &Description) {
    let mut names: Vec<&str> = Vec::new();
    for action in &agent.actions {
        if !names.contains(&action.name.as_str()) {
            names.push(&action.name);
        }
    }
    page.control("SH", ["SYNOPSIS"]);
    page.text([bold(&agent.name), roman(format!(" [{}]", names.join(" | ")))]);
}

fn describe(page: &mut Roff, parameter: &Parameter) {
    page.control("TP", []).text([bold(&parameter.name)]);
    page.text([roman(format!("{}.", parameter.short))]).control("IP", []);
    paragraphs(page, &parameter.long, "IP");
    let mut words = vec![if parameter.required { "required" } else { "optional" }.to_owned()];
    words.extend(parameter.unique.then(|| "unique".to_owned()));
    words.push(parameter.content.clone());
    words.extend(parameter.default.as_ref().map(|default| format!("default \"{default}\"")));
    words.extend(parameter.reloadable.then(|| "reloadable".to_owned()));
    page.control("IP", []).text([roman(format!("({})", words.join(", ")))]);
}

fn describe_action(page: &mut Roff, action: &Action) {
    let mut name = vec![bold(&action.name)];
    if let Some(depth @ 1..) = action.depth {
        name.push(roman(format!(" (check level {depth})")));
    }
    page.control("TP", []).text(name);
    let does = ACTIONS.iter().find(|(name, _)| *name == action.name).map_or("", |(_, does)| does);
    let interval = action
        .interval
        .as_ref()
        .map_or_else(String::new, |interval| format!(", interval {interval}"));
    page.text([roman(
        format!("{does} Suggested time-out {}{interval}.", action.timeout).trim_start(),
    )]);
}

/// Paragraphs, divided by line ends in the text and by a macro in the page.
fn paragraphs(page: &mut Roff, text: &str, divider: &str) {
    let mut first = true;
    for paragraph in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if !std::mem::take(&mut first) {
            page.control(divider, []);
        }
        page.text([roman(paragraph)]);
    }
}
