//! The forms of single values. Each parser gives the value or says what is allowed.
#![forbid(unsafe_code)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ocf::param::{boolean, whole};

/// An interface as the administrator names it, with the label that may follow its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nic {
    /// A name or an alternative name.
    pub name: String,
    /// What stood after the colon.
    pub label: Option<String>,
}

/// The address of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ip {
    /// The address.
    pub address: IpAddr,
    /// The prefix length, if it was written behind the address.
    pub prefix: Option<u8>,
}

/// A prefix length, and whether it was written as an IPv4 netmask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mask {
    /// In bits.
    pub length: u8,
    /// Written as 255.255.255.0.
    pub dotted: bool,
}

/// A broadcast address, or how to make it from the prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broadcast {
    /// This one.
    Address(Ipv4Addr),
    /// The prefix with all host bits set (`+`).
    HostBitsSet,
    /// The prefix with all host bits cleared (`-`), which is what `ip address add … brd -` means.
    HostBitsCleared,
}

/// What to do about IPv6 duplicate address detection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dad {
    /// Serve meanwhile where the kernel can, else wait.
    Auto,
    /// Wait for the kernel's verdict.
    Wait,
    /// Serve meanwhile (RFC 4429).
    Optimistic,
    /// None.
    Off,
}

/// What a lost link means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkCheck {
    /// A failure.
    Fail,
    /// Something to show people.
    Degraded,
    /// Nothing.
    Off,
}

/// The tool for a cluster IP's rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Firewall {
    /// nft where it is installed, else iptables.
    Auto,
    /// nft.
    Nft,
    /// iptables and ip6tables.
    Iptables,
}

/// An Ethernet address.
pub type Mac = [u8; 6];

/// A hash seed.
pub type Seed = u32;

type Parsed<T> = Result<T, String>;

/// A value without the spaces around it, which configurations have from the shell agent's time: a
/// shell does not see them.
pub fn bare<T>(text: &str, parse: impl FnOnce(&str) -> Parsed<T>) -> Parsed<T> {
    parse(text.trim_matches(' '))
}

/// The address of a resource; with IPv6 the prefix length may follow, as the shell agent lets it
/// pass.
pub fn ip(text: &str) -> Parsed<Ip> {
    bare(text, |text| {
        if let Some((ip, prefix)) = text.split_once('/')
            && let (Ok(ip @ IpAddr::V6(_)), Ok(prefix)) = (address(ip), whole(prefix, 1, 128))
        {
            return Ok(Ip { address: ip, prefix: Some(prefix as u8) });
        }
        address(text).map(|address| Ip { address, prefix: None })
    })
}

/// An address that a host can have.
pub fn address(text: &str) -> Parsed<IpAddr> {
    let expected =
        || "an IPv4 address such as 192.0.2.10, or an IPv6 address such as 2001:db8::10".to_owned();
    let ip: IpAddr = text.parse().map_err(|_| expected())?;
    let usable = match ip {
        // A first octet of 0 is "this network" (RFC 6890).
        IpAddr::V4(v4) => v4.octets()[0] != 0 && !v4.is_multicast() && !v4.is_broadcast(),
        IpAddr::V6(v6) => !v6.is_unspecified() && !v6.is_multicast(),
    };
    if usable {
        Ok(ip)
    } else {
        Err("the address of one host, not a multicast, broadcast or unspecified one".to_owned())
    }
}

/// Some addresses.
pub fn addresses(text: &str) -> Parsed<Vec<IpAddr>> {
    text.split([',', ' ']).filter(|word| !word.is_empty()).map(address).collect()
}

/// An interface name: at most 15 bytes, or 127 for an alternative name (ALTIFNAMSIZ), without what
/// the kernel forbids (`dev_valid_name`).
pub fn nic(text: &str) -> Parsed<Nic> {
    let (name, suffix) = match text.split_once(':') {
        Some((name, suffix)) => (name, Some(suffix)),
        None => (text, None),
    };
    let printable = |c: char| c != '/' && !c.is_whitespace() && !c.is_control();
    if name.is_empty()
        || name.len() > 127
        || name == "."
        || name == ".."
        || !name.chars().all(printable)
    {
        return Err("the name of a network interface, such as eth0".to_owned());
    }
    let label = suffix.map(label).transpose()?;
    Ok(Nic { name: name.to_owned(), label })
}

