//! What a set of addresses means for the resource. Pure.
#![forbid(unsafe_code)]

use std::net::IpAddr;

use crate::snapshot::{Address, Link};

/// What the resource should look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// The address.
    pub ip: IpAddr,
    /// The interface, by name; `None` is any but the loopback interface.
    pub nic: Option<&'a str>,
    /// The prefix length, if it was given.
    pub prefix: Option<u8>,
    /// The label's part after the colon, if one was given.
    pub label: Option<&'a str>,
}

/// What is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen<'a> {
    /// Nothing that would be ours.
    Absent,
    /// As it should be.
    Present(&'a Address, &'a Link),
    /// There, but not as it should be.
    Different(String),
}

/// Whether an address is where the resource's belongs.
pub fn belongs(wanted: &Wanted<'_>, link: &Link) -> bool {
    match wanted.nic {
        Some(name) => link.is_called(name),
        // Without a name the loopback interface does not count: LVS real servers have the address there while another
        // node serves it.
        None => !link.loopback || (wanted.ip.is_ipv4() && wanted.ip.is_loopback()),
    }
}

/// Judges the addresses that are the wanted one. Routes play no part: they cannot change whether an address is there.
pub fn judge<'a>(wanted: &Wanted<'_>, addresses: &'a [Address], links: &'a [Link]) -> Seen<'a> {
    let here: Vec<(&Address, &Link)> = addresses
        .iter()
        .filter(|address| address.ip == wanted.ip)
        .filter_map(|address| Some((address, links.iter().find(|link| link.index == address.index)?)))
        .filter(|(_, link)| belongs(wanted, link))
        .collect();
    if here.is_empty() {
        return Seen::Absent;
    }
    let fits = |(address, link): &(&Address, &Link)| difference(wanted, address, link).is_none();
    match here.iter().find(|found| fits(found)) {
        Some((address, link)) => Seen::Present(address, link),
        None => Seen::Different(
            here.iter().filter_map(|(address, link)| difference(wanted, address, link)).collect::<Vec<_>>().join("; "),
        ),
    }
}

fn difference(wanted: &Wanted<'_>, address: &Address, link: &Link) -> Option<String> {
    let (ip, nic) = (wanted.ip, &link.name);
    if let Some(prefix) = wanted.prefix
        && prefix != address.prefix
    {
        return Some(format!("{ip} is on {nic} with prefix length {} instead of {prefix}", address.prefix));
    }
    let label = wanted.label?;
    let found = address.label.as_deref().and_then(|whole| whole.split_once(':')).map(|(_, suffix)| suffix);
    (found != Some(label)).then(|| match found {
        Some(other) => format!("{ip} is on {nic} with label \"{other}\" instead of \"{label}\""),
        None => format!("{ip} is on {nic} without the label \"{label}\""),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::AddressFlags;

    fn link(index: u32, name: &str) -> Link {
        Link {
            index,
            name: name.into(),
            loopback: name == "lo",
            altnames: vec![format!("alt-{name}")],
            ..Link::default()
        }
    }

    fn address(index: u32, prefix: u8, label: &str) -> Address {
        Address {
            index,
            ip: "10.9.0.50".parse().unwrap(),
            prefix,
            label: Some(label.into()),
            broadcast: None,
            flags: AddressFlags::default(),
            metric: None,
            scope: 0,
            lifetimes: None,
        }
    }

    fn wanted<'a>(nic: Option<&'a str>, prefix: Option<u8>, label: Option<&'a str>) -> Wanted<'a> {
        Wanted { ip: "10.9.0.50".parse().unwrap(), nic, prefix, label }
    }

    #[test]
    fn the_resource_is_there_when_everything_that_was_asked_for_is() {
        let links = [link(1, "lo"), link(2, "ethA"), link(3, "ethC")];
        let there = [address(2, 24, "ethA:web")];
        for good in [
            wanted(None, None, None),
            wanted(Some("ethA"), Some(24), Some("web")),
            wanted(Some("alt-ethA"), None, None),
        ] {
            assert!(matches!(judge(&good, &there, &links), Seen::Present(_, l) if l.name == "ethA"), "{good:?}");
        }
        assert_eq!(judge(&wanted(Some("ethC"), None, None), &there, &links), Seen::Absent);
        assert_eq!(judge(&wanted(Some("gone"), None, None), &there, &links), Seen::Absent);
        for (bad, part) in [
            (wanted(None, Some(32), None), "prefix length 24 instead of 32"),
            (wanted(None, None, Some("db")), "label \"web\" instead of \"db\""),
        ] {
            assert!(matches!(judge(&bad, &there, &links), Seen::Different(text) if text.contains(part)));
        }
        let plain = [address(2, 24, "ethA")];
        assert!(
            matches!(judge(&wanted(None, None, Some("db")), &plain, &links), Seen::Different(t) if t.contains("without"))
        );
    }

    #[test]
    fn ip_46_the_copy_on_the_loopback_interface_is_not_the_resource() {
        let links = [link(1, "lo"), link(2, "ethA")];
        assert_eq!(judge(&wanted(None, None, None), &[address(1, 32, "lo")], &links), Seen::Absent);
        assert!(matches!(judge(&wanted(Some("lo"), None, None), &[address(1, 32, "lo")], &links), Seen::Present(..)));
    }

    #[test]
    fn of_several_the_one_that_fits_counts() {
        let links = [link(2, "ethA")];
        let both = [address(2, 32, "ethA"), address(2, 24, "ethA")];
        assert!(matches!(judge(&wanted(None, Some(24), None), &both, &links), Seen::Present(a, _) if a.prefix == 24));
    }
}
