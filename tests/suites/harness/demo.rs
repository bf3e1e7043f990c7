//! The demo does what it promises.

use std::process::Command;

use harness::call::is_there;
use harness::rig::mac_of;
use harness::skip::skip;
use serde_json::Value;

#[test]
fn the_demo_moves_both_addresses_and_the_client_follows() {
    if let Err(reason) = harness::root::available() {
        return skip(&reason);
    }
    assert!(is_there("IPaddr2"), "IPaddr2 is not there: run cargo build --workspace first");
    let done = Command::new(env!("CARGO_BIN_EXE_ocf-demo")).args(["--quick", "--json"]).output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{said}{}", String::from_utf8_lossy(&done.stderr));
    let told: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(told["failures"], Value::Array(Vec::new()), "{said}");
    let moves = told["moves"].as_array().unwrap();
    assert_eq!(moves.len(), 4, "{said}");
    for it in moves {
        let machine = if it["to"] == "node2" { 2 } else { 1 };
        assert_eq!(it["client_has"].as_str(), Some(mac_of(machine).as_str()), "{it}");
        assert!(it["announced_ms"].is_number() && it["client_followed_ms"].is_number(), "{it}");
        assert!(it["probes"].as_u64() > it["lost"].as_u64(), "{it}");
    }
}

#[test]
fn the_demo_says_how_it_is_used() {
    let run = |word: &str| Command::new(env!("CARGO_BIN_EXE_ocf-demo")).arg(word).output().unwrap();
    let help = run("--help");
    assert!(help.status.success() && String::from_utf8_lossy(&help.stdout).contains("--compare"), "{help:?}");
    let wrong = run("--wrong");
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("unknown option --wrong"), "{wrong:?}");
}
