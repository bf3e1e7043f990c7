//! `--explain`: what start and monitor go by, in words: "why eth1?". Everything here is decided by
//! their own functions.
#![forbid(unsafe_code)]

use ocf::prelude::*;

use crate::address::judge::belongs;
use crate::address::{link, observe, select};
use crate::announce::schedule;
use crate::cluster_ip::rules::Rules;
use crate::cluster_ip::share::Share;
use crate::config::parse::{Dad, LinkCheck, route_protocol_name};
use crate::config::settings::{Announce, ClusterIp, Settings};
use crate::kernel::place::{Place, prefix_table};
use crate::kernel::{Link, Route, Snapshot, TABLE_LOCAL, TABLE_MAIN, contains, readable};
use crate::monitor;
use crate::plan::{self, Next};
use crate::record::{Added, Record};

/// Of a node's interfaces, as many are shown; of the routes that have the address, too.
const SHOWN: usize = 20;

/// Explains.
///
/// # Errors
/// Why a start would fail.
pub fn explain(
    context: &Context<'_>,
    settings: &Settings,
    explanation: &mut Explanation,
) -> Result<(), Failure> {
    explanation.line("address", settings.ip);
    if let Some(name) = &settings.network_namespace {
        explanation.because("network namespace", name, "network_namespace");
    }
    let known = Record::load(context.invocation).unwrap_or_default();
    record(&known, explanation);
    let known = known.added.filter(|added| added.is_about(settings));
    let (_, snapshot) = plan::look(context, settings)?;
    interfaces(settings, known.as_ref(), &snapshot, explanation);
    routes(settings, &snapshot, explanation);
    // A start that fails does not change what a monitor sees.
    explanation
        .monitor(&monitor::thorough(context, settings, known.as_ref()).map(|(status, _)| status));
    let (place, route) = select::place(settings, &snapshot)?;
    chosen(settings, &snapshot, &place, route, explanation);
    let found = snapshot.link(place.index).cloned();
    let link =
        found.ok_or_else(|| Failure::installed(format!("interface {} is gone", place.name)))?;
    let share = settings.cluster_ip.as_ref().map(|config| Share::new(settings.ip, &place, config));
    extras(settings, &snapshot, &place, explanation);
    announcements(settings, &place, &link, share.as_ref(), explanation);
    if let (Some(share), Some(config)) = (&share, &settings.cluster_ip) {
        cluster_ip(context, share, config, explanation)?;
    }
    let is_to_do = match plan::next(context, settings, known.as_ref(), &snapshot)? {
        Next::Keep(_) => false,
        Next::Renew(_) | Next::Add => true,
    };
    if is_to_do && link.up && link.is_lost() && link::check(settings.link_check) == LinkCheck::Fail
    {
        return Err(Failure::generic(link::lost(&link)));
    }
    match is_to_do {
        true => explanation
            .line("start", format_args!("adds {}/{} to {}", settings.ip, place.prefix, place.name)),
        false => explanation.because("start", "does nothing", "the address is here"),
    }
    Ok(())
}

fn record(record: &Record, explanation: &mut Explanation) {
    match &record.added {
        None => explanation.line("record", "no address"),
        Some(added) => {
            let (ip, place) = (added.ip, &added.place);
            let label =
                place.label.as_ref().map_or_else(String::new, |label| format!(", label {label}"));
            explanation.because(
                "record",
                format_args!("{ip}/{} on {}{label}", place.prefix, place.name),
                "what a stop removes",
            );
        }
    }
    if let Some(copy) = &record.set_aside {
        explanation.because(
            "record",
            format_args!("{}/32 of the loopback interface", copy.ip),
            "a stop puts it back",
        );
    }
    if let Some(rules) = &record.rules {
        explanation.because(
            "record",
            "rules of a cluster IP",
            format_args!("made with {}", rules.tool),
        );
    }
}

