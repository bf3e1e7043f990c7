//! The tutorial's pair of directors, and what was tried on it.

use std::time::Duration;

use harness::process::wait_until;
use harness::stage::Whose;
use harness::tell::tell;
use harness::visitor::get;

use crate::pair::{ALL, Fault, Pair, SOON, with_pairs};
use crate::rig::VIP;

#[test]
#[ignore = "a cluster takes minutes in a kernel of its own: make test-slow"]
fn a_pair_of_directors_survives_what_was_tried_on_it() {
    with_pairs(Duration::from_secs(1500), || {
        let mut pair = Pair::set(Whose::Native);
        let owner = pair.owner();
        // The daemon changes the table first, and calls the fallback's command then.
        let expect_call = |pair: &Pair, wanted: &str| {
            let wanted = format!("{wanted} {VIP}:80 tcp");
            let called = || pair.cluster.node(owner).sh("cat /srv/called 2>/dev/null || true");
            let there = || (called().lines().last() == Some(wanted.as_str())).then_some(());
            assert!(wait_until(SOON, there).is_some(), "no call {wanted}: {:?}", called());
        };
        // The real servers die one by one.
        pair.look.during(&mut pair.cluster, "rs0 killed", &["rs1"], |cluster| {
            crate::pair::kill_real(cluster, 0)
        });
        crate::pair::kill_real(&pair.cluster, 1);
        let site = format!("{VIP}:80").parse().expect("an address");
        let sorry =
            || (get(&pair.cluster.client, site, "/") == Err("status 503".into())).then_some(());
        assert!(wait_until(SOON, sorry).is_some(), "the page for a farm without servers");
        expect_call(&pair, "start");
        let status = pair.cluster.wait_idle();
        assert!(
            status.are_well(&ALL) && status.failures.is_empty(),
            "dead servers are no reason to move: {status}"
        );
        tell(&format!("both dead: the fallback answers; cluster: {}", status.brief()));
        pair.look.during(&mut pair.cluster, "both back", &[], |cluster| {
            [0, 1].into_iter().for_each(|number| crate::pair::revive_real(cluster, number));
        });
        pair.expect_served();
        assert_eq!(pair.owner(), owner);
        expect_call(&pair, "stop");
        for fault in Fault::ALL {
            let account = pair.inflict(fault);
            tell(&account.to_string());
            let failed: Vec<&str> =
                account.failures.iter().map(|failure| failure.operation.as_str()).collect();
            if fault == Fault::Daemon {
                assert_eq!(
                    (account.to, failed.as_slice()),
                    (account.from, &["LVS_monitor_20000"][..]),
                    "{account}"
                );
                // Clients wait for a stop and the beginning of a start, not for the daemon.
                assert!(Some(account.seen.outage.longest_gap) < account.wall("start"), "{account}");
            } else {
                assert_ne!(account.to, account.from, "{account}");
                assert!(
                    failed.is_empty() && !account.seen.announced.is_empty(),
                    "{account}\n{:?}",
                    account.failures
                );
            }
            if fault == Fault::Standby {
                // Nothing is left on the old node.
                let old = pair.cluster.node(account.from);
                assert_eq!(crate::table(old), [""; 0]);
                old.expect_absent(VIP);
                crate::expect_gone(old);
            }
            // What follows needs the dead node no more.
            if fault != Fault::Power {
                pair.heal(&account);
            }
        }
        pair.strike();
    });
}
