//! The parameters that an agent's examples have. The rest of an example, its operations, comes from
//! the meta-data.
//!
//! Values need no quotes in a shell or in crm's language; a test feeds the examples to the real pcs
//! and crm.
#![forbid(unsafe_code)]

/// The parameters of an example resource.
#[derive(Clone, Copy, Debug)]
pub struct Example {
    /// What people would call it.
    pub resource: &'static str,
    /// Its parameters.
    pub parameters: &'static [(&'static str, &'static str)],
}

/// Each agent's example.
const EXAMPLES: &[(&str, Example)] = &[
    ("Dummy", Example { resource: "example", parameters: &[("fake", "something")] }),
    (
        "IPaddr2",
        Example { resource: "vip", parameters: &[("ip", "192.0.2.10"), ("cidr_netmask", "24")] },
    ),
    (
        "apache",
        Example {
            resource: "web",
            parameters: &[
                ("configfile", "/etc/apache2/apache2.conf"),
                ("statusurl", "http://127.0.0.1/server-status"),
            ],
        },
    ),
    (
        "haproxy",
        Example { resource: "balancer", parameters: &[("configfile", "/etc/haproxy/haproxy.cfg")] },
    ),
    (
        "ldirectord",
        Example { resource: "director", parameters: &[("configfile", "/etc/ha.d/ldirectord.cf")] },
    ),
    (
        "nginx",
        Example { resource: "proxy", parameters: &[("configfile", "/etc/nginx/nginx.conf")] },
    ),
    (
        "systemd",
        Example {
            resource: "metrics",
            parameters: &[
                ("unit", "grafana-server.service"),
                ("check_http", "http://127.0.0.1:3000/api/health"),
            ],
        },
    ),
];

/// The example of an agent.
#[must_use]
pub fn of(agent: &str) -> Option<Example> {
    EXAMPLES.iter().find(|(name, _)| *name == agent).map(|(_, example)| *example)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_need_no_quotes() {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"./:-_".contains(&byte);
        for (agent, example) in EXAMPLES {
            for (name, value) in example.parameters {
                assert!(value.bytes().all(plain), "{agent}: {name}={value}");
            }
        }
    }
}
