//! What a cluster's tool would answer, on a cluster of one node: a pure function of the call and of
//! what was kept before.
//!
//! The options and the codes are those of Pacemaker 2.1 (`crm_attribute(8)`, `attrd_updater(8)`,
//! `crm_node(8)`).
#![forbid(unsafe_code)]

use std::collections::BTreeMap;

/// The code for an attribute that is not there (`CRM_EX_NOSUCH`).
const NO_SUCH: u8 = 105;

/// The code for a wrong use (`CRM_EX_USAGE`).
const USAGE: u8 = 64;

/// Values by their keys.
pub type Values = BTreeMap<String, String>;

/// A call of a tool.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The tool's name.
    pub tool: &'a str,
    /// Its arguments.
    pub words: &'a [String],
    /// The name of this node.
    pub node: &'a str,
    /// `OCF_RESOURCE_INSTANCE`.
    pub instance: &'a str,
}

/// An answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// For stdout.
    pub stdout: String,
    /// For stderr.
    pub stderr: String,
    /// The exit code.
    pub code: u8,
    /// The key and value to keep; without a value, to forget.
    pub change: Option<(String, Option<String>)>,
}

/// The answer to a call.
#[must_use]
pub fn reply(call: Call<'_>, values: &Values) -> Reply {
    match call.tool {
        "crm_attribute" | "crm_master" | "attrd_updater" => attribute(call, values),
        "crm_node" => node(call),
        _ => Reply::default(),
    }
}

fn print(stdout: String) -> Reply {
    Reply { stdout, ..Reply::default() }
}

fn node(call: Call<'_>) -> Reply {
    let value = call.words.iter().find_map(|word| match word.split('=').next()? {
        "-n" | "--name" | "-N" | "--name-for-id" => Some(format!("{}\n", call.node)),
        "-p" | "--partition" => Some(format!("{} \n", call.node)),
        "-l" | "--list" => Some(format!("1 {} member\n", call.node)),
        "-i" | "--cluster-id" | "-q" | "--quorum" => Some("1\n".to_owned()),
        _ => None,
    });
    print(value.unwrap_or_default())
}

/// What an option of the tools for attributes is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum About {
    Name,
    Resource,
    Promotion,
    Node,
    Section,
    Update,
    Default,
    Delete,
    Quiet,
    /// A value that changes nothing here.
    Other,
    /// No value, and nothing changes: querying is what is done anyway.
    Flag,
}

fn about(tool: &str, option: &str) -> About {
    let updater = tool == "attrd_updater";
    match option {
        "n" | "name" => About::Name,
        "r" | "resource" => About::Resource,
        "p" | "promotion" if !updater => About::Promotion,
        "U" if updater => About::Update,
        "N" | "node" | "U" | "uname" => About::Node,
        "l" | "lifetime" | "t" | "type" if !updater => About::Section,
        "v" | "update" | "attr-value" => About::Update,
        "B" | "update-both" if updater => About::Update,
        "d" | "default" if !updater => About::Default,
        "D" | "delete" | "delete-attr" => About::Delete,
        "q" | "quiet" => About::Quiet,
        "Q" if !updater => About::Quiet,
        "d" | "delay" | "l" | "lifetime" | "s" | "S" | "set" | "set-name" | "section" => {
            About::Other
        }
        "i" | "id" | "attr-id" | "P" | "pattern" | "output-as" | "output-to" => About::Other,
        _ => About::Flag,
    }
}

/// The options of a call, each with its value, as getopt_long(3) and GLib read them.
fn options(call: Call<'_>) -> Vec<(About, String)> {
    let mut found = Vec::new();
    let mut words = call.words.iter().map(String::as_str).peekable();
    while let Some(word) = words.next() {
        let (mut names, mut attached) = match word.strip_prefix("--") {
            Some(long) => match long.split_once('=') {
                Some((name, value)) => (vec![name], Some(value)),
                None => (vec![long], None),
            },
            None => (word.strip_prefix('-').map_or_else(Vec::new, |short| vec![short]), None),
        };
        let short = !word.starts_with("--");
        while let Some(name) = names.pop() {
            // A cluster of letters: the first is an option, the others are its value or more
            // options.
            let end = name.char_indices().nth(1).map_or(name.len(), |(at, _)| at);
            let (option, rest) = if short { name.split_at(end) } else { (name, "") };
            let about = about(call.tool, option);
            if matches!(about, About::Flag | About::Delete | About::Quiet) {
                found.push((about, String::new()));
                names.extend((!rest.is_empty()).then_some(rest));
                continue;
            }
            attached = attached.or((!rest.is_empty()).then_some(rest));
            let next = words.next_if(|next| {
                attached.is_none() && (about != About::Promotion || !next.starts_with('-'))
            });
            found.push((about, attached.or(next).unwrap_or_default().to_owned()));
        }
    }
    found
}