fn interfaces(
    settings: &Settings,
    known: Option<&Added>,
    snapshot: &Snapshot,
    explanation: &mut Explanation,
) {
    let wanted = observe::wanted(settings, plan::home(settings, known, snapshot));
    for link in snapshot.links.iter().take(SHOWN) {
        let addresses = snapshot.addresses.iter().filter(|address| address.index == link.index);
        let mut all: Vec<String> = addresses
            .take(SHOWN)
            .map(|address| format!("{}/{}", address.ip, address.prefix))
            .collect();
        if all.is_empty() {
            all.push("no address".to_owned());
        }
        let why = match (&settings.nic, belongs(&wanted, link)) {
            (Some(_), true) => "considered: nic",
            (Some(_), false) => "not considered: nic is another one",
            (None, true) => "considered",
            (None, false) if link.loopback => "not considered: the loopback interface",
            (None, false) => "not considered: the address belongs elsewhere",
        };
        let state = state(link);
        explanation.because(
            "interface",
            format_args!("{}, {state}, {}", link.name, all.join(" ")),
            why,
        );
    }
    if snapshot.links.len() > SHOWN {
        explanation.line("interface", format_args!("and {} more", snapshot.links.len() - SHOWN));
    }
}

fn state(link: &Link) -> &'static str {
    match (link.up, link.is_lost()) {
        (false, _) => "switched off",
        (true, true) => "without link",
        (true, false) => "up",
    }
}

fn routes(settings: &Settings, snapshot: &Snapshot, explanation: &mut Explanation) {
    let link = settings.nic.as_ref().and_then(|name| snapshot.link_called(name));
    let tables = select::tables(settings, &snapshot.links);
    for table in &tables {
        let why = match *table {
            _ if settings.route_table.is_some() => "table",
            TABLE_MAIN => "the main one",
            TABLE_LOCAL => "that of this host's own addresses",
            _ => "that of a VRF",
        };
        explanation.because("routing table", table, why);
    }
    let with_address = |route: &&Route| {
        tables.contains(&route.table)
            && contains(route.network, route.prefix, settings.ip)
            && route.index != 0
    };
    let considered: Vec<&Route> = snapshot.routes.iter().filter(with_address).collect();
    if considered.is_empty() {
        explanation.line("route", "none has the address");
    }
    for route in considered.iter().take(SHOWN) {
        let why = select::objection(settings, link, route).map_or_else(
            || "fits; the longest prefix counts, then the lowest metric".to_owned(),
            |objection| format!("left out: it {objection}"),
        );
        explanation.because("route", in_words(route, snapshot), why);
    }
}

fn in_words(route: &Route, snapshot: &Snapshot) -> String {
    let name = snapshot.link(route.index).map_or("?", |link| link.name.as_str());
    let (network, prefix, metric) = (route.network, route.prefix, route.metric);
    format!(
        "{network}/{prefix} dev {name} proto {} metric {metric}",
        route_protocol_name(route.protocol)
    )
}

fn chosen(
    settings: &Settings,
    snapshot: &Snapshot,
    place: &Place,
    route: Option<&Route>,
    explanation: &mut Explanation,
) {
    let by_route = || {
        route.map_or_else(String::new, |route| {
            format!("the route to {}/{}", route.network, route.prefix)
        })
    };
    let given = |name: Option<&str>| name.map_or_else(by_route, str::to_owned);
    explanation.because(
        "chosen interface",
        &place.name,
        given(settings.nic.as_ref().map(|_| "nic")),
    );
    explanation.because(
        "prefix length",
        place.prefix,
        given(settings.prefix.map(|_| "cidr_netmask")),
    );
    if settings.ip.is_ipv4() {
        match (place.broadcast, settings.broadcast.is_some()) {
            (Some(address), true) => explanation.because("broadcast address", address, "broadcast"),
            (Some(address), false) => {
                explanation.because(
                    "broadcast address",
                    address,
                    "that of the address which connects the network",
                );
            }
            (None, _) => explanation.line("broadcast address", "none"),
        }
        match &place.label {
            Some(label) => {
                explanation.because("label", label, "iflabel, or the part of nic after the colon")
            }
            None => explanation.line("label", "none"),
        }
    }
    match (place.metric, settings.metric.is_some()) {
        (Some(metric), true) => explanation.because("metric", metric, "metric"),
        (Some(metric), false) => explanation.because("metric", metric, by_route()),
        (None, _) => explanation.line("metric", "the kernel's own"),
    }
    let why = match (place.noprefixroute, settings.noprefixroute) {
        (false, _) => {
            let link = snapshot.link(place.index);
            let table = link.map_or(TABLE_MAIN, |link| prefix_table(link, &snapshot.links));
            return explanation
                .line("prefix route", format_args!("comes with the address, in table {table}"));
        }
        (true, true) => "noprefixroute",
        (true, false) => "another's route to this network is there, and would go with the address",
    };
    explanation.because("prefix route", "none", why);
}

