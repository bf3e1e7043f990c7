//! The walk-through for new agents, done as it is written.

use std::process::Command;

use crate::readme::walk;
use crate::release::copy;

#[test]
#[ignore = "compiles the workspace's crates anew, in another place: make test-slow"]
fn a_new_agent_is_made_as_the_document_says() {
    let copy = copy();
    let commands = walk();
    assert!(
        commands.len() > 3 && commands.iter().any(|command| command.contains("cargo test")),
        "{commands:#?}"
    );
    for command in commands {
        let done = Command::new("/bin/sh")
            .args(["-euc", &command])
            .current_dir(copy.path())
            .env("CARGO_TARGET_DIR", copy.path().join("target"))
            .output()
            .expect("a shell");
        assert!(done.status.success(), "{command}: {}", crate::said(&done));
    }
    let made = std::fs::read_to_string(copy.path().join("metadata/Lamp.xml")).unwrap();
    assert!(made.contains("<resource-agent name=\"Lamp\""), "{made}");
    let agent = copy.path().join("target/debug/Lamp");
    let done = Command::new(agent).arg("meta-data").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&done.stdout), made);
}
