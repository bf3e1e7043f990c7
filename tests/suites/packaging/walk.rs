//! A new agent, made as CONTRIBUTING says: it is there, it passes its tests, and the tester finds
//! no fault with it.

use std::fs;
use std::path::Path;
use std::process::Command;

use harness::Host;
use harness::call::executable;
use harness::skip::skip;

use crate::readme::walk;
use crate::sources;

/// Copies the sources without what was built, with the times of the files: cargo builds again what
/// has changed since the last run only.
fn copy(place: &Path) {
    let _ = fs::remove_dir_all(place);
    fs::create_dir_all(place).unwrap();
    let excluded = ["--exclude=./target", "--exclude=./.git", "--exclude=./bench-results.json"];
    let script = "tar -C \"$0\" \"$@\" -cf - . | tar -xf -";
    let done = Command::new("/bin/sh")
        .args(["-c", script])
        .arg(sources())
        .args(excluded)
        .current_dir(place)
        .status()
        .unwrap();
    assert!(done.success());
}

#[test]
fn a_new_agent_is_made_as_the_document_says() {
    // Beside the programs of this workspace, and always in the same place.
    let generator = executable("ocf-agents-docs");
    let place = generator.ancestors().nth(2).unwrap().join("new-agent");
    let (tree, target) = (place.join("tree"), place.join("target"));
    copy(&tree);
    let commands = walk();
    assert!(
        commands.len() > 3 && commands.iter().any(|command| command.contains("cargo test")),
        "{commands:#?}"
    );
    for command in commands {
        if command.starts_with("cargo run -p ocf-tester ") {
            judge(&target.join("debug/Lamp"));
            continue;
        }
        // The generator of this workspace is the same, and built already.
        let command = command
            .replace("cargo run -p ocf-agents-docs --", &generator.display().to_string())
            .replace("make man", &format!("{} pages metadata", generator.display()));
        let done = Command::new("/bin/sh")
            .args(["-euc", &command])
            .current_dir(&tree)
            .env("CARGO_TARGET_DIR", &target)
            .env("CARGO_NET_OFFLINE", offline(&tree))
            .output()
            .expect("a shell");
        assert!(done.status.success(), "{command}: {}", crate::said(&done));
    }
    let made = fs::read_to_string(tree.join("metadata/Lamp.xml")).unwrap();
    assert!(made.contains("<resource-agent name=\"Lamp\""), "{made}");
    let done = Command::new(target.join("debug/Lamp")).arg("meta-data").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&done.stdout), made);
    let page = fs::read_to_string(tree.join("metadata/man/ocf_native_Lamp.7")).unwrap();
    assert!(page.contains(".SH EXAMPLES") && page.contains("ocf:native:Lamp"), "{page}");
    let agents = Command::new("make").args(["-s", "agents"]).current_dir(&tree).output().unwrap();
    assert!(crate::said(&agents).split_whitespace().any(|agent| agent == "Lamp"));
}

/// Whether cargo knows the crates without asking the registry: on a machine that has only built
/// what the lock file names, it does not.
fn offline(tree: &Path) -> &'static str {
    let mut command = Command::new("cargo");
    command.args(["metadata", "--offline", "--format-version", "1"]).current_dir(tree);
    let knows = command.output().is_ok_and(|done| done.status.success());
    if knows { "true" } else { "false" }
}

/// The tester finds no fault, on a machine of its own.
fn judge(agent: &Path) {
    if let Err(reason) = harness::root::available() {
        return skip(&reason);
    }
    let inside = "/media/native/Lamp";
    let host = ["/media", "/tmp", "/var/tmp", "/dev/shm"]
        .into_iter()
        .fold(Host::builder("nodea"), harness::host::Builder::tmpfs)
        .bind(agent, inside)
        .start();
    let tester = executable("ocf-tester");
    let done = host.run(tester.to_str().unwrap(), &["--strict", "-n", "test", inside]);
    assert_eq!(done.code, Some(0), "{done:#?}");
}
