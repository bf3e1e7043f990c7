//! The environment that Pacemaker gives an agent, and nothing more
//! (`lib/services/services_linux.c`, `lib/pacemaker/pcmk_graph_producer.c`,
//! `daemons/execd/pacemaker-execd.c`).
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::time::Duration;

/// What systemd gives Pacemaker's daemons, and those give their children.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A resource as configured in a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Its name, with the instance's number for a clone.
    pub instance: OsString,
    /// The agent's file name.
    pub kind: OsString,
    /// The agent's directory.
    pub provider: OsString,
    /// Where the directory of resource agents is.
    pub root: OsString,
    /// The node that it runs on.
    pub node: String,
    /// The parameters, byte for byte.
    pub parameters: BTreeMap<OsString, OsString>,
}

/// One operation on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation<'a> {
    /// The action.
    pub action: &'a str,
    /// After that time the executor kills it.
    pub timeout: Duration,
    /// Of a recurring monitor, in milliseconds. `None` in probes, start and stop: the variable is
    /// unset then.
    pub interval: Option<&'a str>,
    /// `OCF_CHECK_LEVEL`, when the operation has one.
    pub level: Option<&'a str>,
}

/// An environment.
pub type Environment = BTreeMap<OsString, OsString>;

/// The environment of an operation.
#[must_use]
pub fn of(resource: &Resource, operation: &Operation<'_>) -> Environment {
    let mut all = described(resource);
    all.insert("OCF_RESOURCE_INSTANCE".into(), resource.instance.clone());
    let mut meta = |name: &str, value: &str| {
        all.insert(format!("OCF_RESKEY_CRM_meta_{name}").into(), value.into())
    };
    meta("timeout", &operation.timeout.as_millis().to_string());
    meta("name", operation.action);
    meta("on_node", &resource.node);
    meta("on_node_uuid", "1");
    if let Some(interval) = operation.interval {
        meta("interval", interval);
    }
    all.insert("OCF_RESKEY_crm_feature_set".into(), "3.19.0".into());
    if let Some(level) = operation.level {
        all.insert("OCF_CHECK_LEVEL".into(), level.into());
    }
    for (name, value) in &resource.parameters {
        all.insert(variable(name), value.clone());
    }
    all
}

/// The environment of `meta-data`, which is about no resource: no parameter, no meta attribute.
#[must_use]
pub fn described(resource: &Resource) -> Environment {
    let text = |name: &str, value: &str| (OsString::from(name), OsString::from(value));
    BTreeMap::from([
        text("PATH", PATH),
        text("LC_ALL", "C.UTF-8"),
        text("TZ", "UTC"),
        text("OCF_RA_VERSION_MAJOR", "1"),
        text("OCF_RA_VERSION_MINOR", "1"),
        text("OCF_EXIT_REASON_PREFIX", "ocf-exit-reason:"),
        ("OCF_ROOT".into(), resource.root.clone()),
        // The executor names the agent here when there is no resource.
        ("OCF_RESOURCE_INSTANCE".into(), resource.kind.clone()),
        ("OCF_RESOURCE_TYPE".into(), resource.kind.clone()),
        ("OCF_RESOURCE_PROVIDER".into(), resource.provider.clone()),
    ])
}

/// The variable of a parameter.
#[must_use]
pub fn variable(parameter: &OsStr) -> OsString {
    let mut name = OsString::from("OCF_RESKEY_");
    name.push(parameter);
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt as _;

    fn resource() -> Resource {
        let nasty = OsString::from_vec(b"a'b \"c\" $d\n\xc3\xa4\xff".to_vec());
        Resource {
            instance: "web's".into(),
            kind: "Dummy".into(),
            provider: "native".into(),
            root: "/usr/lib/ocf".into(),
            node: "alpha".to_owned(),
            parameters: BTreeMap::from([("p".into(), nasty)]),
        }
    }

    fn of_action(action: &str, interval: Option<&str>) -> Environment {
        of(
            &resource(),
            &Operation { action, timeout: Duration::from_secs(20), interval, level: None },
        )
    }

    #[test]
    fn ot_05_values_arrive_byte_for_byte() {
        let all = of_action("start", None);
        assert_eq!(all[OsStr::new("OCF_RESKEY_p")], resource().parameters[OsStr::new("p")]);
        assert_eq!(all[OsStr::new("OCF_RESOURCE_INSTANCE")], "web's");
    }

    #[test]
    fn ot_13_a_probe_a_start_and_a_stop_have_no_interval() {
        let interval = OsStr::new("OCF_RESKEY_CRM_meta_interval");
        assert!(!of_action("monitor", None).contains_key(interval));
        assert_eq!(of_action("monitor", Some("10000"))[interval], "10000");
    }

    #[test]
    fn ot_06_there_is_what_pacemaker_sets_and_nothing_more() {
        let known = ["PATH", "LC_ALL", "TZ"];
        for name in of_action("start", None).keys().map(|name| name.to_string_lossy().into_owned())
        {
            assert!(name.starts_with("OCF_") || known.contains(&name.as_str()), "{name}");
        }
    }

    #[test]
    fn a_description_is_asked_for_without_a_resource() {
        assert!(
            described(&resource())
                .keys()
                .all(|name| !name.to_string_lossy().starts_with("OCF_RESKEY_"))
        );
    }
}
