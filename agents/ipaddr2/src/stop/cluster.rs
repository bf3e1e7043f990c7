//! A cluster IP's rules at a stop.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;

use ocf::agent::Context;
use ocf::failure::Failure;

use super::Target;
use crate::cluster_ip::rules::Rules;
use crate::cluster_ip::share::Share;
use crate::config::settings::ClusterIp;
use crate::kernel::place::Place;
use crate::kernel::{Address, Link};
use crate::{record, turns};

/// For a cluster IP: takes this instance's share out of the rules; `true` when other instances on
/// this node still need the address.
///
/// # Errors
/// When the firewall does not answer, or its tool is not installed any more.
pub fn leave_to_other_instances(
    context: &Context<'_>,
    target: &Target<'_>,
    config: &ClusterIp,
    ours: &[&Address],
    links: &[Link],
) -> Result<bool, Failure> {
    let here = ours.first().and_then(|address| {
        let link = links.iter().find(|link| link.index == address.index)?;
        Some(Place::of(address, link))
    });
    // The rules may be there without the address, when another program has removed it.
    let added = target.record.as_ref().and_then(|record| record.added.as_ref());
    let Some(place) = here.or_else(|| added.map(|added| added.place.clone())) else {
        return Ok(false);
    };
    let _turn = turns::cluster(context, target.wanted.ip, context.budget.rollback())?;
    let share = Share::new(target.wanted.ip, &place, config);
    let rules = match Rules::new(context, &share, config) {
        Ok(rules) => rules,
        // The kernel's rules do not go with the tool that has made them.
        Err(_) => {
            return match target.record.as_ref().and_then(|record| record.rules.as_ref()) {
                Some(record::Rules { tool, .. }) => {
                    let ip = target.wanted.ip;
                    Err(Failure::generic(format!(
                        "the rules of {ip} stay: {tool} is not installed any more; install it"
                    )))
                }
                None => Ok(false),
            };
        }
    };
    let mut shares: BTreeSet<u32> = rules.shares()?;
    shares.remove(&config.node);
    rules.make(&shares)?;
    Ok(!shares.is_empty())
}
