//! The portable programs: static, of no version of a C library, and alive. `make portable-test`
//! builds them first.

use std::path::PathBuf;
use std::process::Command;

use harness::Host;
use harness::enter::Entry;
use harness::process::{self, Victim};

use crate::text;

/// A portable program.
fn built(name: &str) -> PathBuf {
    let directory = std::env::var_os("OCF_PORTABLE").expect("make portable-test");
    PathBuf::from(directory).join(name)
}

#[test]
#[ignore = "needs the portable files: make portable-test"]
fn they_are_static_and_position_independent() {
    for name in ["Dummy", "IPaddr2"] {
        let bytes = std::fs::read(built(name)).unwrap();
        // elf(5): the type at 16, 3 for what can be loaded anywhere; of the program headers none
        // asks for an interpreter (3), and the dynamic section needs no library.
        assert_eq!((&bytes[..4], bytes[16]), (b"\x7fELF".as_slice(), 3), "{name}");
        let number = |at: usize, size: usize| {
            bytes[at..at + size].iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte))
        };
        let (headers, size, count) = (number(32, 8), number(54, 2), number(56, 2));
        let types: Vec<usize> = (0..count).map(|index| number(headers + index * size, 4)).collect();
        assert!(!types.contains(&3), "{name}: {types:?}");
        let symbols = Command::new("objdump").arg("-T").arg(built(name)).output();
        if let Ok(symbols) = symbols {
            let symbols = String::from_utf8_lossy(&symbols.stdout).into_owned();
            assert!(!symbols.contains("GLIBC"), "{name}: {symbols}");
        }
    }
}

#[test]
#[ignore = "needs the portable files: make portable-test"]
fn they_describe_themselves_as_the_others_do() {
    for name in ["Dummy", "IPaddr2"] {
        let said = Command::new(built(name)).arg("meta-data").env_clear().output().unwrap();
        assert_eq!(
            String::from_utf8_lossy(&said.stdout),
            text(&format!("metadata/{name}.xml")),
            "{name}"
        );
        // Arguments are seen: an unknown one is 3.
        let said = Command::new(built(name)).arg("frobnicate").env_clear().output().unwrap();
        assert_eq!(said.status.code(), Some(3), "{name}");
    }
}

#[test]
#[ignore = "needs the portable files: make portable-test"]
fn an_address_comes_and_goes() {
    if let Err(reason) = harness::root::available() {
        harness::skip::skip(&reason);
        return;
    }
    let host = Host::builder("portable").bind(&built("IPaddr2"), "/run/IPaddr2").start();
    host.sh("ip link set lo up; mkdir -p /run/resource-agents");
    for (action, code, seen) in
        [("monitor", 7, 0), ("start", 0, 1), ("monitor", 0, 1), ("stop", 0, 0), ("monitor", 7, 0)]
    {
        let script = format!(
            "OCF_ROOT=/usr/lib/ocf OCF_RESOURCE_INSTANCE=vip OCF_RESKEY_ip=192.0.2.10 \
             OCF_RESKEY_nic=lo OCF_RESKEY_cidr_netmask=32 OCF_RESKEY_CRM_meta_timeout=20000 exec \
             /run/IPaddr2 {action}"
        );
        let (mut command, pid) = host.command_as("/bin/sh", Entry::default());
        let limit = std::time::Duration::from_secs(60);
        let done =
            process::run(command.args(["-euc", &script]), pid, limit, Victim::Process).unwrap();
        assert_eq!(done.code, Some(code), "{action}: {done:#?}");
        assert_eq!(host.seen("192.0.2.10").len(), seen, "{action}");
    }
}
