//! The capture and the watch agree with tcpdump and with the kernel.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;
use std::time::Duration;

use harness::frame::{Frame, Mac};
use harness::rig::MAC_A;
use harness::skip::skip;
use harness::watch::AddressWatch;
use harness::{L2, Lan};

#[test]
fn an_address_and_its_announcement_are_seen() {
    let rig = L2::new();
    let watch = AddressWatch::on(&rig.a);
    let mut capture = rig.listen();
    rig.a.ip("address add 10.9.0.77/24 dev ethA");
    rig.a.sh("arping -q -c 1 -U -I ethA 10.9.0.77");
    let heard = capture.expect_announcements("10.9.0.77", 1, Duration::from_secs(5));
    assert!(heard[0].at > watch.added("10.9.0.77"));
    assert_eq!(heard[0].to, Mac::BROADCAST);
    assert_eq!(heard[0].from, MAC_A.parse().unwrap());
    assert!(matches!(heard[0].frame, Frame::Arp { operation: 1, .. }), "{heard:?}");
    rig.a.ip("address del 10.9.0.77/24 dev ethA");
    let gone = harness::process::wait_until(Duration::from_secs(2), || {
        watch.changes().iter().any(|change| !change.added).then_some(())
    });
    assert!(gone.is_some());
}

#[test]
fn what_a_machine_sends_itself_is_not_heard_there() {
    let rig = L2::new();
    let mut capture = rig.listen();
    rig.b.sh("arping -q -c 1 -U -I ethB 10.9.0.2");
    rig.b.sh("ping -c 1 -W 5 10.9.0.1 >/dev/null");
    assert!(capture.announcements("10.9.0.2").is_empty());
}

#[test]
fn tcpdump_hears_the_same_frame() {
    let rig = L2::new();
    if rig.b.run("/bin/sh", &["-c", "command -v tcpdump"]).code != Some(0) {
        return skip("tcpdump is not installed");
    }
    let mut command = rig.b.command("tcpdump");
    command
        .args(["-Z", "root", "-l", "-n", "-e", "-c", "1", "-i", "ethB", "arp"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut tcpdump = command.spawn().unwrap();
    let mut said = String::new();
    let mut stderr = BufReader::new(tcpdump.stderr.take().unwrap());
    while !said.contains("listening on") && stderr.read_line(&mut said).is_ok_and(|count| count > 0)
    {
    }
    let mut capture = rig.listen();
    rig.a.sh("arping -q -c 1 -A -I ethA 10.9.0.1");
    let heard = capture.expect_announcements("10.9.0.1", 1, Duration::from_secs(5));
    let mut line = String::new();
    BufReader::new(tcpdump.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ended = tcpdump.wait();
    let _ = stderr.read_to_string(&mut said);
    assert!(line.contains("Reply 10.9.0.1 is-at 02:00:00:09:00:0a"), "{line}\n{said}\n{ended:?}");
    let Frame::Arp { operation, sender_mac, target_mac, .. } = heard[0].frame else {
        panic!("{heard:?}")
    };
    assert_eq!(
        (operation, sender_mac, target_mac),
        (2, MAC_A.parse().unwrap(), MAC_A.parse().unwrap())
    );
}

#[test]
fn machines_on_a_switch_reach_each_other() {
    let lan = Lan::new(3);
    lan.hosts[0].sh("ping -c 1 -W 5 10.9.0.3 >/dev/null");
    lan.hosts[1].sh("ping -c 1 -W 5 2001:db8:9::3 >/dev/null");
}
