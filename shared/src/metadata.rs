//! Writes the meta-data of an agent from its description.
//!
//! OCF 1.1, without a DOCTYPE: that version has no DTD. An internal subset that adds the new
//! attributes to the DTD of 1.0 makes Pacemaker 3 log failed assertions each time it reads the text
//! (xml.c: a declaration is a node that it does not know), and the plain DOCTYPE of 1.0 would
//! promise what the text does not keep. The element `deprecated` and the content type `select` stay
//! out, for tools of 1.0 do not know them. There is no `encoding=` in the XML declaration, for
//! crmsh fails on one.
//!
//! Agents print the committed text, not this: a test holds the two equal, so a monitor carries no
//! XML writer.
#![forbid(unsafe_code)]

use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use crate::action::Action;
use crate::param::Info;
use crate::spec::{ActionSpec, Spec};

/// The meta-data as XML.
///
/// # Errors
/// None in practice: writing to memory does not fail; the type is the writer's.
pub fn xml(spec: &Spec) -> io::Result<String> {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", None, None)))?;
    let root = BytesStart::new("resource-agent")
        .with_attributes([("name", spec.name), ("version", spec.version)]);
    writer.write_event(Event::Start(root))?;
    writer.create_element("version").write_text_content(BytesText::new("1.1"))?;
    describe(&mut writer, spec.long, spec.short)?;
    writer.write_event(Event::Start(BytesStart::new("parameters")))?;
    for parameter in spec.parameters {
        write_parameter(&mut writer, parameter.info())?;
    }
    writer.write_event(Event::End(BytesEnd::new("parameters")))?;
    writer.write_event(Event::Start(BytesStart::new("actions")))?;
    for action in spec.actions {
        write_action(&mut writer, action)?;
    }
    writer.write_event(Event::End(BytesEnd::new("actions")))?;
    writer.write_event(Event::End(BytesEnd::new("resource-agent")))?;
    let mut text = String::from_utf8(writer.into_inner()).map_err(io::Error::other)?;
    text.push('\n');
    Ok(text)
}

/// The two descriptions, in the order that the schema and Pacemaker's tools ask for.
fn describe(writer: &mut Writer<Vec<u8>>, long: &str, short: &str) -> io::Result<()> {
    for (name, text) in [("longdesc", long), ("shortdesc", short)] {
        writer
            .create_element(name)
            .with_attribute(("lang", "en"))
            .write_text_content(BytesText::new(text))?;
    }
    Ok(())
}

fn write_parameter(writer: &mut Writer<Vec<u8>>, info: &Info) -> io::Result<()> {
    let mut start = BytesStart::new("parameter").with_attributes([("name", info.name)]);
    if let Some(group) = info.unique_group {
        start.push_attribute(("unique-group", group));
    }
    for (attribute, set) in [
        // `unique` is the word of OCF 1.0 for the same thing; crmsh reads only that one.
        ("unique", info.unique_group.is_some()),
        ("required", info.required),
        ("reloadable", info.reloadable),
    ] {
        if set {
            start.push_attribute((attribute, "1"));
        }
    }
    writer.write_event(Event::Start(start))?;
    describe(writer, info.long, info.short)?;
    let mut content = BytesStart::new("content").with_attributes([("type", info.content.word())]);
    if let Some(default) = info.default {
        content.push_attribute(("default", default));
    }
    writer.write_event(Event::Empty(content))?;
    writer.write_event(Event::End(BytesEnd::new("parameter")))
}

fn write_action(writer: &mut Writer<Vec<u8>>, action: &ActionSpec) -> io::Result<()> {
    let mut element = BytesStart::new("action");
    element.push_attribute(("name", action.action.word()));
    element.push_attribute(("timeout", format!("{}s", action.timeout).as_str()));
    if let Some(interval) = action.interval {
        element.push_attribute(("interval", format!("{interval}s").as_str()));
    }
    if let Some(depth) = action.depth {
        element.push_attribute(("depth", depth.to_string().as_str()));
    }
    writer.write_event(Event::Empty(element))
}

/// Asserts, for an agent's own tests, what must hold for every description: the meta-data is the
/// committed one, names are unique, texts are there, defaults are values of their parameters,
/// actions are advertised once, mandatory ones are there.
///
/// The committed file is written anew when the variable `UPDATE_METADATA` is set.
///
/// # Panics
/// With what does not hold.
#[expect(
    clippy::disallowed_methods,
    reason = "only tests call this; the variable is for the person who runs them"
)]
pub fn assert_sound(spec: &Spec) {
    let mut names: Vec<&str> = Vec::new();
    for parameter in spec.parameters {
        let info = parameter.info();
        for name in std::iter::once(info.name).chain(info.aliases.iter().copied()) {
            assert!(!names.contains(&name), "two parameters are called {name}");
            names.push(name);
        }
        assert!(
            !info.short.is_empty() && !info.short.ends_with('.'),
            "short text of {}",
            info.name
        );
        assert!(info.long.ends_with('.'), "long text of {}", info.name);
        assert!(
            !(info.required && info.default.is_some()),
            "{} is required and has a default",
            info.name
        );
        if let Some(default) = info.default {
            assert_eq!(parameter.check(default), Ok(()), "default of {}", info.name);
        }
    }
    for action in
        [Action::Start, Action::Stop, Action::Monitor, Action::ValidateAll, Action::MetaData]
    {
        assert!(spec.find(action).is_some(), "{} is mandatory", action.word());
    }
    for (number, entry) in spec.actions.iter().enumerate() {
        let same = |other: &&ActionSpec| {
            other.action == entry.action
                && (other.interval == entry.interval && other.interval.is_some()
                    || other.depth == entry.depth)
        };
        assert!(
            !spec.actions[number + 1..].iter().any(|other| same(&other)),
            "{} twice alike",
            entry.action.word()
        );
    }
    let written = xml(spec).expect("meta-data");
    if std::env::var_os("UPDATE_METADATA").is_some() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(format!("../metadata/{}.xml", spec.name));
        std::fs::write(path, &written).expect("metadata is writable");
        return;
    }
    assert_eq!(
        spec.metadata, written,
        "metadata/{}.xml is out of date: run the tests once with UPDATE_METADATA=1",
        spec.name
    );
}
