//! A new agent: a small one that works, to be changed into the one that is wanted.
#![forbid(unsafe_code)]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// The files of a new agent, by their place in its directory.
const FILES: [(&str, &str); 6] = [
    ("Cargo.toml", include_str!("../template/Cargo.toml")),
    ("README.md", include_str!("../template/README.md")),
    ("src/lib.rs", include_str!("../template/src/lib.rs")),
    ("src/main.rs", include_str!("../template/src/main.rs")),
    ("src/params.rs", include_str!("../template/src/params.rs")),
    ("tests/cli.rs", include_str!("../template/tests/cli.rs")),
];

/// The names that an agent's files are made of.
#[derive(Debug, PartialEq, Eq)]
struct Names {
    /// As the cluster calls it: `Lamp-post`.
    name: String,
    /// Its directory: `lamp-post`.
    lower: String,
    /// Its crate in code: `ocf_lamp_post`.
    code: String,
    /// Its type: `LampPostAgent`.
    kind: String,
}

impl Names {
    fn of(name: &str) -> Result<Self, String> {
        let is_letter = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
        let begins = name.starts_with(|letter: char| letter.is_ascii_alphabetic());
        if !begins || !name.chars().all(is_letter) || name.len() > 40 {
            return Err(format!(
                "{name}: a name begins with a letter and has at most 40 letters, digits, - and _"
            ));
        }
        let lower = name.to_ascii_lowercase();
        let kind = name.split(['-', '_']).map(|word| {
            let (first, rest) = word.split_at(word.len().min(1));
            format!("{}{rest}", first.to_ascii_uppercase())
        });
        Ok(Self {
            name: name.to_owned(),
            code: format!("ocf_{}", lower.replace('-', "_")),
            kind: format!("{}Agent", kind.collect::<String>()),
            lower,
        })
    }

    fn fill(&self, template: &str) -> String {
        template
            .replace("@PACKAGE@", &format!("ocf-{}", self.lower))
            .replace("@NAME@", &self.name)
            .replace("@LOWER@", &self.lower)
            .replace("@CRATE@", &self.code)
            .replace("@TYPE@", &self.kind)
    }
}

/// Makes the agent in a tree, and says what to do next.
///
/// # Errors
/// When the name is taken or is none; with the file that cannot be written. Nothing is made then,
/// or little.
pub fn make(tree: &Path, name: &str) -> Result<String, String> {
    let names = Names::of(name)?;
    let agents = tree.join("agents");
    if !agents.is_dir() {
        return Err(format!("{}: no sources of ocf-agents; call it there", tree.display()));
    }
    expect_free(tree, &names)?;
    let readme = tree.join("README.md");
    let table = with_row(&read(&readme)?, &names)?;
    let mut made = Vec::new();
    for (path, template) in FILES {
        made.push((agents.join(&names.lower).join(path), names.fill(template)));
    }
    // Its test writes what it says.
    made.push((tree.join("metadata").join(format!("{}.xml", names.name)), String::new()));
    made.push((readme, table));
    for (path, text) in &made {
        write(path, text)?;
    }
    Ok(next(&names))
}

/// No agent, package or page has this name, in whatever case.
fn expect_free(tree: &Path, names: &Names) -> Result<(), String> {
    let taken = format!("{}: this name is taken", names.name);
    let package = format!("name = \"ocf-{}\"", names.lower.replace('_', "-"));
    let lock = read(&tree.join("Cargo.lock"))?;
    let same = |line: &str| line.replace('_', "-") == package;
    // The page of what all agents share.
    let is_page = names.lower == "agents";
    let there = tree.join("agents").join(&names.lower).exists();
    if is_page || there || lock.lines().any(same) { Err(taken) } else { Ok(()) }
}

/// The table of agents in the README, with a row more: before the last, which is the example.
fn with_row(readme: &str, names: &Names) -> Result<String, String> {
    let row =
        format!("| [`{}`](agents/{}/README.md) | a state file | |\n", names.name, names.lower);
    let last = readme.match_indices("\n| [`").map(|(at, _)| at + 1).last();
    let at = last.ok_or("README.md has no table of agents")?;
    Ok(format!("{}{row}{}", &readme[..at], &readme[at..]))
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn write(path: &PathBuf, text: &str) -> Result<(), String> {
    let done = path.parent().map_or(Ok(()), fs::create_dir_all);
    done.and_then(|()| fs::write(path, text))
        .map_err(|error| format!("{}: {error}", path.display()))
}

fn next(names: &Names) -> String {
    let Names { name, lower, .. } = names;
    let mut text = String::new();
    let _ = write!(
        text,
        "agents/{lower} is an agent that works: it manages a state file. Now:

    UPDATE_METADATA=1 cargo test --lib -p ocf-{lower}    writes metadata/{name}.xml
    make man                                        writes the man page
    cargo test -p ocf-{lower}
    cargo run -p ocf-tester -- -n test target/debug/{name}

Then change it, one file after the other:

    src/params.rs   each parameter once; the checks, the meta-data and the help are made of it
    src/lib.rs      what it manages: identity, start, stop, monitor, explain
    README.md       what it manages, the example, each reason of a failure, differences from
                    another agent; its sections are those of the man page
    tests/cli.rs    the command line
    Cargo.toml      its description; and the row in the table of README.md

CONTRIBUTING.md says what is expected of them. Packages, installation and pages find the agent
by its directory.
"
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_their_places_in_any_case() {
        for (name, lower, code, kind) in [
            ("Lamp", "lamp", "ocf_lamp", "LampAgent"),
            ("lamp-post", "lamp-post", "ocf_lamp_post", "LampPostAgent"),
            ("my_DB2", "my_db2", "ocf_my_db2", "MyDB2Agent"),
            ("a-", "a-", "ocf_a_", "AAgent"),
        ] {
            let names = Names::of(name).unwrap();
            assert_eq!((&*names.lower, &*names.code, &*names.kind), (lower, code, kind));
        }
        for bad in ["", "1x", "a b", "../x", "é", "-x"] {
            assert!(Names::of(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_agent_is_made_once_and_is_in_the_table() {
        let tree = tempfile::tempdir().unwrap();
        for directory in ["agents", "metadata"] {
            fs::create_dir(tree.path().join(directory)).unwrap();
        }
        let row = "| [`Dummy`](agents/dummy/README.md) | x | y |\n";
        let readme = tree.path().join("README.md");
        fs::write(&readme, format!("a\n{row}b\n")).unwrap();
        fs::write(tree.path().join("Cargo.lock"), "name = \"ocf-tester\"\n").unwrap();
        let said = make(tree.path(), "Lamp").unwrap();
        assert!(said.contains("cargo test -p ocf-lamp"), "{said}");
        let new = "| [`Lamp`](agents/lamp/README.md) | a state file | |\n";
        assert_eq!(read(&readme).unwrap(), format!("a\n{new}{row}b\n"));
        for (path, _) in FILES {
            let text = read(&tree.path().join("agents/lamp").join(path)).unwrap();
            assert!(!text.contains('@'), "{path}: {text}");
        }
        for taken in ["lamp", "LAMP", "tester", "Agents"] {
            let error = make(tree.path(), taken).unwrap_err();
            assert!(error.contains("taken"), "{error}");
        }
        assert!(make(&tree.path().join("agents"), "x").unwrap_err().contains("no sources"));
    }
}
