//! Resources that are created with nothing but the required parameters, on a node with the
//! distribution's own configuration.

use harness::cluster::Node;
use harness::{Cluster, call};

use crate::faulty::expect_no_assertion;
use crate::{SOON, one_node};

/// An agent, its required parameters, and the program that it manages.
const AGENTS: [(&str, &str, &str); 5] = [
    ("IPaddr2", "ip=10.9.0.60", ""),
    ("Dummy", "", ""),
    ("apache", "", "apache2"),
    ("nginx", "", "nginx"),
    ("haproxy", "", "haproxy"),
];

/// pcs adds a monitor for each level that is advertised; with nginx, level 30 without a command
/// barred the resource from every node.
#[test]
fn al_2_a_resource_that_is_created_with_defaults_runs() {
    if call::foreign() {
        return harness::skip::skip(
            "the agents under test are others, which promise nothing of the kind",
        );
    }
    let Some(cluster) = one_node(&["pcs", "crm"]) else { return };
    let node = cluster.node(1);
    // As after a boot with the services disabled.
    node.sh("rm -rf /run/haproxy /run/apache2");
    for (agent, parameters, program) in AGENTS {
        if !program.is_empty() && !harness::cluster::installed(program) {
            harness::skip::skip(&format!("{program} is not installed"));
            continue;
        }
        node.pcs(&format!("resource create X ocf:native:{agent} {parameters}"));
        expect_well(&cluster, agent, advertised(node, agent));
        node.pcs("resource delete X --force");
        cluster.wait_idle();
        let given =
            if parameters.is_empty() { String::new() } else { format!("params {parameters}") };
        node.crm(&format!("configure primitive X ocf:native:{agent} {given}"));
        expect_well(&cluster, agent, 0);
        node.pcs("resource delete X --force");
        cluster.wait_idle();
    }
    expect_no_assertion(node);
    cluster.down();
}

/// How many monitors an agent advertises.
fn advertised(node: &Node, agent: &str) -> usize {
    let xml = node.expect("crm_resource", &["--show-metadata", &format!("ocf:native:{agent}")]);
    xml.matches("<action name=\"monitor\"").count()
}

#[track_caller]
fn expect_well(cluster: &Cluster, agent: &str, monitors: usize) {
    cluster.wait_for(&format!("{agent} started"), SOON, |status| status.are_well(&["X"]));
    let all = cluster.wait_for(&format!("{monitors} monitors of {agent}"), SOON, |status| {
        let good = |it: &&harness::cluster::Operation| {
            it.resource == "X" && it.task == "monitor" && it.code == 0
        };
        status.history.iter().filter(good).count() >= monitors
    });
    assert!(all.failures.is_empty(), "{agent}: {all}");
    let status = cluster.wait_idle();
    assert!(status.failures.is_empty() && status.are_well(&["X"]), "{agent}: {status}");
}
