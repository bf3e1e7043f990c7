//! What this resource has put on the host, kept in a file of its own so that stop finds it whatever the parameters
//! say by then.
//!
//! Written before the address is added: a start that is killed anywhere leaves at most a record without an address. A
//! stop leaves a record too, one that says "nothing": an address that is there afterwards is somebody else's.
#![forbid(unsafe_code)]

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use ocf::failure::{Failure, OrFail};
use ocf::invocation::Invocation;
use ocf::state;
use ocf::sys::file;

/// Records are a few lines; anything longer is none of ours.
const LARGEST: u64 = 4096;

/// What is known of a resource's past.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The address, if one was put here and has not been removed.
    pub added: Option<Added>,
    /// An address with prefix length 32 that was taken off the loopback interface for it.
    pub set_aside: bool,
}

/// An address that was put on an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Added {
    /// The address.
    pub ip: IpAddr,
    /// The length of its prefix.
    pub prefix: u8,
    /// Its broadcast address.
    pub broadcast: Option<Ipv4Addr>,
    /// The number of the interface.
    pub index: u32,
    /// The name that the interface had.
    pub name: String,
    /// Its label.
    pub label: Option<String>,
    /// The parameter `nic` at the time.
    pub asked: Option<String>,
    /// The network namespace.
    pub namespace: Option<String>,
    /// The label in the address selection policy.
    pub address_label: Option<u32>,
}

/// The file of something that belongs to a resource.
pub fn path(invocation: &Invocation, kind: &str) -> PathBuf {
    state::path(invocation, "IPaddr2", kind)
}

/// Reads the record; `None` when there is none, or none that can be trusted.
///
/// # Errors
/// When there is a file that cannot be read.
pub fn read(path: &Path) -> Result<Option<Record>, Failure> {
    let bytes = file::read_small(path, LARGEST).or_fail(path.display())?;
    Ok(bytes.and_then(|bytes| parse(std::str::from_utf8(&bytes).ok()?)))
}

/// Writes the record, at once or not at all.
///
/// # Errors
/// When it cannot be written.
pub fn write(path: &Path, record: &Record) -> Result<(), Failure> {
    if let Some(directory) = path.parent() {
        file::ensure_dir(directory, 0o755).or_fail(directory.display())?;
    }
    file::write_if_changed(path, render(record).as_bytes(), 0o600).or_fail(path.display()).map(drop)
}

fn render(record: &Record) -> String {
    let mut lines = vec!["version=1".to_owned()];
    if record.set_aside {
        lines.push("set_aside=1".into());
    }
    if let Some(added) = &record.added {
        lines.push(format!("ip={}", added.ip));
        lines.push(format!("prefix={}", added.prefix));
        lines.push(format!("index={}", added.index));
        lines.push(format!("name={}", added.name));
        let optional = [("label", &added.label), ("asked", &added.asked), ("namespace", &added.namespace)];
        lines.extend(optional.iter().filter_map(|(key, value)| Some(format!("{key}={}", value.as_ref()?))));
        lines.extend(added.broadcast.map(|broadcast| format!("broadcast={broadcast}")));
        lines.extend(added.address_label.map(|label| format!("address_label={label}")));
    }
    lines.join("\n") + "\n"
}

/// Reads a record; `None` for anything that [`render`] would not have written.
fn parse(text: &str) -> Option<Record> {
    let mut lines = text.lines();
    if lines.next()? != "version=1" {
        return None;
    }
    let pairs: Vec<(&str, &str)> = lines.map(|line| line.split_once('=')).collect::<Option<_>>()?;
    let get = |key: &str| pairs.iter().find(|(k, _)| *k == key).map(|(_, value)| *value);
    let added = match get("ip") {
        None => None,
        Some(ip) => Some(Added {
            ip: ip.parse().ok()?,
            prefix: get("prefix")?.parse().ok()?,
            broadcast: optional(get("broadcast"))?,
            index: get("index")?.parse().ok()?,
            name: get("name")?.to_owned(),
            label: get("label").map(str::to_owned),
            asked: get("asked").map(str::to_owned),
            namespace: get("namespace").map(str::to_owned),
            address_label: optional(get("address_label"))?,
        }),
    };
    Some(Record { added, set_aside: get("set_aside") == Some("1") })
}

/// A value that may be absent, but not wrong.
fn optional<T: std::str::FromStr>(text: Option<&str>) -> Option<Option<T>> {
    match text {
        None => Some(None),
        Some(text) => text.parse().ok().map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Record {
        Record {
            added: Some(Added {
                ip: "2001:db8::50".parse().unwrap(),
                prefix: 64,
                broadcast: Some([10, 9, 0, 255].into()),
                index: 7,
                name: "ethA".into(),
                label: Some("ethA:web".into()),
                asked: Some("lan0".into()),
                namespace: Some("blue".into()),
                address_label: Some(99),
            }),
            set_aside: true,
        }
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        for record in [full(), Record::default(), Record { set_aside: true, ..Record::default() }] {
            assert_eq!(parse(&render(&record)), Some(record));
        }
    }

    #[test]
    fn anything_else_is_no_record() {
        for bad in
            ["", "version=2\n", "version=1\nip=x\n", "version=1\nip=10.9.0.50\n", "1234\n", "version=1\nnonsense\n"]
        {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }
}