/// A label: what may follow an interface name and a colon within 15 bytes (IFNAMSIZ).
pub fn label(text: &str) -> Parsed<String> {
    let allowed = |c: char| !c.is_control();
    if !text.is_empty() && text.len() <= 13 && text.chars().all(allowed) {
        Ok(text.to_owned())
    } else {
        Err("a label that fits in 15 characters together with the interface's name and a colon"
            .to_owned())
    }
}

/// A prefix length or an IPv4 netmask without holes. Which lengths the family allows is judged with
/// the address.
pub fn mask(text: &str) -> Parsed<Mask> {
    let text = text.trim_matches(' ');
    let expected =
        || "a prefix length such as 24, or an IPv4 netmask such as 255.255.255.0".to_owned();
    if let Ok(netmask) = text.parse::<Ipv4Addr>() {
        let bits = netmask.to_bits();
        return if bits != 0 && bits.leading_ones() + bits.trailing_zeros() == 32 {
            Ok(Mask { length: bits.leading_ones() as u8, dotted: true })
        } else {
            Err(expected())
        };
    }
    whole(text, 1, 128)
        .map(|length| Mask { length: length as u8, dotted: false })
        .map_err(|_| expected())
}

/// A broadcast address.
pub fn broadcast(text: &str) -> Parsed<Broadcast> {
    match text.trim_matches(' ') {
        "+" => Ok(Broadcast::HostBitsSet),
        "-" => Ok(Broadcast::HostBitsCleared),
        text => {
            text.parse().map(Broadcast::Address).map_err(|_| "an IPv4 address, + or -".to_owned())
        }
    }
}

/// Route origins by the names of iproute2's `rt_protos`, which are the kernel's `RTPROT_*`.
const ROUTE_PROTOCOLS: &[(&str, u8)] = &[
    ("redirect", 1),
    ("kernel", 2),
    ("boot", 3),
    ("static", 4),
    ("gated", 8),
    ("ra", 9),
    ("mrt", 10),
    ("zebra", 11),
    ("bird", 12),
    ("dnrouted", 13),
    ("xorp", 14),
    ("ntk", 15),
    ("dhcp", 16),
    ("keepalived", 18),
    ("babel", 42),
    ("bgp", 186),
    ("isis", 187),
    ("ospf", 188),
    ("rip", 189),
    ("eigrp", 192),
];

/// The origin of a route.
pub fn route_protocol(text: &str) -> Parsed<u8> {
    if let Some((_, number)) = ROUTE_PROTOCOLS.iter().find(|(name, _)| *name == text) {
        return Ok(*number);
    }
    whole(text, 0, 255)
        .map(|n| n as u8)
        .map_err(|_| "a route origin such as kernel or static, or its number".to_owned())
}

/// The name of a route's origin, or its number.
pub fn route_protocol_name(number: u8) -> String {
    let name = ROUTE_PROTOCOLS.iter().find(|(_, known)| *known == number).map(|(name, _)| *name);
    name.map_or_else(|| number.to_string(), str::to_owned)
}

/// A routing table by number, or one of the three that always have names.
pub fn route_table(text: &str) -> Parsed<u32> {
    match text {
        "default" => Ok(253),
        "main" => Ok(254),
        "local" => Ok(255),
        _ => whole(text, 1, u32::MAX)
            .map_err(|_| "the number of a routing table, or main".to_owned()),
    }
}

