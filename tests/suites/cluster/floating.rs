//! Three nodes, a floating address, nginx.

use std::time::Duration;

use harness::stage::{Fault, RESOURCES, Stage, VIP, Whose, Wish};

use crate::{SOON, tell, turn};

#[test]
fn an_address_and_nginx_survive_a_halted_node_which_then_returns() {
    let Some(_turn) = turn(&["pcs", "nginx"]) else { return };
    let wish = Wish {
        whose: Whose::Native,
        address_interval: 60,
        server_interval: 5,
        observer: false,
        watch: false,
    };
    let mut stage = Stage::set(wish);
    let account = stage.inflict(Fault::Power);
    tell(&account.to_string());
    assert_ne!(account.from, account.to);
    // The token is lost after a second; what is generous is for a busy machine.
    assert!(account.outage.longest_gap < Duration::from_secs(45), "{account}");
    assert!(
        account.announced.is_some() && account.page.is_some() && account.announcements > 0,
        "{account}"
    );
    assert!(account.failures.is_empty(), "{account}");
    let status = stage.cluster.status();
    assert!(status.online() == 2 && status.quorum, "{status}");
    stage.heal(&account);
    // Brought back, it has neither the address nor the server, and takes nothing away.
    let back = stage.cluster.named(&account.from);
    back.expect_absent(VIP);
    assert_eq!(back.processes("nginx"), [] as [i32; 0]);
    assert_eq!(stage.owner(), account.to);
    let status = stage.cluster.wait_for("all well", SOON, |status| status.are_well(&RESOURCES));
    assert!(status.online() == 3 && status.failures.is_empty(), "{status}");
    stage.strike();
}
