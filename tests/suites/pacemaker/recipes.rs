//! The recipes of the READMEs, typed into a cluster of two nodes; then the active node is halted.

use harness::Cluster;
use harness::cluster::{installed, missing};
use harness::skip::skip;

use crate::SOON;

/// Where the recipes' address is on these machines.
const ADDRESS: &str = "10.9.0.60";

/// The commands for pcs in a document that create resources and end like this, with an address of
/// this network.
fn recipe(document: &str, end: &str) -> Vec<String> {
    let path = format!("{}/../{document}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let joined = text.replace("\\\n", " ");
    let lines = joined.lines().filter_map(|line| line.strip_prefix("    pcs resource create "));
    let lines = lines.filter(|line| line.ends_with(end));
    lines.map(|rest| format!("resource create {}", rest.replace("192.0.2.10", ADDRESS))).collect()
}

/// The balancer started before its constraints existed, on the other node: INFINITY there, and no
/// fail-over.
#[test]
fn al_5_what_was_typed_as_it_is_written_fails_over() {
    if harness::call::foreign() {
        return skip("the agents under test are others, and so are their recipes");
    }
    let absent = ["pcs", "haproxy"].into_iter().find(|program| !installed(program));
    if let Some(reason) = missing().or(absent.map(|program| format!("{program} is not installed")))
    {
        return skip(&reason);
    }
    for (document, end, resources) in [
        ("README.md", "", &["VIP"][..]),
        ("agents/haproxy/README.md", " --group lb", &["VIP", "LB"]),
    ] {
        let commands = recipe(document, end);
        assert_eq!(commands.len(), resources.len(), "{document}: {commands:?}");
        let mut cluster = Cluster::up(2);
        for node in cluster.alive() {
            node.write(
                "/etc/haproxy/haproxy.cfg",
                &format!(
                    "defaults\n  mode http\n  timeout connect 1s\n  timeout client 9s\n  timeout \
                     server 9s\nfrontend web\n  bind {ADDRESS}:80\n  http-request return status \
                     200 content-type text/plain string here\n"
                ),
            );
        }
        for command in &commands {
            cluster.node(1).pcs(command);
        }
        cluster.wait_for(document, SOON, |status| status.are_well(resources));
        let status = cluster.wait_idle();
        assert!(status.failures.is_empty(), "{document}: {status}");
        let first = status.resource(resources[resources.len() - 1]).nodes[0].clone();
        cluster.halt(if first == "node1" { 1 } else { 2 });
        let status = cluster.wait_for(&format!("{document}, on the other node"), SOON, |status| {
            status.are_well(resources)
                && resources.iter().all(|id| status.resource(id).nodes[0] != first)
        });
        assert!(status.failures.is_empty(), "{document}: {status}");
        cluster.down();
    }
}