/// An Ethernet multicast address: the lowest bit of the first byte is set.
pub fn multicast_mac(text: &str) -> Parsed<Mac> {
    let expected = || "a multicast MAC address such as 01:00:5e:00:53:01".to_owned();
    let parts: Vec<&str> = text.split([':', '-', '.']).collect();
    let byte = |part: &str| if part.len() == 2 { u8::from_str_radix(part, 16).ok() } else { None };
    let bytes: Vec<u8> = parts.iter().filter_map(|part| byte(part)).collect();
    match Mac::try_from(bytes) {
        Ok(mac) if parts.len() == 6 && mac[0] & 1 == 1 => Ok(mac),
        _ => Err(expected()),
    }
}

/// The firewall tool.
pub fn firewall(text: &str) -> Parsed<Firewall> {
    match text {
        "auto" => Ok(Firewall::Auto),
        "nft" => Ok(Firewall::Nft),
        "iptables" => Ok(Firewall::Iptables),
        _ => Err("auto, nft or iptables".to_owned()),
    }
}

/// A hash seed, decimal or hexadecimal.
pub fn seed(text: &str) -> Parsed<Seed> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) if digits.bytes().all(|b| b.is_ascii_hexdigit()) => {
            u32::from_str_radix(digits, 16).ok()
        }
        Some(_) => None,
        None => whole(text, 0, u32::MAX).ok(),
    };
    parsed.ok_or_else(|| "a number below 4294967296, decimal or with 0x hexadecimal".to_owned())
}

/// The name of an iptables table or chain.
pub fn identifier(text: &str) -> Parsed<String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let good = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.len() <= 28
        && text.chars().all(allowed);
    if good {
        Ok(text.to_owned())
    } else {
        Err("letters, digits, _ and -, beginning with a letter".to_owned())
    }
}

/// A former ARP sender.
pub fn arp_sender(text: &str) -> Parsed<String> {
    const KNOWN: &[&str] = &["send_arp", "ipoibarping", "iputils_arping", "libnet_arping"];
    if KNOWN.contains(&text) {
        Ok(text.to_owned())
    } else {
        Err(format!("one of {}", KNOWN.join(", ")))
    }
}

/// What to do about duplicate address detection.
pub fn dad(text: &str) -> Parsed<Dad> {
    match text {
        "auto" => Ok(Dad::Auto),
        "wait" => Ok(Dad::Wait),
        "optimistic" => Ok(Dad::Optimistic),
        "off" => Ok(Dad::Off),
        _ => Err("auto, wait, optimistic or off".to_owned()),
    }
}

/// A lifetime in seconds; `u32::MAX` is for ever, to us as to the kernel (RFC 4861, section 4.6.2).
pub fn lifetime(text: &str) -> Parsed<u32> {
    match text.trim_matches(' ') {
        "forever" => Ok(u32::MAX),
        text => whole(text, 0, u32::MAX).map_err(|_| "a number of seconds, or forever".to_owned()),
    }
}

/// The name of a file in a directory that is not ours to leave.
pub fn file_name(text: &str) -> Parsed<String> {
    let good = !text.contains('/')
        && !text.contains('\0')
        && text != "."
        && text != ".."
        && text.len() <= 255;
    if good {
        Ok(text.to_owned())
    } else {
        Err("the name of a network namespace, without slashes".to_owned())
    }
}

/// What a lost link means.
pub fn link_check(text: &str) -> Parsed<LinkCheck> {
    if text.eq_ignore_ascii_case("degraded") {
        return Ok(LinkCheck::Degraded);
    }
    match boolean(text) {
        Ok(true) => Ok(LinkCheck::Fail),
        Ok(false) => Ok(LinkCheck::Off),
        Err(_) => Err("true, false or degraded".to_owned()),
    }
}

