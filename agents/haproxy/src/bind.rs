//! What a failed start says about an address that it could not have. Since 2.4 or so haproxy prints
//! why; the older ones only tell which.
#![forbid(unsafe_code)]

use std::io::ErrorKind;
use std::net::{IpAddr, UdpSocket};

/// What the administrator has to know; `None` when it is about something else.
pub fn reason(said: &str) -> Option<String> {
    explain(said, is_here)
}

/// Whether this machine has an address, or may act as if it had.
fn is_here(address: IpAddr) -> bool {
    let refusal = UdpSocket::bind((address, 0)).err();
    refusal.is_none_or(|error| error.kind() != ErrorKind::AddrNotAvailable)
}

fn explain(said: &str, is_here: impl Fn(IpAddr) -> bool) -> Option<String> {
    // A socket in the file system has an old one of its name moved away first.
    let (_, rest) =
        said.split_once("cannot bind ").or_else(|| said.split_once("error when trying to "))?;
    let (why, rest) = rest.split_once('[')?;
    let (place, _) = rest.split_once(']')?;
    if place.starts_with('/') {
        let why = why
            .split_once('(')
            .and_then(|(_, why)| why.split_once(')'))
            .map_or("its socket cannot be made", |(why, _)| why);
        return Some(format!("cannot listen on {place}: {why}"));
    }
    let (address, port) = place.rsplit_once(':')?;
    let address: IpAddr = address.parse().ok()?;
    port.parse::<u16>().ok()?;
    let place = match address {
        IpAddr::V4(_) => place.to_owned(),
        IpAddr::V6(_) => format!("[{address}]:{port}"),
    };
    if !is_here(address) {
        let family = if address.is_ipv4() { "ipv4" } else { "ipv6" };
        return Some(format!(
            "cannot listen on {place}: {address} is not on this machine: order haproxy after its \
             VIP, or set net.{family}.ip_nonlocal_bind=1"
        ));
    }
    let in_use = said.contains("Address already in use") || !said.contains("socket (");
    Some(match in_use {
        true => format!("cannot listen on {place}: another program does (Address already in use)"),
        false => format!("cannot listen on {place}: {said}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_versions_complaint_leads_to_the_address() {
        let absent = |said: &str| explain(said, |_| false).unwrap_or_default();
        for said in [
            "[ALERT] 324/103456 (535) : Starting frontend web: cannot bind socket [10.9.0.50:80]",
            "[ALERT] (535) : Binding [b.cfg:9] for frontend web: cannot bind socket (Cannot assign \
             requested address) for [10.9.0.50:80]",
        ] {
            let reason = absent(said);
            assert!(
                reason.starts_with(
                    "cannot listen on 10.9.0.50:80: 10.9.0.50 is not on this machine: "
                ),
                "{reason}"
            );
            assert!(
                reason.ends_with("order haproxy after its VIP, or set net.ipv4.ip_nonlocal_bind=1"),
                "{reason}"
            );
        }
        let six =
            absent("cannot bind socket (Cannot assign requested address) for [2001:db8::50:80]");
        assert!(
            six.contains("[2001:db8::50]:80") && six.contains("net.ipv6.ip_nonlocal_bind=1"),
            "{six}"
        );
        let here = |said: &str| explain(said, |_| true).unwrap_or_default();
        for said in [
            "cannot bind socket [127.0.0.1:80]",
            "cannot bind socket (Address already in use) for [127.0.0.1:80]",
        ] {
            assert_eq!(
                here(said),
                "cannot listen on 127.0.0.1:80: another program does (Address already in use)"
            );
        }
        let local = "[ALERT] (7) : Binding [a.cfg:2] for frontend GLOBAL: cannot bind UNIX socket \
                     (No such file or directory) [/x/y]";
        assert_eq!(here(local), "cannot listen on /x/y: No such file or directory");
        let master = "haproxy: [ALERT]    (808) : Binding [master-socket:0] for proxy MASTER: \
                      protocol unix_stream: error when trying to unlink previous UNIX socket \
                      (Read-only file system) [/run/x.sock]";
        assert_eq!(here(master), "cannot listen on /run/x.sock: Read-only file system");
        assert!(
            here("cannot bind socket (Permission denied) for [127.0.0.1:80]")
                .contains("Permission denied")
        );
    }

    #[test]
    fn anything_else_is_left_as_it_is() {
        for said in ["", "cannot bind socket [fd@3]", "unknown keyword"] {
            assert_eq!(explain(said, |_| false), None, "{said}");
        }
        assert!(is_here(IpAddr::from([127, 0, 0, 1])));
    }
}
