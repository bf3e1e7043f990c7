//! An agent's meta-data, read leniently: what is there, as it is there. Judging it is the checks'
//! part.
#![forbid(unsafe_code)]

use std::time::Duration;

/// What an agent says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetaData {
    /// The whole text.
    pub text: String,
    /// The attribute `name` of the root.
    pub name: Option<String>,
    /// The element `version`: the OCF version that the agent claims to keep.
    pub version: Option<String>,
    /// The parameters, in their order.
    pub parameters: Vec<Parameter>,
    /// The actions, in their order.
    pub actions: Vec<Action>,
    /// Every `longdesc` and `shortdesc`.
    pub descriptions: Vec<Description>,
}

/// A parameter as described. Attributes are as they stand, for a wrong one is worth a finding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameter {
    /// Its name; empty when there is none.
    pub name: String,
    /// The attribute `required`.
    pub required: Option<String>,
    /// The attribute `reloadable`.
    pub reloadable: Option<String>,
    /// Whether there is an element `deprecated`.
    pub deprecated: bool,
    /// The type of its content.
    pub kind: Option<String>,
    /// The default of its content.
    pub default: Option<String>,
    /// The values of a `select`.
    pub options: Vec<String>,
}

/// An action as advertised.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Action {
    /// Its name; empty when there is none.
    pub name: String,
    /// The attribute `timeout`.
    pub timeout: Option<String>,
    /// The attribute `interval`.
    pub interval: Option<String>,
    /// The attribute `depth`.
    pub depth: Option<String>,
    /// The attribute `role`.
    pub role: Option<String>,
}

/// A description in a language.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// Whose it is: `agent`, or `parameter x`.
    pub of: String,
    /// `longdesc` or `shortdesc`.
    pub element: String,
    /// The attribute `lang`.
    pub language: Option<String>,
    /// Its text.
    pub text: String,
}

impl Parameter {
    /// Whether it must be given.
    #[must_use]
    pub fn is_required(&self) -> bool {
        matches!(self.required.as_deref(), Some("1" | "true" | "yes"))
    }
}

impl MetaData {
    /// Whether an action is advertised.
    #[must_use]
    pub fn advertises(&self, action: &str) -> bool {
        self.actions.iter().any(|advertised| advertised.name == action)
    }

    /// Whether the agent claims at least OCF 1.1.
    #[must_use]
    pub fn is_1_1(&self) -> bool {
        self.version
            .as_deref()
            .is_some_and(|version| version.trim() != "1.0" && version.trim().starts_with("1."))
    }

    /// The depths that are advertised for an action, lowest first, each once. Level 0 when none is
    /// given.
    #[must_use]
    pub fn depths(&self, action: &str) -> Vec<u32> {
        let of_action = self.actions.iter().filter(|advertised| advertised.name == action);
        let mut depths: Vec<u32> = of_action
            .map(|action| {
                action.depth.as_deref().and_then(|depth| depth.trim().parse().ok()).unwrap_or(0)
            })
            .collect();
        depths.sort_unstable();
        depths.dedup();
        depths
    }

    /// The advertised time-out of an action; the longest when there are several.
    #[must_use]
    pub fn timeout(&self, action: &str) -> Option<Duration> {
        let of_action = self.actions.iter().filter(|advertised| advertised.name == action);
        of_action.filter_map(|action| duration(action.timeout.as_deref()?)).max()
    }

    /// The advertised interval of an action, the first that is not zero.
    #[must_use]
    pub fn interval(&self, action: &str) -> Option<Duration> {
        let of_action = self.actions.iter().filter(|advertised| advertised.name == action);
        of_action
            .filter_map(|action| duration(action.interval.as_deref()?))
            .find(|interval| !interval.is_zero())
    }
}

/// A time as Pacemaker reads it (`crm_get_msec`, lib/common/utils.c): a number with a unit, seconds
/// when there is none.
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let milliseconds = match unit.trim() {
        "ms" | "msec" => number,
        "us" | "usec" => number / 1000,
        "" | "s" | "sec" => number.checked_mul(1000)?,
        "m" | "min" => number.checked_mul(60_000)?,
        "h" | "hr" => number.checked_mul(3_600_000)?,
        _ => return None,
    };
    Some(Duration::from_millis(milliseconds))
}

