//! Names of units: as administrators write them, and in full as systemd knows them.
//!
//! The rules are systemd's own (`unit_name_is_valid`, `unit_name_mangle` in its `unit-name.c`). A
//! full name becomes part of a path, so what is not a name is refused here, before anything else.
#![forbid(unsafe_code)]

use std::fmt;

/// The longest name, as systemd has it (`UNIT_NAME_MAX`).
const LONGEST: usize = 255;

/// What names may be made of, besides letters and digits. The `@` is between a template and its
/// instance.
const MARKS: &[u8] = b":-_.\\";

/// The types of units that can be resources, each with the last part of its D-Bus interface.
const KINDS: [(&str, Kind); 10] = [
    ("service", Kind::Service),
    ("socket", Kind::Socket),
    ("timer", Kind::Timer),
    ("mount", Kind::Mount),
    ("target", Kind::Target),
    ("scope", Kind::Scope),
    ("path", Kind::Path),
    ("automount", Kind::Automount),
    ("swap", Kind::Swap),
    ("slice", Kind::Slice),
];

/// The type of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Processes.
    Service,
    /// A socket that starts a service.
    Socket,
    /// A time that starts a unit.
    Timer,
    /// A file system.
    Mount,
    /// A group of units.
    Target,
    /// Processes that another program has started.
    Scope,
    /// A file whose change starts a unit.
    Path,
    /// A file system that is mounted when it is accessed.
    Automount,
    /// Swap space.
    Swap,
    /// A group of processes.
    Slice,
}

impl Kind {
    /// The D-Bus interface with the properties that only units of this type have.
    pub fn interface(self) -> &'static str {
        match self {
            Self::Service => "org.freedesktop.systemd1.Service",
            Self::Socket => "org.freedesktop.systemd1.Socket",
            Self::Timer => "org.freedesktop.systemd1.Timer",
            Self::Mount => "org.freedesktop.systemd1.Mount",
            Self::Target => "org.freedesktop.systemd1.Target",
            Self::Scope => "org.freedesktop.systemd1.Scope",
            Self::Path => "org.freedesktop.systemd1.Path",
            Self::Automount => "org.freedesktop.systemd1.Automount",
            Self::Swap => "org.freedesktop.systemd1.Swap",
            Self::Slice => "org.freedesktop.systemd1.Slice",
        }
    }
}

/// The full name of a unit, with type and instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitName {
    text: String,
    /// The type.
    pub kind: Kind,
}

impl UnitName {
    /// The name in full, such as `haproxy.service`.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for UnitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Whether a text can be the parameter `unit`: a name with or without type, or a template.
///
/// # Errors
/// What is allowed instead.
pub fn check(text: &str) -> Result<String, String> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'@' || MARKS.contains(&byte);
    let allowed = "the name of a unit, such as haproxy, haproxy.service or foo@bar";
    if text.contains('/') {
        return Err(format!("{allowed}, and no path"));
    }
    let (stem, _) = split(text)?;
    if stem.is_empty() || text.starts_with(['@', '.']) || !text.bytes().all(good) {
        return Err(allowed.to_owned());
    }
    if text.len() > LONGEST {
        return Err(format!("{allowed}, of {LONGEST} letters at most"));
    }
    Ok(text.to_owned())
}

/// The full name that parameters give.
///
/// # Errors
/// What is wrong with them together.
pub fn resolve(unit: &str, instance: Option<&str>) -> Result<UnitName, String> {
    check(unit)?;
    let (stem, kind) = split(unit)?;
    let stem = match (instance, stem.split_once('@')) {
        (Some(instance), None) => format!("{stem}@{}", escape(instance)),
        (Some(instance), Some((prefix, ""))) => format!("{prefix}@{}", escape(instance)),
        (Some(_), Some(_)) => {
            return Err(format!("unit={unit} names an instance already: unset instance"));
        }
        (None, Some((_, ""))) => {
            return Err(format!(
                "unit={unit} is a template: set instance, or give it with the name"
            ));
        }
        (None, _) => stem.to_owned(),
    };
    let suffix =
        KINDS.iter().find(|(_, known)| *known == kind).map_or("service", |(suffix, _)| suffix);
    let text = format!("{stem}.{suffix}");
    if text.len() > LONGEST {
        return Err(format!("the name of the unit is longer than {LONGEST} letters"));
    }
    Ok(UnitName { text, kind })
}

/// The name without its type, and the type; `.service` is left out by most people. As systemctl has
/// it, an ending that is no type belongs to the name.
fn split(text: &str) -> Result<(&str, Kind), String> {
    let Some((stem, suffix)) = text.rsplit_once('.') else { return Ok((text, Kind::Service)) };
    match KINDS.iter().find(|(known, _)| *known == suffix) {
        Some((_, kind)) => Ok((stem, *kind)),
        None if suffix == "device" => {
            Err("a unit that can be started, which a device cannot".to_owned())
        }
        None => Ok((text, Kind::Service)),
    }
}

/// An instance as part of a name: what names cannot have is escaped as systemctl does, a slash as a
/// dash, the rest by number.
fn escape(instance: &str) -> String {
    let mut text = String::with_capacity(instance.len());
    for byte in instance.bytes() {
        match byte {
            b'/' => text.push('-'),
            byte if byte.is_ascii_alphanumeric() || byte == b'@' || MARKS.contains(&byte) => {
                text.push(byte.into())
            }
            byte => text.push_str(&format!("\\x{byte:02x}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full(unit: &str, instance: Option<&str>) -> String {
        resolve(unit, instance).unwrap().to_string()
    }

    #[test]
    fn sd_07_names_are_completed_as_systemctl_does() {
        for (unit, expected) in [
            ("httpd", "httpd.service"),
            ("httpd.service", "httpd.service"),
            ("foo@bar", "foo@bar.service"),
            ("foo@bar.socket", "foo@bar.socket"),
            ("foo.bar", "foo.bar.service"),
            ("foo@10.9.0.1", "foo@10.9.0.1.service"),
            ("srv-data.mount", "srv-data.mount"),
            ("dev-disk\\x2d1.swap", "dev-disk\\x2d1.swap"),
            ("backup.timer", "backup.timer"),
        ] {
            assert_eq!(full(unit, None), expected);
        }
        assert_eq!(resolve("x.timer", None).unwrap().kind, Kind::Timer);
    }

    #[test]
    fn templates_take_their_instance_from_either_place() {
        for unit in ["foo", "foo@", "foo.service", "foo@.service"] {
            assert_eq!(full(unit, Some("a-b")), "foo@a-b.service");
        }
        assert_eq!(full("foo@", Some("/dev/sd a")), "foo@-dev-sd\\x20a.service");
        assert_eq!(full("foo@", Some("ü")), "foo@\\xc3\\xbc.service");
        assert!(resolve("foo@", None).is_err() && resolve("foo@.service", None).is_err());
        assert!(resolve("foo@a", Some("b")).is_err());
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for bad in [
            "../x",
            "/etc/passwd",
            "a/b",
            "",
            ".service",
            "..",
            "@x",
            "a b",
            "a\nb",
            "a;b",
            "$(x)",
            "ü",
            "sda.device",
        ] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
        assert!(check(&"a".repeat(256)).is_err());
        assert!(resolve("a", Some(&"b".repeat(260))).is_err());
        // Nothing of an instance can lead out of a directory either.
        assert_eq!(full("foo@", Some("../../x")), "foo@..-..-x.service");
    }
}
