//! Real Pacemaker.
use harness::Cluster;
use std::time::Duration;
#[test]
fn three() {
  for n in [2,3] {
    let began = std::time::Instant::now();
    let mut cluster = Cluster::up(n);
    println!("up {n} {:?} {}", began.elapsed(), cluster.status());
    cluster.node(1).pcs("resource create VIP ocf:native:IPaddr2 ip=10.9.0.50 op monitor interval=2s");
    let s = cluster.wait_for("started", Duration::from_secs(30), |s| s.are_well(&["VIP"]));
    println!("idle {:?} {}", began.elapsed(), s);
    let on = s.resource("VIP").nodes[0].clone();
    let k: usize = on[4..].parse().unwrap();
    cluster.kill(k);
    println!("killed {:?}", began.elapsed());
    let s = cluster.wait_for("moved", Duration::from_secs(30), |s| s.are_well(&["VIP"]) && s.resource("VIP").nodes[0] != on);
    println!("moved {:?} {}", began.elapsed(), s);
    cluster.client.sh("ping -c 1 -W 5 10.9.0.50 >/dev/null");
    cluster.revive(k);
    println!("revived {:?} {}", began.elapsed(), cluster.status());
    cluster.down();
    println!("down {:?}", began.elapsed());
  }
}
