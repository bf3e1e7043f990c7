//! Waits for a kernel that never answers.

use std::time::Duration;

use harness::rig::{L2, VIP4};
use harness::silence::netlink;

/// The time-out of each action.
const LIMIT: Duration = Duration::from_secs(6);

/// Types of rtnetlink(7): a new address, and one that goes.
const NEW_ADDRESS: &str = "20";
const ADDRESS_GOES: &str = "21";

#[test]
fn wt_4_questions_that_the_kernel_never_answers_end_in_time() {
    let rig = L2::new();
    let agent = rig.vip4().timeout(LIMIT);
    let silent = agent.clone().env("LD_PRELOAD", &netlink(&rig.a)).env("LOST", "all");
    for runs in [false, true] {
        if runs {
            agent.start().expect_code(0);
        }
        for action in ["monitor", "start", "stop"] {
            let outcome = silent.action(action);
            outcome.expect_within(LIMIT);
            // An address that is there is seen without a question by netlink.
            if !(runs && action != "stop" && outcome.code == 0) {
                outcome.expect_code(1).expect_reason(&["no answer from the kernel"]);
            }
        }
    }
    agent.monitor().expect_code(0);
    agent.stop().expect_code(0);
    rig.a.expect_absent(VIP4);
}

#[test]
fn wt_4_changes_that_the_kernel_never_acknowledges_end_in_time() {
    let rig = L2::new();
    let agent = rig.vip4().timeout(LIMIT);
    let silent = agent.clone().env("LD_PRELOAD", &netlink(&rig.a));
    silent
        .clone()
        .env("LOST", NEW_ADDRESS)
        .start()
        .expect_code(1)
        .expect_reason(&["no answer from the kernel"])
        .expect_within(LIMIT);
    agent.stop().expect_code(0);
    agent.start().expect_code(0);
    silent
        .env("LOST", ADDRESS_GOES)
        .stop()
        .expect_code(1)
        .expect_reason(&["no answer from the kernel"])
        .expect_within(LIMIT);
    agent.monitor().expect_code(0);
    agent.stop().expect_code(0);
    rig.a.expect_absent(VIP4);
}
