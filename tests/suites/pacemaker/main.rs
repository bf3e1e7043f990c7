//! Real Pacemaker.
use harness::Cluster;
#[test]
fn a_cluster_comes_up_and_goes() {
    let began = std::time::Instant::now();
    let cluster = Cluster::up(1);
    println!("up {:?} {}", began.elapsed(), cluster.status());
    cluster.node(1).pcs("resource create VIP ocf:native:IPaddr2 ip=10.9.0.50 op monitor interval=2s");
    println!("created {:?}", began.elapsed());
    println!("idle {:?} {}", began.elapsed(), cluster.wait_idle());
    println!("{}", cluster.node(1).pcs("status"));
    cluster.down();
    println!("down {:?}", began.elapsed());
}
