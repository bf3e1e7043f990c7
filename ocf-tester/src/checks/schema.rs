//! The structure of meta-data: what the schemas of both versions prescribe and other checks do not
//! name, and then the schemas themselves, where the system has them and xmllint.
#![forbid(unsafe_code)]

use std::path::Path;
use std::time::Duration;

use roxmltree::{Document, Node, ParsingOptions};

use super::document::faults;
use crate::environment::PATH;
use crate::metadata::MetaData;
use crate::place::Place;
use crate::process::{self, Program};
use crate::verdict::{Finding, Judged};

/// Where packages put the schema of OCF 1.1.
const RNG: &[&str] =
    &["/usr/share/pcs/data/ocf-1.1.rng", "/usr/lib/python3/dist-packages/pcs/data/ocf-1.1.rng"];
/// The directory of the DTD of OCF 1.0, by whose name documents refer to it.
const DTD: &str = "/usr/share/resource-agents";

/// Own checks first, for they name the place in words.
pub(super) fn judge(meta: &MetaData) -> Judged {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    let document = Document::parse_with_options(&meta.text, options)
        .map_err(|error| Finding::unknown(error.to_string()))?;
    faults(structure(document.root_element()))?;
    lint(meta)
}

/// What is wrong with the structure, in both versions.
fn structure(root: Node<'_, '_>) -> Vec<String> {
    let mut found = Vec::new();
    if root.attribute("name").is_none_or(str::is_empty) {
        found.push("the root has no name".to_owned());
    }
    for element in ["parameters", "actions"] {
        match children(root, element).count() {
            0 => found.push(format!("there is no <{element}>")),
            1 => {}
            _ => found.push(format!("there is more than one <{element}>")),
        }
    }
    for parameter in children(root, "parameters").flat_map(|list| children(list, "parameter")) {
        let name = parameter.attribute("name").unwrap_or_default();
        for element in ["longdesc", "shortdesc", "content"] {
            if children(parameter, element).next().is_none() {
                found.push(format!("the parameter {name} has no <{element}>"));
            }
        }
        if let Some(content) = children(parameter, "content").next() {
            found.extend(kind_fault(name, content));
        }
        for attribute in ["required", "unique", "reloadable"] {
            let value = parameter.attribute(attribute).filter(|value| !matches!(*value, "0" | "1"));
            found.extend(value.map(|value| {
                format!("{attribute}={value:?} of the parameter {name} is neither 0 nor 1")
            }));
        }
    }
    for action in children(root, "actions").flat_map(|list| children(list, "action")) {
        if action.attribute("name").is_none_or(str::is_empty) {
            found.push("there is an action without a name".to_owned());
        }
    }
    found
}

fn kind_fault(name: &str, content: Node<'_, '_>) -> Option<String> {
    match content.attribute("type") {
        Some("string" | "integer" | "boolean") => None,
        Some("select")
            if children(content, "option").any(|option| option.attribute("value").is_some()) =>
        {
            None
        }
        Some("select") => Some(format!("the parameter {name} is a select without options")),
        Some(other) => Some(format!(
            "{other:?}, the type of the parameter {name}, is none of string, integer, boolean, \
             select"
        )),
        None => Some(format!("the content of the parameter {name} has no type")),
    }
}

fn children<'a, 'input>(
    node: Node<'a, 'input>,
    name: &'static str,
) -> impl Iterator<Item = Node<'a, 'input>> {
    node.children().filter(move |child| child.has_tag_name(name))
}

/// xmllint's opinion; that it cannot be had is no fault of the agent.
fn lint(meta: &MetaData) -> Judged {
    let schema = if meta.is_1_1() {
        RNG.iter().find(|path| Path::new(path).is_file()).copied()
    } else {
        None
    };
    let dtd = Path::new(DTD).join("ra-api-1.dtd").is_file() && meta.text.contains("<!DOCTYPE");
    let words: Vec<&str> = match (schema, meta.is_1_1()) {
        (Some(path), _) => vec!["xmllint", "--nonet", "--noout", "--relaxng", path, "-"],
        (None, false) if dtd => vec!["xmllint", "--nonet", "--noout", "--valid", "-"],
        (None, is_1_1) => {
            let version = if is_1_1 { "1.1" } else { "1.0" };
            return Err(Finding::unknown(format!(
                "the structure is well; no schema of OCF {version} to judge it by (packages pcs, \
                 resource-agents; 1.0 needs a DOCTYPE)"
            )));
        }
    };
    let program = Program {
        words: words.iter().map(Into::into).collect(),
        environment: vec![("PATH".into(), PATH.into()), ("LC_ALL".into(), "C.UTF-8".into())],
        input: meta.text.clone().into_bytes(),
        place: Place { directory: Path::new(DTD).is_dir().then(|| DTD.into()), ..Place::default() },
        limit: Duration::from_secs(20),
        umask: 0o022,
    };
    let ended = match process::run(&program, None) {
        Ok(ended) => ended,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Finding::unknown(
                "the structure is well; xmllint (package libxml2-utils) is not there for a second \
                 opinion",
            ));
        }
        Err(error) => return Err(error.into()),
    };
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    match ended.code {
        Some(0) => Ok(()),
        // xmllint(1): 3 and 4 are "does not conform"; the others are its own troubles.
        Some(3 | 4) => Err(Finding::broken(format!("xmllint: {}", complaint(&said)))),
        _ => Err(Finding::unknown(format!("xmllint could not judge it: {}", complaint(&said)))),
    }
}

/// The first lines that say something.
fn complaint(text: &str) -> String {
    let lines =
        text.lines().filter(|line| line.contains(": ")).map(|line| line.trim_start_matches("-:"));
    lines.take(3).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        structure(Document::parse(text).unwrap().root_element())
    }

    #[test]
    fn the_structure_is_judged_in_words() {
        let whole = r#"<resource-agent name="x"><longdesc/><shortdesc/><parameters>
            <parameter name="p" required="yes">
            <longdesc/><content type="number"/></parameter></parameters><actions>
            <action/></actions></resource-agent>"#;
        assert_eq!(found(whole).len(), 4, "{:#?}", found(whole));
        let empty = found("<resource-agent/>");
        assert_eq!(empty.len(), 3, "{empty:#?}");
    }

    #[test]
    fn a_good_structure_has_no_fault() {
        let good = r#"<resource-agent name="x"><longdesc/><longdesc/><shortdesc/><parameters>
            <parameter name="p">
            <longdesc/><shortdesc/><content type="select">
            <option value="a"/></content></parameter></parameters>
            <actions><action name="start"/></actions></resource-agent>"#;
        assert_eq!(found(good), Vec::<String>::new());
    }
}
