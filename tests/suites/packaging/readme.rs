//! What the documents tell people to type works. Each command of a block is run: `make install`
//! below a directory of its own, other targets of `make` up to the point where they would do
//! something, pcs and crm over a configuration in a file, agents in a namespace. A block that
//! cannot be run is marked in the document, with the reason; an unknown one fails.

use std::fs;

use harness::Host;
use harness::skip::skip;

use crate::pages::administered;
use crate::{agents, documents, make, said, text};

/// Stands before a block that is not run, with the reason.
const MARK: &str = "<!-- not run: ";

/// The block that the walk-through for new agents is; another test does what it says.
pub const WALK: &str = "cargo run -p ocf-agents-docs -- new ";

/// A block of commands: lines that go on are joined, and comments are gone.
#[derive(Debug)]
struct Block {
    /// Why it is not run.
    mark: Option<String>,
    commands: Vec<String>,
}

/// The blocks of a document: lines that are set in by four spaces, after an empty line and outside
/// lists; and fenced ones.
fn blocks(document: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let (mut lines, mut mark, mut before, mut fenced): (Vec<&str>, Option<String>, &str, bool) =
        (Vec::new(), None, "", false);
    for line in document.lines().chain([""]) {
        let fence = line.starts_with("```");
        let inside = if fenced {
            !fence
        } else {
            line.starts_with("    ") && (before.is_empty() || !lines.is_empty())
        };
        if inside {
            lines.push(line.trim());
        } else if !lines.is_empty() {
            blocks
                .push(Block { mark: mark.take(), commands: commands(&std::mem::take(&mut lines)) });
        }
        if let Some(reason) = line.strip_prefix(MARK) {
            mark = Some(reason.trim_end_matches("-->").trim().to_owned());
        } else if !line.is_empty() && !inside {
            mark = None;
        }
        fenced ^= fence;
        before = line;
    }
    blocks
}

fn commands(lines: &[&str]) -> Vec<String> {
    let joined = lines.join("\n").replace("\\\n", " ");
    let bare = joined.lines().map(|line| line.split("  #").next().unwrap_or_default().trim());
    // Tests have the rights that people need sudo for.
    let bare = bare.map(|line| line.strip_prefix("sudo ").unwrap_or(line).to_owned());
    bare.filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

/// The blocks that are to be run, with their document.
fn runnable() -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    for document in documents() {
        for block in blocks(&text(&document)) {
            match block.mark {
                Some(reason) => assert!(
                    reason.len() > 20,
                    "{document}: no reason why {:?} is not run",
                    block.commands
                ),
                None if block.commands.first().is_some_and(|first| first.starts_with(WALK)) => {}
                None => found.push((document.clone(), block.commands)),
            }
        }
    }
    found
}

/// All commands that are to be run, with their document.
fn all() -> Vec<(String, String)> {
    let each = |(document, commands): (String, Vec<String>)| {
        commands.into_iter().map(move |one| (document.clone(), one))
    };
    runnable().into_iter().flat_map(each).collect()
}

fn is_of(command: &str, program: &str) -> bool {
    command.split(' ').next() == Some(program)
}

fn of(program: &str) -> Vec<(String, String)> {
    all().into_iter().filter(|(_, command)| is_of(command, program)).collect()
}

#[test]
fn every_command_is_of_a_kind_that_is_run() {
    let known = |command: &str| {
        let first = command.split(' ').next().unwrap_or_default();
        ["make", "pcs", "crm"].contains(&first) || first.starts_with("OCF_RESKEY_")
    };
    let strangers: Vec<_> = all().into_iter().filter(|(_, command)| !known(command)).collect();
    assert!(
        strangers.is_empty(),
        "mark the block with {MARK}reason -->, or run it here: {strangers:#?}"
    );
    assert!(of("make").len() > 3 && !of("pcs").is_empty() && !of("crm").is_empty(), "{:#?}", all());
}

#[test]
fn installations_work_as_written() {
    let directory = tempfile::tempdir().unwrap();
    let built = directory.path().join("built");
    fs::create_dir(&built).unwrap();
    for name in agents().iter().map(String::as_str).chain(["ocf-tester"]) {
        fs::write(built.join(name), name).unwrap();
    }
    for (document, command) in of("make") {
        let words: Vec<&str> = command.split_whitespace().skip(1).collect();
        if !["install", "uninstall"].iter().any(|target| words.contains(target)) {
            continue;
        }
        // What stands last on the command line counts.
        let places = [
            format!("BUILT={}", built.display()),
            format!("DESTDIR={}/root", directory.path().display()),
        ];
        let words: Vec<&str> = words.into_iter().chain(places.iter().map(String::as_str)).collect();
        let done = make(&words);
        assert!(done.status.success(), "{document}: {command}: {}", said(&done));
    }
}