/// What a start does besides adding the address.
fn extras(settings: &Settings, snapshot: &Snapshot, place: &Place, explanation: &mut Explanation) {
    if settings.ip.is_ipv6() {
        let flags = plan::add_flags(settings, place);
        let how = match (flags.nodad, flags.optimistic) {
            (true, _) => "off",
            (_, true) => "goes on while the address serves",
            _ => "a start waits for it",
        };
        let why = match settings.dad {
            Dad::Auto if flags.optimistic => "dad=auto, and the kernel has optimistic detection",
            Dad::Auto => "dad=auto, and the kernel has no optimistic detection",
            Dad::Wait => "dad=wait",
            Dad::Optimistic => "dad=optimistic",
            Dad::Off => "dad=off, or nodad",
        };
        explanation.because("duplicate address detection", how, why);
    } else if settings.detect_conflict {
        explanation.because(
            "conflict",
            "a start sends ARP probes for the address first",
            "run_arping",
        );
    }
    if let Some(label) = settings.address_label {
        explanation.because(
            "address label",
            label,
            "lvs_ipv6_addrlabel: no source address of this node",
        );
    }
    if settings.lvs_support {
        match plan::copy_on_loopback(settings, snapshot) {
            Some(copy) => explanation.because(
                "loopback copy",
                copy.ip,
                "lvs_support: set aside until the stop",
            ),
            None => explanation.because("loopback copy", "none", "lvs_support"),
        }
    }
    for (is_on, what, parameter) in [
        (settings.flush_routes, "flushes cached routes", "flush_routes"),
        (settings.kill_connections, "resets the address's TCP connections", "kill_connections"),
    ] {
        if is_on {
            explanation.because("stop", what, parameter);
        }
    }
}

fn announcements(
    settings: &Settings,
    place: &Place,
    link: &Link,
    share: Option<&Share>,
    explanation: &mut Explanation,
) {
    let subject = plan::subject(settings, place, link, share);
    let Announce { count, interval, refresh, background, .. } = settings.announce;
    if !subject.has_neighbours {
        explanation.because(
            "announcements",
            "none",
            "no neighbours, no link, or only the shared MAC address may be known",
        );
        return;
    }
    let seconds = |moment: std::time::Duration| format!("{} s", moment.as_secs_f64());
    let mut moments: Vec<String> =
        schedule::later(count, interval).take(SHOWN).map(seconds).collect();
    moments.insert(0, "at once".to_owned());
    let kind =
        if settings.ip.is_ipv4() { "ARP requests and replies" } else { "neighbour advertisements" };
    let how = if background { "in the background" } else { "before start returns" };
    explanation.because(
        "announcements",
        format_args!("{count}: {}", moments.join(", ")),
        format_args!("{kind}, {how}"),
    );
    if refresh > 0 {
        explanation.because(
            "announcements",
            format_args!("{refresh} in each monitor"),
            "arp_count_refresh",
        );
    }
    for (neighbour, known) in &subject.direct {
        let mac = known
            .as_ref()
            .map_or_else(|| "its MAC address is not known yet".to_owned(), |mac| readable(mac));
        explanation.because("announced directly to", neighbour, mac);
    }
}

fn cluster_ip(
    context: &Context<'_>,
    share: &Share,
    config: &ClusterIp,
    explanation: &mut Explanation,
) -> Result<(), Failure> {
    explanation.line("cluster IP", format_args!("share {} of {}", config.node, config.nodes));
    let derived = |is_given: bool| if is_given { "given" } else { "follows from the address" };
    explanation.because("shared MAC address", share.mac_text(), derived(config.mac.is_some()));
    explanation.because("hash seed", &share.seed, derived(config.seed.is_some()));
    let rules = Rules::new(context, share, config)?;
    explanation.line("firewall tool", rules.tool());
    let now = rules.shares()?;
    explanation.list("share served here now", &now, "none");
    let mut after = now;
    after.insert(config.node);
    for rule in rules.in_words(&after) {
        explanation.line("rule", rule);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_told_by_what_matters_for_a_start() {
        let link = Link { up: true, ..Link::default() };
        assert_eq!(state(&link), "up");
        assert_eq!(state(&Link { up: false, ..link.clone() }), "switched off");
        let lost = Link { state: crate::kernel::State::Down, ..link.clone() };
        assert_eq!(state(&lost), "without link");
    }
}
