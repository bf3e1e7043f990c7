//! An agent's man page, in the layout that the pages of cluster agents have.
#![forbid(unsafe_code)]

use roff::{Inline, Roff, bold, italic, roman};

use crate::describe::{Action, Description, Parameter};
use crate::examples::Example;

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

/// Divides the lines of an example.
const NEXT: &str = " \\\n    ";

/// The page of an agent, as installed for a provider.
#[must_use]
pub fn page(agent: &Description, provider: &str, example: &Example) -> String {
    let title = format!("ocf_{provider}_{}", agent.name);
    let mut page = Roff::new();
    let package = format!("ocf-agents {}", agent.version);
    // The date is left out.
    page.control("TH", [title.as_str(), "7", "\"\"", package.as_str(), "OCF resource agents"]);
    page.control("SH", ["NAME"]).text([roman(format!("{title} - {}", agent.short))]);
    synopsis(&mut page, agent);
    page.control("SH", ["DESCRIPTION"]);
    paragraphs(&mut page, &agent.long, "PP");
    page.control("SH", ["SUPPORTED PARAMETERS"]);
    for parameter in &agent.parameters {
        describe(&mut page, parameter);
    }
    page.control("SH", ["SUPPORTED ACTIONS"]);
    for action in &agent.actions {
        tell(&mut page, action);
    }
    page.control("SH", ["EXAMPLE CRM SHELL"]);
    page.text([roman("A resource, as a line of "), bold("crm configure"), roman(":")]);
    literal(&mut page, &crm(agent, provider, example));
    page.control("SH", ["EXAMPLE PCS"]);
    page.text([roman("The same, as a command of "), bold("pcs"), roman(":")]);
    literal(&mut page, &pcs(agent, provider, example));
    page.control("SH", ["FILES"]).control("TP", []);
    page.text([italic(format!("/usr/lib/ocf/resource.d/{provider}/{}", agent.name))]);
    page.text([roman("The agent. "), bold("--help"), roman(" lists its parameters. "), bold("--explain"),
        roman(", with the parameters in the environment as OCF_RESKEY_<name>, shows what a start would do on this node and why, what a monitor sees and what is on record. It changes nothing."),
    ]);
    page.control("SH", ["SEE ALSO"]);
    let references = [("crm", "8"), ("crm_resource", "8"), ("ocf-tester", "1"), ("pcs", "8")];
    let mut line = Vec::new();
    for (number, (name, section)) in references.into_iter().enumerate() {
        line.extend([bold(name), roman(format!("({section})"))]);
        if number + 1 < references.len() {
            line.push(roman(", "));
        }
    }
    page.text(line);
    page.control("SH", ["AUTHOR"]).text([roman("The authors of ocf-agents.")]);
    page.render()
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

fn tell(page: &mut Roff, action: &Action) {
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

/// The operations of an example, a line each: the name, and what it has.
fn operations(agent: &Description) -> Vec<String> {
    let plain = |name: &str| agent.actions.iter().find(|action| action.name == name);
    let life = ["start", "stop"].into_iter().filter_map(plain);
    let mut lines: Vec<String> =
        life.map(|action| format!("{} timeout={}", action.name, action.timeout)).collect();
    for monitor in agent.monitors() {
        let interval = monitor.interval.as_deref().unwrap_or_default();
        let level = match monitor.depth {
            Some(depth @ 1..) => format!(" OCF_CHECK_LEVEL={depth}"),
            _ => String::new(),
        };
        lines.push(format!("monitor interval={interval} timeout={}{level}", monitor.timeout));
    }
    lines
}

fn parameters(example: &Example) -> String {
    let pairs: Vec<String> =
        example.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let line = pairs.join(" ");
    // A terminal of 80 columns, less what pages are set in.
    if line.len() <= 56 { line } else { pairs.join(NEXT) }
}

/// The example in the language of crm.
#[must_use]
pub fn crm(agent: &Description, provider: &str, example: &Example) -> String {
    let mut lines = vec![
        format!("primitive {} ocf:{provider}:{}", example.resource, agent.name),
        format!("params {}", parameters(example)),
    ];
    lines.extend(operations(agent).into_iter().map(|operation| format!("op {operation}")));
    lines.join(NEXT)
}

/// The example as a command of pcs.
#[must_use]
pub fn pcs(agent: &Description, provider: &str, example: &Example) -> String {
    let mut lines = vec![
        format!("pcs resource create {} ocf:{provider}:{}", example.resource, agent.name),
        parameters(example),
        "op".to_owned(),
    ];
    let operations = operations(agent);
    let last = lines.len() - 1;
    lines[last].push_str(&format!(" {}", operations.first().map_or("", String::as_str)));
    lines.extend(operations.into_iter().skip(1));
    lines.join(NEXT)
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

/// Lines that stay as they are, set in.
fn literal(page: &mut Roff, text: &str) {
    page.control("PP", []).control("RS", ["4"]).control("nf", []);
    for line in text.lines() {
        let line: Vec<Inline> = vec![roman(line)];
        page.text(line);
    }
    page.control("fi", []).control("RE", []);
}