fn attribute(call: Call<'_>, values: &Values) -> Reply {
    let options = options(call);
    let last = |wanted: About| {
        options.iter().rev().find(|(about, _)| *about == wanted).map(|(_, value)| value.as_str())
    };
    let resource = [last(About::Resource), last(About::Promotion), Some(call.instance)];
    let promoted = call.tool == "crm_master" || last(About::Promotion).is_some();
    let master = resource.into_iter().flatten().find(|resource| !resource.is_empty() && promoted);
    let name = master
        .map(|resource| format!("master-{resource}"))
        .or_else(|| last(About::Name).map(str::to_owned));
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        return Reply {
            stderr: format!("{}: no name of an attribute\n", call.tool),
            code: USAGE,
            ..Reply::default()
        };
    };
    let section = match (last(About::Section), call.tool) {
        (Some("reboot" | "status"), _) | (None, "attrd_updater") => "status",
        (Some("forever" | "nodes"), _) | (None, "crm_master") => "nodes",
        (Some(section), _) => section,
        (None, _) if last(About::Promotion).is_some() => "status",
        (None, _) if last(About::Node).is_some() => "nodes",
        (None, _) => "crm_config",
    };
    let node = last(About::Node).filter(|node| !node.is_empty()).unwrap_or(call.node);
    let owner = if matches!(section, "status" | "nodes") { node } else { "" };
    let key = format!("{section} {owner} {name}");
    if let Some(value) = last(About::Update) {
        return Reply { change: Some((key, Some(value.to_owned()))), ..Reply::default() };
    }
    if last(About::Delete).is_some() {
        return Reply { change: Some((key, None)), ..Reply::default() };
    }
    match values.get(&key).map(String::as_str).or(last(About::Default)) {
        Some(value) if last(About::Quiet).is_some() => print(format!("{value}\n")),
        Some(value) if call.tool == "attrd_updater" => {
            print(format!("name=\"{name}\" host=\"{node}\" value=\"{value}\"\n"))
        }
        Some(value) => print(format!("scope={section}  name={name} value={value}\n")),
        None => {
            let stderr =
                format!("{}: Error performing operation: No such device or address\n", call.tool);
            Reply { stderr, code: NO_SUCH, ..Reply::default() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes calls one after another, as resource `web` on node `alpha`; the last answer.
    fn after(calls: &[&str]) -> Reply {
        let mut values = Values::new();
        let mut last = Reply::default();
        for line in calls {
            let mut words = line.split(' ').map(str::to_owned);
            let tool = words.next().unwrap();
            let words: Vec<_> = words.collect();
            last =
                reply(Call { tool: &tool, words: &words, node: "alpha", instance: "web" }, &values);
            match last.change.clone() {
                Some((key, Some(value))) => drop(values.insert(key, value)),
                Some((key, None)) => drop(values.remove(&key)),
                None => {}
            }
        }
        last
    }

    #[test]
    fn what_was_kept_is_told_in_each_tools_way() {
        let answers: [(&[&str], &str); 9] = [
            (
                &["crm_attribute -n a -v 3", "crm_attribute -n a -G"],
                "scope=crm_config  name=a value=3\n",
            ),
            (
                &["crm_attribute --name=a --update=3", "crm_attribute --name a --query --quiet"],
                "3\n",
            ),
            (&["crm_attribute -N b -na -v3", "crm_attribute -Gqn a --node b"], "3\n"),
            (
                &["attrd_updater -n a -U 3", "attrd_updater -Q -n a"],
                "name=\"a\" host=\"alpha\" value=\"3\"\n",
            ),
            (
                &["attrd_updater -p -n a -v 3 -d 5s", "crm_attribute -N alpha -l reboot -n a -q"],
                "3\n",
            ),
            (&["crm_master -l reboot -v 10", "crm_attribute -p -l reboot -G -q"], "10\n"),
            (&["crm_master -Q -v 10", "crm_master -G"], "scope=nodes  name=master-web value=10\n"),
            (&["crm_master -r db -v -5", "crm_attribute -p db -l forever -G -q"], "-5\n"),
            (&["crm_attribute -n a -G -d 7"], "scope=crm_config  name=a value=7\n"),
        ];
        for (calls, expected) in answers {
            let reply = after(calls);
            assert_eq!((reply.stdout.as_str(), reply.code), (expected, 0), "{calls:?}");
        }
    }

    #[test]
    fn what_was_not_kept_or_was_deleted_is_not_there() {
        let gone: [&[&str]; 4] = [
            &["crm_attribute -n a -G"],
            &["attrd_updater -n a -U 3", "attrd_updater -n a -D", "attrd_updater -n a -Q"],
            &["crm_attribute -N b -n a -v 3", "crm_attribute -N c -n a -G"],
            &[
                "crm_attribute -N alpha -l forever -n a -v 3",
                "crm_attribute -N alpha -l reboot -n a",
            ],
        ];
        for calls in gone {
            let reply = after(calls);
            assert_eq!((reply.code, reply.stdout.as_str()), (105, ""), "{calls:?}");
            assert!(reply.stderr.ends_with("No such device or address\n"));
        }
        assert_eq!(after(&["crm_attribute -n a -D"]).code, 0);
        assert_eq!(after(&["attrd_updater -U 3"]).code, 64);
    }

    #[test]
    fn the_cluster_has_one_node() {
        for (call, expected) in [
            ("crm_node -n", "alpha\n"),
            ("crm_node --name", "alpha\n"),
            ("crm_node -i", "1\n"),
            ("crm_node -l", "1 alpha member\n"),
            ("crm_node -p", "alpha \n"),
            ("crm_mon -1", ""),
            ("crm_resource --cleanup", ""),
        ] {
            assert_eq!(after(&[call]), print(expected.to_owned()), "{call}");
        }
    }
}
