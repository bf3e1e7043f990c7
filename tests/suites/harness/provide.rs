//! `tests/provide`: what the suites and the demo need is installed guarded, or the one command is
//! named.
//!
//! On machines where a program was never installed, with an `apt-get` that only writes down how it
//! is called.

use std::path::Path;

use harness::Host;
use harness::skip::skip;

/// Where the programs of a list are said to be missing, and what is there instead.
const MACHINE: &str = r#"
    rm -f /usr/sbin/nginx /usr/bin/strace /usr/sbin/policy-rc.d
    cat >/usr/local/sbin/apt-get <<'END'
#!/bin/sh
echo "$*" >>/run/apt
[ "$(/usr/sbin/policy-rc.d; echo $?)" = 101 ] && echo guarded >>/run/apt
[ "$1" = install ] || exit 0
mkdir -p /etc/systemd/system/multi-user.target.wants
ln -sf /lib/systemd/system/nginx.service /etc/systemd/system/multi-user.target.wants/
[ ! -e /run/works ] || for program in nginx strace; do cp /bin/true /usr/local/sbin/$program; done
END
    chmod 755 /usr/local/sbin/apt-get
    rm -f /etc/systemd/system/multi-user.target.wants/nginx.service
"#;

/// What is only unpacked, from where the script is in these tests.
const UNPACKED: &str = "/run/target/unpacked/usr/sbin/pacemaker-remoted";

const GUARD: &str = "/usr/sbin/policy-rc.d";

fn machine() -> Option<(Host, String)> {
    if !harness::root::has_other_users() {
        skip("an overlay of / needs real root");
        return None;
    }
    let host = Host::builder("bare").overlay().start();
    host.sh(MACHINE);
    // Where every user may read it: a clone can be below /root.
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).display();
    host.sh(&format!("mkdir /run/given; cp {sources}/provide {sources}/packages /run/given"));
    host.sh(&format!("mkdir -p $(dirname {UNPACKED}); touch {UNPACKED}"));
    Some((host, "/run/given/provide".to_owned()))
}

#[test]
fn missing_packages_are_named_then_installed_with_no_service_started() {
    let Some((host, script)) = machine() else { return };
    host.sh("touch /run/works");
    let done = host.run(&script, &[]);
    assert_eq!(done.code, Some(0), "{done:#?}");
    assert!(
        done.stdout.contains("will be installed, with no service started: nginx strace\n"),
        "{done:#?}"
    );
    let calls = "update -q\nguarded\ninstall -q -y --no-install-recommends nginx strace\nguarded\n";
    assert_eq!(host.sh("cat /run/apt"), calls);
    host.sh(&format!("test ! -e {GUARD}"));
    if harness::cluster::installed("systemctl") {
        host.sh("test ! -e /etc/systemd/system/multi-user.target.wants/nginx.service");
    }
    let again = host.run(&script, &[]);
    assert!(
        again.code == Some(0) && again.stdout.is_empty() && again.stderr.is_empty(),
        "{again:#?}"
    );
}

#[test]
fn the_demo_gets_what_it_needs_and_no_more() {
    let Some((host, script)) = machine() else { return };
    host.sh("touch /run/works");
    let done = host.run(&script, &["demo"]);
    assert!(done.code == Some(0) && done.stdout.ends_with("started: nginx\n"), "{done:#?}");
}

#[test]
fn an_installation_that_fails_is_shown_and_leaves_no_guard() {
    let Some((host, script)) = machine() else { return };
    let done = host.run(&script, &[]);
    assert!(
        done.code == Some(1) && done.stderr.contains("still missing: nginx strace"),
        "{done:#?}"
    );
    host.sh(&format!("test ! -e {GUARD}"));
    host.sh(
        "printf '#!/bin/sh\necho no route to the archive; exit 100\n' >/usr/local/sbin/apt-get",
    );
    let done = host.run(&script, &[]);
    assert!(done.code == Some(1) && done.stderr.contains("no route to the archive"), "{done:#?}");
    host.sh(&format!("test ! -e {GUARD}"));
    // The administrator's own stays.
    host.sh(&format!(
        "printf '#!/bin/sh\nexit 101\n' >{GUARD}; chmod 755 {GUARD}; touch /run/works; rm \
         /usr/local/sbin/apt-get"
    ));
    host.sh(MACHINE.replace(&format!(" {GUARD}"), "").as_str());
    let done = host.run(&script, &[]);
    assert_eq!(done.code, Some(0), "{done:#?}");
    host.sh(&format!("test -e {GUARD}"));
}

/// It conflicts with a package that is installed.
#[test]
fn a_package_that_cannot_be_installed_beside_another_is_unpacked() {
    let Some((host, script)) = machine() else { return };
    host.sh(&format!(
        "touch /run/works; rm {UNPACKED}; rm -f /usr/sbin/pacemaker-remoted
         mkdir -p /run/deb/DEBIAN /run/deb/usr/sbin; touch /run/deb/usr/sbin/pacemaker-remoted
         printf 'Package: pacemaker-remote\nVersion: 1\nArchitecture: all\nMaintainer: \
         m\nDescription: d\n' \
             >/run/deb/DEBIAN/control
         echo '[ \"$1\" != download ] || dpkg-deb --build /run/deb . >&2' >>/usr/local/sbin/apt-get
         sed -i 's/ || exit 0$/ || [ \"$1\" = download ] || exit 0/' /usr/local/sbin/apt-get"
    ));
    let done = host.run(&script, &[]);
    let said = "unpacked below target/unpacked: pacemaker-remote\n";
    assert!(done.code == Some(0) && done.stdout.contains(said), "{done:#?}");
    host.sh(&format!("test -e {UNPACKED}; ! test -e /usr/sbin/pacemaker-remoted"));
    let again = host.run(&script, &[]);
    assert!(again.code == Some(0) && again.stdout.is_empty(), "{again:#?}");
}

#[test]
fn without_root_or_apt_get_the_one_command_is_named() {
    let Some((host, script)) = machine() else { return };
    let words = ["--reuid=65534", "--clear-groups", &script, "demo"];
    let done = host.run("setpriv", &words);
    assert!(
        done.code == Some(1) && done.stderr.contains(&format!("sudo {script} demo\n")),
        "{done:#?}"
    );
    host.sh("rm -f /usr/local/sbin/apt-get /usr/bin/apt-get; ! test -e /run/apt");
    let done = host.run(&script, &[]);
    assert!(
        done.code == Some(1)
            && done.stderr.contains("nginx strace")
            && !done.stderr.contains("sudo"),
        "{done:#?}"
    );
}
