//! What a set of addresses means for the resource. Pure.
#![forbid(unsafe_code)]

use std::net::IpAddr;

use crate::kernel::{Address, Link};
use crate::record::Added;

/// What the resource should look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The address.
    pub ip: IpAddr,
    /// The interface, by name.
    pub nic: Option<String>,
    /// Without a name: the index of the interface that the address belongs to; `None` is any but
    /// the loopback interface.
    pub home: Option<u32>,
    /// The prefix length, if it was given.
    pub prefix: Option<u8>,
    /// The label's part after the colon, if one was given.
    pub label: Option<String>,
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
pub fn belongs(wanted: &Wanted, link: &Link) -> bool {
    match (&wanted.nic, wanted.home) {
        (Some(name), _) => link.is_called(name),
        (None, Some(index)) => link.index == index,
        // Without a name the loopback interface does not count: LVS real servers have the address
        // there while another node serves it.
        (None, None) => !link.loopback || (wanted.ip.is_ipv4() && wanted.ip.is_loopback()),
    }
}

/// Judges the addresses that are the wanted one.
pub fn judge<'a>(wanted: &Wanted, addresses: &'a [Address], links: &'a [Link]) -> Seen<'a> {
    let here: Vec<(&Address, &Link)> = addresses
        .iter()
        .filter(|address| address.ip == wanted.ip)
        .filter_map(|address| {
            Some((address, links.iter().find(|link| link.index == address.index)?))
        })
        .filter(|(_, link)| belongs(wanted, link))
        .collect();
    if here.is_empty() {
        return Seen::Absent;
    }
    let fits = |(address, link): &(&Address, &Link)| difference(wanted, address, link).is_none();
    match here.iter().find(|found| fits(found)) {
        Some((address, link)) => Seen::Present(address, link),
        None => Seen::Different(
            here.iter()
                .filter_map(|(address, link)| difference(wanted, address, link))
                .collect::<Vec<_>>()
                .join("; "),
        ),
    }
}

/// Whether an address is the resource's: the record names it, or the parameters do. Without an
/// interface among them the record alone decides, where there is one. The same address on another
/// interface, or with another prefix length than the configured one, belongs to others: a resource
/// whose start was refused must not take it away.
pub fn is_ours(
    wanted: &Wanted,
    recorded: Option<&Added>,
    address: &Address,
    links: &[Link],
) -> bool {
    let link = links.iter().find(|link| link.index == address.index);
    let named = (wanted.nic.is_some() || recorded.is_none())
        && wanted.prefix.is_none_or(|prefix| prefix == address.prefix)
        && link.is_some_and(|link| belongs(wanted, link));
    let on_record = recorded.is_some_and(|added| {
        added.place.index == address.index && added.place.prefix == address.prefix
    });
    address.ip == wanted.ip && (named || on_record)
}

/// Which addresses a stop removes.
pub fn ours<'a>(
    wanted: &Wanted,
    recorded: Option<&Added>,
    addresses: &'a [Address],
    links: &[Link],
) -> Vec<&'a Address> {
    let found: Vec<&Address> =
        addresses.iter().filter(|address| is_ours(wanted, recorded, address, links)).collect();
    if !found.is_empty() {
        return found;
    }
    // Changed since it was added (another prefix length), or on an interface that was made anew
    // under its name.
    let nearly = |address: &Address| {
        recorded.is_some_and(|added| {
            let renewed = || {
                links
                    .iter()
                    .any(|link| link.index == address.index && link.name == added.place.name)
            };
            added.place.index == address.index || renewed()
        })
    };
    addresses.iter().filter(|address| address.ip == wanted.ip && nearly(address)).collect()
}

