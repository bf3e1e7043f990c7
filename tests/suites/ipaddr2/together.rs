//! Many resources at once on one node.

use std::collections::BTreeSet;
use std::time::Duration;

use harness::{Agent, Host, L2};

/// How many resources.
const COUNT: usize = 8;

/// A network in which the node has no other address: the first of the resources' carries all the
/// others.
fn address(number: usize) -> String {
    format!("10.8.0.{}", 100 + number)
}

fn resource(rig: &L2, number: usize) -> Agent<'_> {
    rig.ipaddr2(&address(number))
        .param("nic", "ethA")
        .param("cidr_netmask", "24")
        .param("arp_count", "1")
}

/// Those addresses of the network that the node has.
fn present(host: &Host) -> BTreeSet<String> {
    let devices = host.ip_json("-4 address show dev ethA");
    let entries = devices[0]["addr_info"].as_array().cloned().unwrap_or_default();
    let local = |entry: &serde_json::Value| entry["local"].as_str().unwrap_or_default().to_owned();
    entries.iter().map(local).filter(|ip| ip.starts_with("10.8.0.")).collect()
}

/// Stops a half of the resources at once while the first of the others starts again and again;
/// every answer must be right.
fn stop_half(rig: &L2, promote: &str) {
    rig.a.ip("address add 10.8.0.7/24 dev ethA");
    rig.a.ip("address del 10.8.0.7/24 dev ethA");
    for round in 0..rounds() {
        for number in 0..COUNT {
            resource(rig, number).start().expect_code(0);
        }
        rig.a.ip("address add 10.8.0.200/24 dev ethA");
        let stays = |number: usize| (number + round) % 2 == 1;
        std::thread::scope(|scope| {
            for number in 0..COUNT {
                scope.spawn(move || {
                    if stays(number) {
                        resource(rig, number).monitor().expect_code(0);
                        resource(rig, number).start().expect_code(0);
                    } else {
                        resource(rig, number).stop().expect_code(0);
                        assert!(
                            !present(&rig.a).contains(&address(number)),
                            "{promote}: said 0 and left it"
                        );
                    }
                });
            }
        });
        let mut expected: BTreeSet<String> =
            (0..COUNT).filter(|number| stays(*number)).map(address).collect();
        expected.insert("10.8.0.200".to_owned());
        assert_eq!(present(&rig.a), expected, "{promote}, round {round}");
        rig.a.ip("address flush dev ethA to 10.8.0.0/24");
    }
}

fn rounds() -> usize {
    if std::env::var_os("OCF_SLOW").is_some() { 30 } else { 4 }
}

/// Of eight addresses of one network that were stopped at once some stayed with a 0, and others
/// were lost.
#[test]
fn ip_f1_stops_at_once_tell_the_truth_and_touch_nothing_else() {
    let rig = L2::new();
    for promote in ["1", "0"] {
        rig.a.sysctl("net/ipv4/conf/all/promote_secondaries", "0");
        rig.a.sysctl("net/ipv4/conf/ethA/promote_secondaries", promote);
        stop_half(&rig, promote);
        assert_eq!(rig.a.read_sysctl("net/ipv4/conf/ethA/promote_secondaries"), promote);
    }
}

/// In a container /proc/sys is read-only: the addresses that the kernel removes with another one
/// are put back.
#[test]
fn ip_f1_stops_at_once_tell_the_truth_where_promotion_cannot_be_allowed() {
    let rig = L2::new();
    rig.a.sysctl("net/ipv4/conf/all/promote_secondaries", "0");
    rig.a.sysctl("net/ipv4/conf/ethA/promote_secondaries", "0");
    rig.a.sh("mount -o bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys");
    rig.a.sh("! echo 1 2>/dev/null >/proc/sys/net/ipv4/conf/ethA/promote_secondaries");
    stop_half(&rig, "read-only");
}

/// The lock of all addresses had the path of that of a resource with the name "addresses", which
/// waited five seconds for itself.
#[test]
fn no_name_of_a_resource_is_in_the_way_of_others() {
    let rig = L2::new();
    let vip = resource(&rig, 0).instance("addresses");
    vip.start().expect_code(0).expect_within(Duration::from_secs(3));
    vip.stop().expect_code(0).expect_within(Duration::from_secs(3));
}
