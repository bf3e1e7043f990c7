//! What the programs of an administrator make of the agents' descriptions; and the reference agent.

use harness::call::{is_there, names};

use crate::{SOON, one_node};

#[test]
fn the_administrators_programs_read_every_description() {
    let Some(cluster) = one_node(&["pcs", "crm"]) else { return };
    let node = cluster.node(1);
    let listed = node.expect("crm_resource", &["--list-agents", "ocf:native"]);
    for kind in names().filter(|kind| is_there(kind)) {
        assert!(listed.lines().any(|line| line.trim() == kind), "{kind} is not in {listed}");
        let name = format!("ocf:native:{kind}");
        for (program, args) in [
            ("pcs", &["resource", "describe", &name, "--full"][..]),
            ("crm", &["ra", "info", &name]),
            ("crm_resource", &["--show-metadata", &name]),
        ] {
            let done = node.tool(program, args);
            let quiet = done.stderr.trim().is_empty();
            assert!(
                done.code == Some(0) && quiet && done.stdout.contains(kind),
                "{program} {args:?}: {done:#?}"
            );
        }
    }
    let described = node.pcs("resource describe ocf:native:IPaddr2");
    let printed = node.crm("ra info ocf:native:IPaddr2");
    for parameter in ["ip", "nic", "cidr_netmask"] {
        assert!(
            described.contains(parameter) && printed.contains(parameter),
            "{parameter}: {described}\n{printed}"
        );
    }
    cluster.down();
}

#[test]
fn the_reference_agent_runs() {
    let Some(cluster) = one_node(&["pcs"]) else { return };
    let node = cluster.node(1);
    node.pcs("resource create REF ocf:native:Dummy op monitor interval=2s");
    cluster.wait_for("REF started", SOON, |status| status.are_well(&["REF"]));
    cluster.wait_for("REF monitored", SOON, |_| {
        node.results("REF").iter().any(|result| result == "monitor: ok")
    });
    node.pcs("resource disable REF");
    let status =
        cluster.wait_for("REF stopped", SOON, |status| status.resource("REF").role == "Stopped");
    assert!(status.failures.is_empty(), "{status}");
    assert_eq!(node.results("REF").last().map(String::as_str), Some("stop: ok"));
    cluster.down();
}

/// What an administrator sees: pcs, which lets the agent validate, said that there was something
/// and not what.
#[test]
fn al_6_a_trace_is_silent_and_a_refresh_forgets_the_parameters_of_the_start() {
    if harness::call::foreign() {
        return harness::skip::skip(
            "the agents under test are others, which promise nothing of the kind",
        );
    }
    let Some(cluster) = one_node(&["pcs"]) else { return };
    let node = cluster.node(1);
    let created =
        node.tool("pcs", &["resource", "create", "REF", "ocf:native:Dummy", "trace_ra=1"]);
    assert!(created.code == Some(0) && !created.stderr.contains("from agent"), "{created:#?}");
    cluster.wait_for("REF started", SOON, |status| status.are_well(&["REF"]));
    let count = |task: &str| {
        node.results("REF").iter().filter(|found| **found == format!("{task}: ok")).count()
    };
    node.pcs("resource update REF trace_ra=0");
    cluster.wait_for("a reload", SOON, |_| count("reload-agent") == 1);
    cluster.wait_idle();
    assert_eq!((count("start"), count("stop")), (1, 0), "{:?}", node.results("REF"));
    // As the README says of both versions of Pacemaker.
    node.pcs("resource refresh REF");
    cluster.wait_idle();
    node.pcs("resource update REF trace_ra=1");
    cluster.wait_for("a restart", SOON, |_| count("start") == 2);
    crate::faulty::expect_no_assertion(node);
    cluster.down();
}
