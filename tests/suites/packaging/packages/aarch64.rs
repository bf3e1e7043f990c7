//! The archive for aarch64, under the user mode of qemu: `make package-test AARCH64=1`.

use harness::Host;

use super::tarball::needs_only_the_kernel;
use super::{Machine, built, possible};
use crate::{agents, text};

const QEMU: &str = "qemu-aarch64-static";

/// elf(5): the numbers of the architecture, and of a file that can be loaded anywhere.
const AARCH64: u8 = 183;
const DYNAMIC: u8 = 3;

#[test]
#[ignore = "needs the archive for aarch64: make package-test AARCH64=1"]
fn the_programs_for_aarch64_describe_themselves_and_an_address_comes_and_goes() {
    if !possible(&[QEMU, "readelf", "tar", "zstd", "ip"]) {
        return;
    }
    let archive = built("ocf-agents-", "aarch64.tar.zst");
    needs_only_the_kernel(&archive, agents().len() + 1);
    let host = Host::builder("arm").tmpfs("/srv").bind(&archive, "/run/archive.tar.zst").start();
    let machine = Machine { host, root: None };
    machine.sh("tar --zstd -C /srv -xf /run/archive.tar.zst; mv /srv/ocf-agents-* /srv/unpacked
        ip link set lo up; mkdir -p /run/resource-agents");
    for agent in agents() {
        let head = machine.sh(&format!("od -An -tu1 -N20 /srv/unpacked/bin/{agent}"));
        let bytes: Vec<u8> = head.split_whitespace().map(|byte| byte.parse().unwrap()).collect();
        assert_eq!((bytes[16], bytes[18]), (DYNAMIC, AARCH64), "{agent}: {head}");
        let printed = machine.sh(&format!("{QEMU} /srv/unpacked/bin/{agent} meta-data"));
        assert_eq!(printed, text(&format!("metadata/{agent}.xml")), "{agent}");
    }
    let parameters = "OCF_RESKEY_ip=192.0.2.10 OCF_RESKEY_nic=lo OCF_RESKEY_cidr_netmask=32";
    for (agent, parameters) in
        [("IPaddr2", parameters), ("Dummy", "OCF_RESKEY_state=/run/dummy.state")]
    {
        let call = format!(
            "OCF_ROOT=/usr/lib/ocf OCF_RESOURCE_INSTANCE=r {parameters} exec {QEMU} \
             /srv/unpacked/bin/{agent}"
        );
        for (action, code) in [
            ("validate-all", 0),
            ("monitor", 7),
            ("start", 0),
            ("monitor", 0),
            ("stop", 0),
            ("monitor", 7),
        ] {
            let done = machine.run(&format!("{call} {action}"));
            assert_eq!(done.code, Some(code), "{agent} {action}: {done:#?}");
            let there = agent == "IPaddr2" && code == 0 && ["start", "monitor"].contains(&action);
            assert_eq!(
                machine.host.seen("192.0.2.10").len(),
                usize::from(there),
                "{agent} {action}"
            );
        }
    }
}
