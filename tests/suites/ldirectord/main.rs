//! x
#![allow(clippy::disallowed_methods, reason = "tests own the environment and processes of what they test")]

#[test]
fn boots() {
    harness::uml::with_ipvs(std::time::Duration::from_secs(60), || {
        let host = harness::Host::new("nodea");
        println!("{}", host.sh("ipvsadm -A -t 10.0.0.1:80 -s rr; ipvsadm -Ln; uname -a; ip a"));
        panic!("see");
    });
}
