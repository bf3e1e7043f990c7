//! What an agent's meta-data says, as far as a page needs it.
#![forbid(unsafe_code)]

use roxmltree::{Document, Node, ParsingOptions};

/// An agent.
#[derive(Debug)]
pub struct Description {
    /// Its type, such as `IPaddr2`.
    pub name: String,
    /// The version of the package.
    pub version: String,
    /// One line.
    pub short: String,
    /// Paragraphs, divided by line ends.
    pub long: String,
    /// In the meta-data's order.
    pub parameters: Vec<Parameter>,
    /// In the meta-data's order.
    pub actions: Vec<Action>,
}

/// A parameter.
#[derive(Debug)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// One line.
    pub short: String,
    /// Paragraphs.
    pub long: String,
    /// `string`, `integer`, `boolean`.
    pub content: String,
    /// What is assumed without it.
    pub default: Option<String>,
    /// It must be given.
    pub required: bool,
    /// No two resources may have the same value.
    pub unique: bool,
    /// A change restarts nothing.
    pub reloadable: bool,
}

/// An action.
#[derive(Debug)]
pub struct Action {
    /// Its name.
    pub name: String,
    /// The check level, where there is one.
    pub depth: Option<u32>,
    /// With its unit.
    pub timeout: String,
    /// With its unit.
    pub interval: Option<String>,
}

impl Description {
    /// Reads meta-data.
    ///
    /// # Errors
    /// With what it lacks.
    pub fn parse(xml: &str) -> Result<Description, String> {
        let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
        let document =
            Document::parse_with_options(xml, options).map_err(|error| error.to_string())?;
        let root = document.root_element();
        let tagged =
            |tag: &'static str| root.descendants().filter(move |node| node.has_tag_name(tag));
        Ok(Description {
            name: attribute(root, "name")?,
            version: attribute(root, "version")?,
            short: child(root, "shortdesc")?,
            long: child(root, "longdesc")?,
            parameters: tagged("parameter").map(parameter).collect::<Result<_, _>>()?,
            actions: tagged("action").map(action).collect::<Result<_, _>>()?,
        })
    }
}

fn parameter(node: Node<'_, '_>) -> Result<Parameter, String> {
    let content = node
        .children()
        .find(|child| child.has_tag_name("content"))
        .ok_or("a parameter without content")?;
    let is = |name: &str| node.attribute(name) == Some("1");
    Ok(Parameter {
        name: attribute(node, "name")?,
        short: child(node, "shortdesc")?,
        long: child(node, "longdesc")?,
        content: attribute(content, "type")?,
        default: content.attribute("default").map(str::to_owned),
        required: is("required"),
        unique: is("unique"),
        reloadable: is("reloadable"),
    })
}

fn action(node: Node<'_, '_>) -> Result<Action, String> {
    let depth = node.attribute("depth").map(str::parse).transpose();
    Ok(Action {
        name: attribute(node, "name")?,
        depth: depth.map_err(|_| "a depth that is no number")?,
        timeout: attribute(node, "timeout")?,
        interval: node.attribute("interval").map(str::to_owned),
    })
}

fn attribute(node: Node<'_, '_>, name: &str) -> Result<String, String> {
    let value = node.attribute(name).map(str::to_owned);
    value.ok_or_else(|| format!("{} has no {name}", node.tag_name().name()))
}

fn child(node: Node<'_, '_>, tag: &str) -> Result<String, String> {
    let found =
        node.children().find(|child| child.has_tag_name(tag)).and_then(|child| child.text());
    found
        .map(|text| text.trim().to_owned())
        .ok_or_else(|| format!("{:?} has no {tag}", node.attribute("name")))
}
