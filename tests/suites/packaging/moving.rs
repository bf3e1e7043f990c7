//! The tables of parameters in the READMEs of the agents are complete, compared with the shell
//! agents that are installed.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use harness::skip::skip;
use roxmltree::{Document, ParsingOptions};

use crate::text;

const SHELL: &str = "/usr/lib/ocf/resource.d/heartbeat";

/// The agents that have a namesake there.
const NAMESAKES: [&str; 4] = ["IPaddr2", "apache", "nginx", "ldirectord"];

/// The parameters of some meta-data with their defaults; an empty one is none.
fn parameters(xml: &str) -> BTreeMap<String, String> {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    let document =
        Document::parse_with_options(xml, options).unwrap_or_else(|error| panic!("{error}: {xml}"));
    let all = document.descendants().filter(|node| node.has_tag_name("parameter"));
    let default = |node: roxmltree::Node<'_, '_>| {
        let content = node.children().find(|child| child.has_tag_name("content"));
        content.and_then(|content| content.attribute("default")).unwrap_or_default().to_owned()
    };
    all.map(|node| (node.attribute("name").unwrap_or_default().to_owned(), default(node))).collect()
}

/// The table of an agent's README.
fn table(agent: &str) -> String {
    let readme = text(&format!("agents/{}/README.md", agent.to_lowercase()));
    let section =
        readme.split("## Parameters that differ\n").nth(1).expect("the README has the table");
    section.split("\n## ").next().unwrap_or_default().to_owned()
}

#[test]
fn differences_from_the_shell_agents_are_in_the_table() {
    for agent in NAMESAKES {
        let path = Path::new(SHELL).join(agent);
        if !path.is_file() {
            skip(&format!("{} is not installed", path.display()));
            continue;
        }
        let done = Command::new(&path)
            .arg("meta-data")
            .env_clear()
            .envs([("OCF_ROOT", "/usr/lib/ocf"), ("PATH", harness::host::PATH)])
            .output()
            .unwrap();
        let theirs = parameters(&String::from_utf8_lossy(&done.stdout));
        let ours = parameters(&text(&format!("metadata/{agent}.xml")));
        let listed = table(agent);
        for (name, default) in &theirs {
            let Some(own) = ours.get(name) else { panic!("{agent} has no {name}") };
            assert!(
                own == default || listed.contains(&format!("`{name}`")),
                "{agent} {name}: {default:?}, {own:?}: {listed}"
            );
        }
        for name in ours.keys().filter(|name| !theirs.contains_key(*name)) {
            assert!(listed.contains(&format!("`{name}`")), "{agent} {name} is new: {listed}");
        }
    }
}
