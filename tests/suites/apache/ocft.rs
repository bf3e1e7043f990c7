//! The cases that the peer's own test tool has for its agent (tools/ocft/apache), on Debian's
//! configuration.

use harness::agent;

use crate::site::Site;

#[test]
fn the_peers_own_cases() {
    let Some(site) = Site::new() else { return };
    let agent = agent(&site.host, "apache").instance("web");
    agent.monitor().expect_code(7);
    agent.stop().expect_code(0);
    agent.clone().param("statusurl", "yoyoyoyo").start().expect_code(1);
    agent.clone().param("configfile", "/yoyoyoyo/nosuchfile").start().expect_code(5);
    agent.start().expect_code(0);
    agent.start().expect_code(0);
    agent.monitor().expect_code(0);
    agent.stop().expect_code(0);
    agent.stop().expect_code(0);
    agent.action("no_cmd").expect_code(3);
}