#[test]
fn targets_of_make_are_there() {
    let inline = |document: &str| {
        let text = text(document);
        let spans = text.split('`').skip(1).step_by(2).filter(|span| span.starts_with("make "));
        spans.map(str::to_owned).collect::<Vec<_>>()
    };
    let mut commands: Vec<String> = of("make").into_iter().map(|(_, command)| command).collect();
    documents().iter().for_each(|document| commands.extend(inline(document)));
    commands.sort();
    commands.dedup();
    for command in commands {
        let words: Vec<&str> =
            command.split_whitespace().skip(1).filter(|word| !word.contains('…')).collect();
        let done = make(&[&["-n", "BUILT=/nowhere"], words.as_slice()].concat());
        assert!(done.status.success(), "{command}: {}", said(&done));
    }
}

/// What a command creates.
fn created(command: &str) -> Option<&str> {
    let after =
        command.split(" resource create ").nth(1).or_else(|| command.split(" primitive ").nth(1));
    after.and_then(|rest| rest.split(' ').next())
}

/// Runs the commands of a program one after the other, over the same configuration: a reader has
/// done what stands above. A block that creates what is there already is another story.
fn over_a_file(program: &str, script: impl Fn(&str) -> String) {
    let Some(host) = administered(program) else { return };
    host.sh("CIB_file=/run/empty.xml crm_attribute --type crm_config --name stonith-enabled \
        --update false");
    host.sh("CIB_file=/run/empty.xml crm_attribute --type crm_config --name no-quorum-policy \
        --update ignore");
    let mut there: Vec<String> = Vec::new();
    host.sh("cp /run/empty.xml /run/cib.xml");
    for (document, block) in runnable() {
        let commands: Vec<_> = block.iter().filter(|command| is_of(command, program)).collect();
        let names: Vec<&str> = commands.iter().filter_map(|command| created(command)).collect();
        if names.iter().any(|name| there.iter().any(|known| known == name)) {
            host.sh("cp /run/empty.xml /run/cib.xml");
            there.clear();
        }
        there.extend(names.into_iter().map(str::to_owned));
        for command in commands {
            let rest = command.strip_prefix(program).unwrap_or_default();
            let done = host.run("/bin/sh", &["-c", &script(rest)]);
            assert!(done.code == Some(0), "{document}: {command}: {done:#?}");
            let said = done.stderr.to_lowercase();
            assert!(!said.contains("error"), "{document}: {command}: {done:#?}");
        }
        let done = host.run("crm_verify", &["-V", "-x", "/run/cib.xml"]);
        assert!(done.code == Some(0) && done.stderr.is_empty(), "{document}: {block:?}: {done:#?}");
    }
}

#[test]
fn pcs_takes_what_is_written() {
    over_a_file("pcs", |rest| format!("HOME=/run exec pcs -f /run/cib.xml {rest}"));
}

#[test]
fn crm_takes_what_is_written() {
    over_a_file("crm", |rest| format!("HOME=/run CIB_file=/run/cib.xml exec crm {rest}"));
}

#[test]
fn agents_answer_what_is_written() {
    let calls: Vec<_> =
        all().into_iter().filter(|(_, command)| command.starts_with("OCF_RESKEY_")).collect();
    if calls.is_empty() {
        return;
    }
    if let Err(reason) = harness::root::available() {
        return skip(&reason);
    }
    let mut host = Host::builder("host")
        .tmpfs("/usr/lib/ocf/resource.d")
        .dir("/usr/lib/ocf/resource.d/native");
    for agent in agents() {
        host = host.bind(
            &harness::call::executable(&agent),
            &format!("/usr/lib/ocf/resource.d/native/{agent}"),
        );
    }
    let host = host.start();
    for (document, command) in calls {
        let done = host.run("/bin/sh", &["-c", &command]);
        if command.ends_with(" --explain") {
            // What a start would do is printed, also where it would fail.
            assert!(done.stdout.starts_with("agent: "), "{document}: {command}: {done:#?}");
            assert_ne!(done.code, Some(3), "{document}: {command}: {done:#?}");
            continue;
        }
        // Nothing runs here.
        assert_eq!(done.code, Some(7), "{document}: {command}: {done:#?}");
    }
}

/// The commands of the walk-through.
pub fn walk() -> Vec<String> {
    let blocks = blocks(&text("CONTRIBUTING.md"));
    let walk = blocks
        .into_iter()
        .find(|block| block.commands.first().is_some_and(|first| first.starts_with(WALK)));
    walk.expect("CONTRIBUTING has a walk-through").commands
}

#[test]
fn blocks_are_found_as_people_see_them() {
    let document = "text\n\n    make a   # one\n    make b \\\n      c\n\n- list\n    of \
        it\n\n<!-- not run: because -->\n\n    d\n\n```\ne\n```\n";
    let found = blocks(document);
    let commands: Vec<_> = found.iter().map(|block| block.commands.join(";")).collect();
    assert_eq!(commands, ["make a;make b  c", "d", "e"]);
    assert_eq!(found[1].mark.as_deref(), Some("because"));
    assert_eq!(found[2].mark, None);
}
