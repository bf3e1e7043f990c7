//! The shell tester that every agent's author knows, as it is packaged.

use harness::call::executable;
use harness::rig::{VIP4, VIP6};
use harness::{Host, L2, shell_tester};

use crate::has;

/// Runs the tester on machine A of a rig. It runs the agent as nobody too: so the agent is where
/// everybody may look.
fn passes(kind: &str, options: &[&str]) {
    if !has(&["ocf-tester", "xmllint", "su"], &["/usr/share/resource-agents/ra-api-1.dtd"]) {
        return;
    }
    if !harness::root::has_other_users() {
        return harness::skip::skip(
            "the tester needs to change to the user nobody, which takes root",
        );
    }
    let inside = format!("/run/native/{kind}");
    let rig = L2::with(Host::builder("nodea").bind(&executable(kind), &inside).start());
    rig.a.sh("mkdir -p -m 1755 /run/resource-agents");
    let mut words = vec!["-v", "-n", "tested"];
    options.iter().for_each(|option| words.extend(["-o", option]));
    words.push(&inside);
    let done = rig.a.run(shell_tester::PROGRAM, &words);
    shell_tester::expect_dtd_alone(&done);
    for address in [VIP4, VIP6] {
        rig.a.expect_absent(address);
    }
}

#[test]
fn the_shell_tester_objects_to_nothing_but_its_dtd_with_an_ipv4_address() {
    passes("IPaddr2", &[&format!("ip={VIP4}")]);
}

#[test]
fn the_shell_tester_objects_to_nothing_but_its_dtd_with_an_ipv6_address() {
    passes("IPaddr2", &[&format!("ip={VIP6}"), "cidr_netmask=64", "nic=ethA"]);
}

#[test]
fn the_shell_tester_objects_to_nothing_but_its_dtd_with_the_reference_agent() {
    passes("Dummy", &[]);
}
