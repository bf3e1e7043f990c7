//! apache that was started by other means.

use harness::adoption::{Adoption, leaders};
use harness::agent;

use crate::site::{ROOT, Site};

#[test]
fn a_server_that_runs_is_adopted_whoever_started_it() {
    let Some(site) = Site::new() else { return };
    let masters = || leaders(&site.host, "apache2");
    let by = |command: String| {
        let host = &site.host;
        move || drop(host.sh(&command))
    };
    let program = "/usr/sbin/apache2";
    let hand = by(format!("{program} -f {ROOT}/a.conf"));
    let relative = by(format!("cd /; {program} -d {ROOT} -f a.conf -k start"));
    let foreground =
        by(format!("setsid {program} -DFOREGROUND -f {ROOT}/a.conf </dev/null >/dev/null 2>&1 &"));
    let unit = by(format!(
        "unshare --mount --propagation private sh -c 'mount -t tmpfs tmpfs /tmp; exec {program} -f \
         {ROOT}/a.conf'"
    ));
    let own = Adoption {
        agent: site.usual(),
        levels: &[0, 10],
        masters: &masters,
        serves: &|| site.get("127.0.0.1:8081", "/").is_some_and(|page| page.contains("alive")),
        expect_gone: &|| site.expect_nothing("a.conf"),
    };
    own.expect_adopted(&[
        ("hand", &hand),
        ("hand with a relative name", &relative),
        ("hand in the foreground", &foreground),
        ("a unit with PrivateTmp=", &unit),
    ]);
    // Without a pid file of its own each name of the resource has another one.
    site.bare("b.conf", "Listen 127.0.0.1:8082");
    let bare = Adoption {
        agent: site.agent("b.conf"),
        serves: &|| site.get("127.0.0.1:8082", "/").is_some(),
        expect_gone: &|| site.expect_nothing("b.conf"),
        ..own
    };
    bare.expect_adopted(&[("hand", &by(format!("{program} -f {ROOT}/b.conf")))]);
    // Debian's own configuration, as its unit starts it.
    let debians = Adoption {
        agent: agent(&site.host, "apache").instance("web"),
        serves: &|| site.get("127.0.0.1:80", "/").is_some(),
        expect_gone: &|| assert_eq!(leaders(&site.host, "apache2"), [""; 0]),
        ..bare
    };
    debians.expect_adopted(&[("Debian's unit", &by("apachectl start".to_owned()))]);
}