/// Whether an IPv6 address is link-local: all of fe80::/10 (RFC 4291, section 2.4).
pub fn is_link_local(ip: Ipv6Addr) -> bool {
    ip.segments()[0] & 0xffc0 == 0xfe80
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ip_19_every_spelling_of_an_address_is_the_same_address() {
        assert_eq!(address("2001:DB8:9:0::0051"), address("2001:db8:9::51"));
    }

    #[test]
    fn ip_20_nonsense_is_no_address() {
        for bad in [
            ":::::",
            "2001:db8:::1",
            "1.2.3",
            "256.1.1.1",
            "10.9.0.50/24",
            "abcd:::",
            "",
            "localhost",
            "0.1.2.3",
            "::",
        ] {
            assert!(address(bad).is_err(), "{bad}");
        }
        for bad in ["224.0.0.1", "255.255.255.255", "ff02::1", "fe80::1%eth0", "10.9.0.50\n"] {
            assert!(address(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_the_shell_agent_takes_with_spaces_or_a_prefix_length_is_taken() {
        let plain = |text: &str, prefix| Ok(Ip { address: text.parse().unwrap(), prefix });
        assert_eq!(ip(" 10.9.0.50 "), plain("10.9.0.50", None));
        assert_eq!(ip("2001:db8::1/64"), plain("2001:db8::1", Some(64)));
        for bad in [
            "10.9.0.50/24",
            "2001:db8::1/129",
            "2001:db8::1/",
            "2001:db8::1/x",
            "10.9.0.50\n",
            "1 2",
        ] {
            assert!(ip(bad).is_err(), "{bad:?}");
        }
        assert_eq!(mask("24 "), mask("24"));
        assert_eq!((broadcast(" + "), lifetime("0 ")), (Ok(Broadcast::HostBitsSet), Ok(0)));
        assert_eq!((label("a b"), label("a/b")), (Ok("a b".into()), Ok("a/b".into())));
    }

    #[test]
    fn ip_16_masks_are_lengths_or_netmasks_without_holes() {
        assert_eq!(mask("24"), Ok(Mask { length: 24, dotted: false }));
        assert_eq!(mask("255.255.255.0"), Ok(Mask { length: 24, dotted: true }));
        assert_eq!(mask("255.255.255.255"), Ok(Mask { length: 32, dotted: true }));
        for bad in ["255.0.255.0", "0.0.0.0", "0", "129", "/24", "24\t", "ffffff00", "255.255.255"]
        {
            assert!(mask(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_label_may_follow_the_interface() {
        assert_eq!(nic("eth0:0"), Ok(Nic { name: "eth0".into(), label: Some("0".into()) }));
        assert_eq!(nic("lan0").unwrap().label, None);
        for bad in ["", ":0", "eth 0", "a/b", "..", "eth0:", "eth0:fourteen_chars"] {
            assert!(nic(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ip_21_link_local_is_all_of_fe80_10() {
        for yes in ["fe80::1", "fe90::1", "febf::1"] {
            assert!(is_link_local(yes.parse().unwrap()), "{yes}");
        }
        for no in ["fec0::1", "fe7f::1", "2001:db8::1"] {
            assert!(!is_link_local(no.parse().unwrap()), "{no}");
        }
    }

    #[test]
    fn a_cluster_mac_is_multicast() {
        assert_eq!(multicast_mac("01:00:5e:00:53:01"), Ok([1, 0, 0x5e, 0, 0x53, 1]));
        for bad in [
            "00:00:5e:00:53:01",
            "01:00:5e:00:53",
            "01:00:5e:00:53:01:02",
            "1:0:5e:0:53:1",
            "zz:00:5e:00:53:01",
        ] {
            assert!(multicast_mac(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn words_of_small_sets_are_exact() {
        assert_eq!(link_check("Degraded"), Ok(LinkCheck::Degraded));
        assert_eq!(link_check("no"), Ok(LinkCheck::Off));
        assert_eq!(seed("0xAB"), Ok(0xab));
        assert_eq!(lifetime("forever"), Ok(u32::MAX));
        assert_eq!(route_protocol("kernel"), Ok(2));
        assert_eq!(route_table("main"), Ok(254));
        for (bad, good) in [("0x", false), ("0xgg", false), ("-1", false), ("7", true)] {
            assert_eq!(seed(bad).is_ok(), good, "{bad}");
        }
        assert!(
            firewall("pf").is_err()
                && dad("on").is_err()
                && arp_sender("x").is_err()
                && file_name("../x").is_err()
        );
    }
}