/// Reads meta-data.
///
/// # Errors
/// What is not well-formed, with its line, or that the root is another element.
pub fn parse(text: &str) -> Result<MetaData, String> {
    let options =
        roxmltree::ParsingOptions { allow_dtd: true, ..roxmltree::ParsingOptions::default() };
    let document = roxmltree::Document::parse_with_options(text, options)
        .map_err(|error| error.to_string())?;
    let root = document.root_element();
    if !root.has_tag_name("resource-agent") {
        return Err(format!("the root is <{}>, not <resource-agent>", root.tag_name().name()));
    }
    let attribute =
        |node: roxmltree::Node<'_, '_>, name: &str| node.attribute(name).map(str::to_owned);
    let child = |name: &'static str| root.children().find(move |node| node.has_tag_name(name));
    let mut found = MetaData {
        text: text.to_owned(),
        name: attribute(root, "name"),
        version: child("version").map(|node| node.text().unwrap_or_default().trim().to_owned()),
        ..MetaData::default()
    };
    found.descriptions.extend(descriptions(root, "agent"));
    let listed = |list: &'static str, element: &'static str| {
        let children = child(list).into_iter().flat_map(|node| node.children());
        children.filter(move |node| node.has_tag_name(element)).collect::<Vec<_>>()
    };
    for node in listed("parameters", "parameter") {
        let content = node.children().find(|child| child.has_tag_name("content"));
        let options = content.into_iter().flat_map(|content| content.children());
        let name = attribute(node, "name").unwrap_or_default();
        found.descriptions.extend(descriptions(node, &format!("parameter {name}")));
        found.parameters.push(Parameter {
            name,
            required: attribute(node, "required"),
            reloadable: attribute(node, "reloadable"),
            deprecated: node.children().any(|child| child.has_tag_name("deprecated")),
            kind: content.and_then(|content| attribute(content, "type")),
            default: content.and_then(|content| attribute(content, "default")),
            options: options.filter_map(|option| attribute(option, "value")).collect(),
        });
    }
    for node in listed("actions", "action") {
        found.actions.push(Action {
            name: attribute(node, "name").unwrap_or_default(),
            timeout: attribute(node, "timeout"),
            interval: attribute(node, "interval"),
            depth: attribute(node, "depth"),
            role: attribute(node, "role"),
        });
    }
    Ok(found)
}

fn descriptions(node: roxmltree::Node<'_, '_>, of: &str) -> Vec<Description> {
    let children = node
        .children()
        .filter(|child| child.has_tag_name("longdesc") || child.has_tag_name("shortdesc"));
    let described = children.map(|child| Description {
        of: of.to_owned(),
        element: child.tag_name().name().to_owned(),
        language: child.attribute("lang").map(str::to_owned),
        text: child
            .descendants()
            .filter_map(|node| node.is_text().then(|| node.text()).flatten())
            .collect(),
    });
    described.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_pacemaker_reads_them() {
        let read = |text| duration(text).map(|time| time.as_millis());
        let times = ["20", "20s", " 20 sec ", "1500ms", "2min", "1h", "500us", "0"].map(read);
        assert_eq!(times, [20_000, 20_000, 20_000, 1500, 120_000, 3_600_000, 0, 0].map(Some));
        assert_eq!(["", "s", "-1", "soon", "20x"].map(read), [None; 5]);
    }

    #[test]
    fn fuzz_any_description_is_read_or_refused() {
        let text = "<?xml version=\"1.0\"?><resource-agent \
                    name=\"X\"><version>1.1</version><longdesc>a <b>b</b></longdesc><parameters>\
                    <parameter name=\"p\" required=\"1\"><content type=\"integer\" \
                    default=\"3\"/></parameter></parameters><actions>\
                    <action name=\"monitor\" timeout=\"20s\" interval=\"10s\" \
                    depth=\"10\"/></actions></resource-agent>";
        ocf::testing::fuzz::survives_text(&[text], |text| {
            let Ok(meta) = parse(text) else { return };
            let _ = (
                meta.is_1_1(),
                meta.depths("monitor"),
                meta.timeout("monitor"),
                meta.interval("monitor"),
            );
        });
    }

    #[test]
    fn what_is_there_is_read_as_it_is_there() {
        let text = r#"<?xml version="1.0"?><!DOCTYPE resource-agent SYSTEM "ra-api-1.dtd">
            <resource-agent name="X"><version>1.1</version><longdesc lang="en">a <b>b</b></longdesc>
            <parameters><parameter name="p" required="1">
            <content type="integer" default="3"/></parameter></parameters>
            <actions><action name="monitor" timeout="20s" interval="10s" depth="10"/>
            <action name="monitor"/></actions>
            </resource-agent>"#;
        let read = parse(text).unwrap();
        assert_eq!((read.name.as_deref(), read.is_1_1()), (Some("X"), true));
        assert!(read.parameters[0].is_required());
        assert_eq!(read.parameters[0].default.as_deref(), Some("3"));
        assert_eq!(read.depths("monitor"), [0, 10]);
        assert_eq!(read.interval("monitor"), Some(Duration::from_secs(10)));
        assert_eq!(read.descriptions[0].text, "a b");
        assert!(parse("<x/>").is_err() && parse("<resource-agent>").is_err());
    }
}
