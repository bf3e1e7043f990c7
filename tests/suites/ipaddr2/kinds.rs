//! Kinds of interfaces that addresses are put on, in a kernel that has them.

use std::time::Duration;

use harness::capture::Capture;
use harness::{Agent, L2};

use crate::others::{everything, wait_quiet};

const KINDS: [&str; 6] = ["bond", "vlan", "macvlan", "ipvlan", "dummy", "vrf"];

/// As long as a run in a kernel of its own may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(400);

/// Until something must have happened, in a slow kernel.
const SOON: Duration = Duration::from_secs(10);

/// The networks of the interface.
const VIP4: &str = "10.20.0.50";
const VIP6: &str = "2001:db8:20::50";

fn addressed(rig: &L2, nic: &str) {
    rig.a.ip(&format!("link set {nic} up"));
    rig.a.ip(&format!("address add 10.20.0.1/24 brd + dev {nic}"));
    rig.a.ip(&format!("address add 2001:db8:20::1/64 dev {nic} nodad"));
}

/// A whole life of both families, found by the routing table: on `nic`, announced to B on its
/// device, and gone afterwards with everything as before.
fn lives(rig: &L2, nic: &str, heard_on: Option<&str>) {
    wait_quiet(rig);
    for (ip, prefix) in [(VIP4, 24), (VIP6, 64)] {
        let vip = rig.ipaddr2(ip).timeout(Duration::from_secs(60));
        let before = everything(rig);
        let mut capture = heard_on.map(|device| Capture::on(&rig.b, device));
        vip.start().expect_code(0);
        let seen = rig.a.only(ip);
        assert_eq!((seen.nic.as_str(), seen.prefix), (nic, prefix), "{seen:?}");
        vip.monitor().expect_code(0).expect_silent();
        vip.explain()
            .expect_code(0)
            .expect_lines(&["monitor: running", "start: does nothing (the address is here)"]);
        if let Some(capture) = &mut capture {
            capture.expect_announcements(ip, 2, SOON);
        }
        vip.stop().expect_code(0);
        rig.a.expect_absent(ip);
        vip.probe().expect_code(7);
        let after = everything(rig);
        let lost: Vec<_> = before.iter().filter(|line| !after.contains(line)).collect();
        let left: Vec<_> = after.iter().filter(|line| !before.contains(line)).collect();
        assert!(
            lost.is_empty() && left.is_empty(),
            "{nic}: {vip:?}\nlost: {lost:#?}\nleft: {left:#?}"
        );
    }
}

/// Without the cable the resource fails: monitor says so, and a probe that the address must be
/// taken down.
fn fails_without_cable(rig: &L2, nic: &str) {
    let vip: Agent<'_> = rig.ipaddr2(VIP4).timeout(Duration::from_secs(60));
    vip.start().expect_code(0);
    rig.b.ip("link set ethB down");
    rig.a.wait_link(nic, "LOWERLAYERDOWN|DOWN");
    vip.monitor().expect_code(7).expect_reason(&[nic, "no link"]);
    vip.probe().expect_code(1).expect_reason(&[nic, "no link"]);
    rig.b.ip("link set ethB up");
    rig.a.wait_link(nic, "UP");
    vip.monitor().expect_code(0);
    vip.stop().expect_code(0);
}

#[test]
#[ignore = "takes half a minute in a kernel of its own: make test-slow"]
fn an_address_lives_on_a_bond() {
    harness::uml::with_devices(&KINDS, LIMIT, || {
        let rig = L2::new();
        rig.a.ip("link add bond0 type bond mode active-backup miimon 50");
        rig.a.ip("link set ethA down");
        rig.a.ip("link set ethA master bond0");
        addressed(&rig, "bond0");
        rig.a.wait_link("bond0", "UP");
        lives(&rig, "bond0", Some("ethB"));
        fails_without_cable(&rig, "bond0");
    });
}

#[test]
#[ignore = "takes half a minute in a kernel of its own: make test-slow"]
fn an_address_lives_on_a_vlan() {
    harness::uml::with_devices(&KINDS, LIMIT, || {
        let rig = L2::new();
        rig.b.ip("link add link ethB name ethB.7 type vlan id 7");
        rig.b.ip("link set ethB.7 up");
        rig.a.ip("link add link ethA name ethA.7 type vlan id 7");
        addressed(&rig, "ethA.7");
        rig.a.wait_link("ethA.7", "UP");
        lives(&rig, "ethA.7", Some("ethB.7"));
        fails_without_cable(&rig, "ethA.7");
    });
}

#[test]
#[ignore = "takes half a minute in a kernel of its own: make test-slow"]
fn an_address_lives_on_interfaces_that_share_another_one() {
    harness::uml::with_devices(&KINDS, LIMIT, || {
        for (name, kind) in [("mac0", "macvlan mode bridge"), ("ipv0", "ipvlan mode l2")] {
            let rig = L2::new();
            rig.a.ip(&format!("link add {name} link ethA type {kind}"));
            addressed(&rig, name);
            rig.a.wait_link(name, "UP|UNKNOWN");
            lives(&rig, name, Some("ethB"));
        }
    });
}

#[test]
#[ignore = "takes half a minute in a kernel of its own: make test-slow"]
fn an_address_lives_on_an_interface_that_leads_nowhere() {
    harness::uml::with_devices(&KINDS, LIMIT, || {
        let rig = L2::new();
        rig.a.ip("link add dum0 type dummy");
        addressed(&rig, "dum0");
        lives(&rig, "dum0", None);
    });
}

/// On an interface of a VRF no neighbour advertisement was sent, and the address's network was not
/// found: it is in the VRF's routing table.
#[test]
fn ip_f14_an_address_lives_on_an_interface_of_a_vrf() {
    harness::uml::with_devices(&KINDS, LIMIT, || {
        let rig = L2::new();
        rig.second_cable();
        rig.a.ip("link add red type vrf table 10");
        rig.a.ip("link set red up");
        rig.a.ip("link set ethC master red");
        addressed(&rig, "ethC");
        let explained = rig.ipaddr2(VIP6).explain();
        explained.expect_code(0).expect_lines(&[
            "routing table: 10 (that of a VRF)",
            "chosen interface: ethC (the route to 2001:db8:20::/64)",
            "prefix route: comes with the address, in table 10",
        ]);
        lives(&rig, "ethC", Some("ethD"));
        // A metric of its own makes a second prefix route, which is in the VRF's table, too.
        let before = everything(&rig);
        let vip = rig
            .ipaddr2(VIP6)
            .param("nic", "ethC")
            .param("metric", "77")
            .timeout(Duration::from_secs(60));
        vip.start().expect_code(0);
        assert!(
            rig.a
                .ip("-6 route show table 10")
                .contains("2001:db8:20::/64 dev ethC proto kernel metric 77")
        );
        vip.stop().expect_code(0);
        assert_eq!(everything(&rig), before);
        // The main table still has its own: what it knows is looked up there first.
        let main = rig.vip4().timeout(Duration::from_secs(60));
        main.start().expect_code(0);
        assert_eq!(rig.a.only(harness::rig::VIP4).nic, "ethA");
        main.stop().expect_code(0);
    });
}