fn difference(wanted: &Wanted, address: &Address, link: &Link) -> Option<String> {
    let (ip, nic) = (wanted.ip, &link.name);
    if let Some(prefix) = wanted.prefix
        && prefix != address.prefix
    {
        return Some(format!(
            "{ip} is on {nic} with prefix length {} instead of {prefix}",
            address.prefix
        ));
    }
    let label = wanted.label.as_ref()?;
    let found =
        address.label.as_deref().and_then(|whole| whole.split_once(':')).map(|(_, suffix)| suffix);
    (found != Some(label.as_str())).then(|| match found {
        Some(other) => format!("{ip} is on {nic} with label \"{other}\" instead of \"{label}\""),
        None => format!("{ip} is on {nic} without the label \"{label}\""),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::examples::{self, link, place};
    use crate::kernel::place::Place;

    /// 10.9.0.50 with this prefix length and label.
    fn address(index: u32, prefix: u8, label: &str) -> Address {
        Address {
            label: Some(label.into()),
            ..examples::address(&format!("10.9.0.50/{prefix}"), index)
        }
    }

    fn wanted(nic: Option<&str>, prefix: Option<u8>, label: Option<&str>) -> Wanted {
        let text = |text: Option<&str>| text.map(str::to_owned);
        Wanted {
            ip: "10.9.0.50".parse().unwrap(),
            nic: text(nic),
            home: None,
            prefix,
            label: text(label),
        }
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
            assert!(
                matches!(judge(&good, &there, &links), Seen::Present(_, l) if l.name == "ethA"),
                "{good:?}"
            );
        }
        assert_eq!(judge(&wanted(Some("ethC"), None, None), &there, &links), Seen::Absent);
        assert_eq!(judge(&wanted(Some("gone"), None, None), &there, &links), Seen::Absent);
        for (bad, part) in [
            (wanted(None, Some(32), None), "prefix length 24 instead of 32"),
            (wanted(None, None, Some("db")), "label \"web\" instead of \"db\""),
        ] {
            assert!(
                matches!(judge(&bad, &there, &links), Seen::Different(text) if text.contains(part))
            );
        }
        let plain = [address(2, 24, "ethA")];
        let seen = judge(&wanted(None, None, Some("db")), &plain, &links);
        assert!(matches!(seen, Seen::Different(text) if text.contains("without")));
    }

    #[test]
    fn ip_46_the_copy_on_the_loopback_interface_is_not_the_resource() {
        let links = [link(1, "lo"), link(2, "ethA")];
        assert_eq!(judge(&wanted(None, None, None), &[address(1, 32, "lo")], &links), Seen::Absent);
        assert!(matches!(
            judge(&wanted(Some("lo"), None, None), &[address(1, 32, "lo")], &links),
            Seen::Present(..)
        ));
    }

    #[test]
    fn without_a_name_a_copy_on_another_interface_is_not_the_resource() {
        let links = [link(2, "ethA"), link(3, "tunl0")];
        let there = [address(3, 32, "tunl0")];
        let at_home = |home| Wanted { home, ..wanted(None, None, None) };
        assert_eq!(judge(&at_home(Some(2)), &there, &links), Seen::Absent);
        assert!(matches!(judge(&at_home(Some(3)), &there, &links), Seen::Present(..)));
        assert!(matches!(judge(&at_home(None), &there, &links), Seen::Present(..)));
        assert!(ours(&at_home(Some(2)), None, &there, &links).is_empty());
    }

    #[test]
    fn of_several_the_one_that_fits_counts() {
        let links = [link(2, "ethA")];
        let both = [address(2, 32, "ethA"), address(2, 24, "ethA")];
        let seen = judge(&wanted(None, Some(24), None), &both, &links);
        assert!(matches!(seen, Seen::Present(address, _) if address.prefix == 24));
    }

    fn added(index: u32, name: &str, prefix: u8) -> Added {
        Added {
            ip: "10.9.0.50".parse().unwrap(),
            place: Place { index, name: name.into(), prefix, ..place() },
            asked: None,
            namespace: None,
            address_label: None,
        }
    }

    #[test]
    fn ip_f2_ip_f11_a_stop_removes_what_the_record_or_the_parameters_name_and_nothing_else() {
        let links = [link(1, "lo"), link(2, "ethA"), link(3, "ethC")];
        let there = [address(1, 32, "lo"), address(2, 24, "ethA"), address(3, 24, "ethC")];
        let found = |wanted: &Wanted, recorded: Option<&Added>| -> Vec<(u32, u8)> {
            ours(wanted, recorded, &there, &links).iter().map(|a| (a.index, a.prefix)).collect()
        };
        assert_eq!(found(&wanted(Some("eth9"), None, None), None), []);
        assert_eq!(found(&wanted(Some("ethC"), None, None), None), [(3, 24)]);
        assert_eq!(found(&wanted(Some("ethC"), Some(32), None), None), []);
        assert_eq!(found(&wanted(None, None, Some("other")), None), [(2, 24), (3, 24)]);
        // The record decides, whatever the parameters say by now.
        assert_eq!(
            found(&wanted(Some("eth9"), Some(32), None), Some(&added(2, "ethA", 24))),
            [(2, 24)]
        );
        assert_eq!(
            found(&wanted(Some("ethC"), None, None), Some(&added(2, "ethA", 24))),
            [(2, 24), (3, 24)]
        );
        assert_eq!(found(&wanted(None, None, None), Some(&added(2, "ethA", 24))), [(2, 24)]);
        // Another prefix length than on record, an interface that was made anew.
        assert_eq!(
            found(&wanted(Some("eth9"), None, None), Some(&added(2, "ethA", 25))),
            [(2, 24)]
        );
        assert_eq!(
            found(&wanted(Some("eth9"), None, None), Some(&added(7, "ethC", 24))),
            [(3, 24)]
        );
        assert_eq!(found(&wanted(Some("eth9"), None, None), Some(&added(7, "gone", 24))), []);
    }
}
