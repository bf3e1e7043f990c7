//! Tests with damaged frames and answers of the kernel.

use std::net::{Ipv4Addr, Ipv6Addr};

use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use ocf::sys::netlink::events;
use ocf::testing::fuzz::survives;

use crate::announce::frame::{self, Arp, Operation};
use crate::kernel::decode;

const VIP6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 9, 0, 0, 0, 0, 0x50);

#[test]
fn any_frame_is_read() {
    let arp = Arp::announcement(
        1,
        &[2, 0, 0x5e, 0, 0x53, 1],
        Ipv4Addr::new(10, 9, 0, 50),
        Operation::Request,
    )
    .to_bytes();
    let wide =
        Arp::announcement(32, &[7; 20], Ipv4Addr::new(10, 9, 0, 50), Operation::Reply).to_bytes();
    let advertisement = frame::advertisement(VIP6, &[2, 0, 0x5e, 0, 0x53, 1], true);
    survives(&[&arp, &wide, &advertisement], |bytes| {
        let _ = (Arp::parse(bytes), frame::advertised(bytes, VIP6, 6));
    });
}

/// RTM_NEWADDR for 10.9.0.50/24 on device 2 with a label, as the kernel sends it.
const ADDRESS: [u8; 56] = [
    56, 0, 0, 0, 20, 0, 2, 0, 1, 0, 0, 0, 9, 0, 0, 0, 2, 24, 128, 0, 2, 0, 0, 0, 8, 0, 1, 0, 10, 9,
    0, 50, 8, 0, 2, 0, 10, 9, 0, 50, 9, 0, 3, 0, b'e', b't', b'h', b'A', 0, 0, 0, 0, 4, 0, 9, 0,
];

/// RTM_NEWROUTE for 10.9.0.0/24 by device 2.
const ROUTE: [u8; 52] = [
    52, 0, 0, 0, 24, 0, 2, 0, 1, 0, 0, 0, 9, 0, 0, 0, 2, 24, 0, 0, 254, 2, 253, 1, 0, 0, 0, 0, 8,
    0, 15, 0, 254, 0, 0, 0, 8, 0, 1, 0, 10, 9, 0, 0, 8, 0, 4, 0, 2, 0, 0, 0,
];

#[test]
fn any_answer_of_the_kernel_is_read() {
    let seen = std::cell::Cell::new(0);
    survives(&[&ADDRESS, &ROUTE], |bytes| {
        let _ = events::<RouteNetlinkMessage>(bytes);
        let Ok(message) = NetlinkMessage::<RouteNetlinkMessage>::deserialize(bytes) else { return };
        match message.payload {
            NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewAddress(message)) => {
                _ = decode::address(&message);
            }
            NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewRoute(message)) => {
                _ = decode::route(&message);
            }
            NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(message)) => {
                _ = decode::link(&message);
            }
            _ => return,
        }
        seen.set(seen.get() + 1);
    });
    assert!(seen.get() > 100, "only {} were understood at all", seen.get());
}
