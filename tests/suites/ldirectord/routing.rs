//! Direct routing: real servers have the virtual address, too, and answer clients themselves.
//! IPaddr2's `lvs_support` makes that fit together.

use harness::agent;

use crate::rig::{Net, VIP, page, serve, set_up};
use crate::{CONF, PATIENCE, director, expect_gone, expect_table, with_ipvs, write};

#[test]
#[ignore = "direct routing takes more than a minute in a kernel of its own"]
fn the_address_is_on_the_director_and_on_loopback_of_the_real_servers() {
    with_ipvs(|| {
        let net = Net::new(&["lvs01", "client", "rs0", "rs1"]);
        let [lvs, client, rs0, rs1] = net.hosts() else { unreachable!() };
        for (number, host) in net.hosts().iter().enumerate() {
            // A real server must not tell the wire that it has the address.
            let quiet = ["net.ipv4.conf.all.arp_ignore=1", "net.ipv4.conf.all.arp_announce=2"];
            let lines = format!("address add 10.9.0.{}/24 brd + dev eth0", number + 1);
            set_up(host, if number >= 2 { &quiet } else { &[] }, &lines);
        }
        for (host, name) in [(rs0, "rs0"), (rs1, "rs1")] {
            serve(host, name);
            host.sh(&format!("ip address add {VIP}/32 dev lo scope host"));
        }
        let vip = |host| {
            let vip = agent(host, "IPaddr2").instance("vip").timeout(PATIENCE);
            vip.param("ip", VIP)
                .param("nic", "eth0")
                .param("cidr_netmask", "32")
                .param("lvs_support", "true")
                .param("arp_count", "1")
        };
        let conf = format!(
            "checktimeout=20\ncheckinterval=1\nvirtual={VIP}:80\n\treal=10.9.0.3:80 gate\n\
             \treal=10.9.0.4:80 gate\n\
             \tscheduler=rr\n\trequest=\".testpage\"\n\treceive=\"test page\"\n"
        );
        write(lvs, CONF, &conf);
        vip(lvs).start().expect_code(0);
        director(lvs).start().expect_code(0);
        expect_table(
            lvs,
            &[&format!("TCP {VIP}:80 rr"), "-> 10.9.0.3:80 Route 1", "-> 10.9.0.4:80 Route 1"],
        );
        let url = format!("http://{VIP}/");
        let mut shared: Vec<String> =
            page(client, &[&url, &url, &url, &url]).lines().map(str::to_owned).collect();
        shared.sort();
        assert_eq!(shared, ["rs0", "rs0", "rs1", "rs1"]);
        // The address moves to a real server: there it leaves loopback, and the server answers for
        // it alone.
        director(lvs).stop().expect_code(0);
        expect_table(lvs, &[]);
        vip(lvs).stop().expect_code(0);
        vip(rs0).start().expect_code(0);
        assert_eq!(rs0.only(VIP).nic, "eth0");
        assert_eq!(page(client, &[&url, &url]), "rs0\nrs0");
        // And back: on loopback again, out of the wire's sight, ready for what the director sends.
        vip(rs0).stop().expect_code(0);
        assert_eq!(rs0.only(VIP).nic, "lo");
        vip(lvs).start().expect_code(0);
        director(lvs).start().expect_code(0);
        expect_table(
            lvs,
            &[&format!("TCP {VIP}:80 rr"), "-> 10.9.0.3:80 Route 1", "-> 10.9.0.4:80 Route 1"],
        );
        let mut shared: Vec<String> =
            page(client, &[&url, &url]).lines().map(str::to_owned).collect();
        shared.sort();
        assert_eq!(shared, ["rs0", "rs1"]);
        director(lvs).stop().expect_code(0);
        expect_gone(lvs);
    });
}
