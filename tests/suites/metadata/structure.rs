//! What no schema says: order, units, and that the description is true.

use std::collections::BTreeSet;

use harness::host::Host;
use harness::{agent, call};
use roxmltree::{Document, Node, ParsingOptions};

use crate::{agents, described};

fn parse(text: &str) -> Document<'_> {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    Document::parse_with_options(text, options).unwrap_or_else(|error| panic!("{error}:\n{text}"))
}

fn names<'a>(node: Node<'a, '_>) -> Vec<&'a str> {
    node.children().filter(Node::is_element).map(|child| child.tag_name().name()).collect()
}

fn tagged<'a, 'input>(
    document: &'a Document<'input>,
    tag: &'static str,
) -> impl Iterator<Item = Node<'a, 'input>> {
    document.descendants().filter(move |node| node.has_tag_name(tag))
}

/// The specification fixes the order of the elements; tools that read 1.1 insist on it.
#[test]
fn elements_stand_in_the_order_of_the_specification() {
    let host = Host::new("reader");
    for (kind, _) in agents() {
        let text = described(&host, kind);
        let document = parse(&text);
        let root = document.root_element();
        assert_eq!(root.attribute("name"), Some(kind));
        assert_eq!(
            names(root),
            ["version", "longdesc", "shortdesc", "parameters", "actions"],
            "{kind}"
        );
        assert_eq!(
            tagged(&document, "version").next().and_then(|version| version.text()),
            Some("1.1")
        );
        let mut seen = BTreeSet::new();
        for parameter in tagged(&document, "parameter") {
            let name = parameter.attribute("name").unwrap_or_default();
            assert!(!name.is_empty() && seen.insert(name), "{kind}: {name:?} twice or empty");
            let children = names(parameter);
            let children = children.strip_prefix(&["deprecated"]).unwrap_or(&children);
            assert_eq!(children, ["longdesc", "shortdesc", "content"], "{kind}: {name}");
            let attributes =
                ["name", "unique-group", "unique", "required", "reloadable", "private"];
            for attribute in parameter.attributes() {
                assert!(
                    attributes.contains(&attribute.name()),
                    "{kind}: {name}: {}",
                    attribute.name()
                );
            }
        }
        for text in tagged(&document, "longdesc").chain(tagged(&document, "shortdesc")) {
            assert!(text.attribute("lang").is_some(), "{kind}: {text:?}");
            assert!(text.text().is_some_and(|text| !text.trim().is_empty()), "{kind}: {text:?}");
        }
        for text in tagged(&document, "shortdesc").filter_map(|text| text.text()) {
            assert!(
                !text.contains('\n') && text.len() <= 80,
                "{kind}: a short description is one short line: {text:?}"
            );
        }
    }
}

/// A bare number is read as seconds by one tool and as milliseconds by another.
#[test]
fn actions_have_time_outs_with_a_unit() {
    let host = Host::new("reader");
    for (kind, _) in agents() {
        let text = described(&host, kind);
        let document = parse(&text);
        let actions: Vec<_> = tagged(&document, "action").collect();
        for wanted in ["start", "stop", "monitor", "meta-data", "validate-all"] {
            assert!(
                actions.iter().any(|action| action.attribute("name") == Some(wanted)),
                "{kind}: no {wanted}"
            );
        }
        for action in actions {
            for attribute in ["timeout", "interval"] {
                let Some(value) = action.attribute(attribute) else { continue };
                let number = value.strip_suffix('s').and_then(|number| number.parse::<u32>().ok());
                assert!(number.is_some_and(|number| number > 0), "{kind}: {action:?}");
            }
            assert!(action.attribute("timeout").is_some(), "{kind}: {action:?}");
        }
        // Reloadable parameters are worth nothing without the action, and the other way round.
        let reloadable = tagged(&document, "parameter")
            .any(|parameter| parameter.attribute("reloadable") == Some("1"));
        let reload = tagged(&document, "action")
            .any(|action| action.attribute("name") == Some("reload-agent"));
        assert_eq!(reloadable, reload, "{kind}");
    }
}

/// An action that is advertised must exist: 3 is for those that do not.
#[test]
fn every_advertised_action_exists_and_no_other_does() {
    if call::foreign() {
        return harness::skip::skip(
            "the agents under test are others, which promise nothing of the kind",
        );
    }
    for (kind, _) in agents() {
        let host = Host::new("reader");
        let text = described(&host, kind);
        let document = parse(&text);
        for action in tagged(&document, "action").filter_map(|action| action.attribute("name")) {
            let outcome = agent(&host, kind).action(action);
            assert!(outcome.code != 3, "{kind} advertises {action}:\n{outcome}");
        }
        for action in ["promote", "demote", "migrate_to", "migrate_from", "notify", "recover"] {
            if !text.contains(&format!("name=\"{action}\"")) {
                agent(&host, kind).action(action).expect_code(3);
            }
        }
    }
}

/// A default that the agent itself would refuse is no help.
#[test]
fn defaults_fit_their_types() {
    let host = Host::new("reader");
    for (kind, _) in agents() {
        let text = described(&host, kind);
        for content in tagged(&parse(&text), "content") {
            let Some(default) = content.attribute("default") else { continue };
            let fits = match content.attribute("type") {
                Some("integer") => default.parse::<i64>().is_ok(),
                Some("boolean") => default == "true" || default == "false",
                Some("select") => {
                    content.children().any(|option| option.attribute("value") == Some(default))
                }
                kind => kind == Some("string"),
            };
            assert!(fits, "{kind}: {content:?}");
        }
    }
}
