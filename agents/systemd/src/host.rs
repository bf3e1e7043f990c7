//! Whether this machine can run the unit, and what about it will surprise the administrator later.
#![forbid(unsafe_code)]

use std::path::Path;

use ocf::prelude::*;
use ocf::sys::file::{self, Trust};

use crate::dropin;
use crate::manager::Manager;
use crate::monitor;
use crate::name::Kind as UnitKind;
use crate::settings::Settings;
use crate::start;
use crate::state::{Facts, Unit};

/// No file with settings of a unit is larger.
const LARGEST: u64 = 1 << 20;

/// Judges the unit as systemd knows it.
///
/// # Errors
/// When there is no such unit, or systemd cannot load it.
pub fn check(context: &Context<'_>, settings: &Settings) -> Result<(), Failure> {
    let mut manager = Manager::new(context, &settings.identity)?;
    let monitor::Seen { unit, others } = monitor::look(&mut manager, settings)?;
    monitor::installed(&others)?;
    let facts = manager.facts(&unit, &settings.identity.unit);
    for warning in warnings(&unit, &facts, settings) {
        context.log.warn(format_args!("{warning}"));
    }
    if settings.identity.drop_in {
        let search = manager.unit_path()?;
        let directory = dropin::directory(&search);
        if let Some(other) =
            directory.and_then(|directory| dropin::shadow(&search, &directory, &unit.id))
        {
            context.log.warn(format_args!(
                "{} takes the place of our settings: remove it",
                other.display()
            ));
        }
        let read = |path: &Path| file::read(path, LARGEST, Trust::Anyone).ok();
        if let Some(other) = dropin::overriding(&facts.drop_ins, read) {
            context.log.warn(format_args!(
                "{} sets Restart= after our settings, so systemd restarts {} behind the cluster's \
                 back: remove that",
                other.display(),
                unit.id
            ));
        }
    }
    match unit.unusable(&facts.load_error) {
        // Administrators mask units so that they are not started on this node; that may be
        // intended, or change.
        Some(why) if unit.load == "masked" => {
            context.log.warn(format_args!("{why}"));
            Ok(())
        }
        Some(why) => Err(Failure::installed(why)),
        None if facts.refuses_stop => Err(start::refuses_stop(&unit)),
        None => Ok(()),
    }
}

/// What would work against the cluster.
pub fn warnings(unit: &Unit, facts: &Facts, settings: &Settings) -> Vec<String> {
    let mut warnings = Vec::new();
    let id = &unit.id;
    if facts.file_state.starts_with("enabled") {
        warnings.push(format!(
            "{id} is enabled, so systemd starts it at boot, too: systemctl disable {id}"
        ));
    }
    let restarts = !matches!(facts.restart.as_deref(), None | Some("" | "no"));
    if restarts && !settings.identity.drop_in {
        warnings.push(format!(
            "{id} has Restart=, so systemd restarts it behind the cluster's back: set Restart=no, \
             or drop_in=yes"
        ));
    }
    if !facts.triggered_by.is_empty() && settings.identity.unit.kind == UnitKind::Service {
        let triggers = facts.triggered_by.join(" ");
        warnings.push(format!(
            "{id} may be started by {triggers}, behind the cluster's back: manage that, or stop \
             and disable it"
        ));
    }
    if !facts.upheld_by.is_empty() {
        let others = facts.upheld_by.join(" ");
        warnings.push(format!(
            "{id} is started again by {others} (Upholds=) whenever it stops: stop or manage that"
        ));
    }
    if facts.hides_its_end() {
        warnings.push(format!(
            "{id} has RemainAfterExit=yes, so it counts as active when its processes have ended: \
             set check_tcp or check_http"
        ));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(facts: &Facts, pairs: &[(&str, &str)]) -> Vec<String> {
        let mut faults = Faults::default();
        let values = Values::from_pairs(&[&[("unit", "a")], pairs].concat());
        let settings = crate::settings::from_values(&values, &mut faults).unwrap();
        let words = |text: &str| text.to_owned();
        let unit = Unit {
            id: words("a.service"),
            load: words("loaded"),
            active: words("inactive"),
            sub: words("dead"),
            job: None,
            path: words("/"),
        };
        warnings(&unit, facts, &settings)
    }

    #[test]
    fn sd_10_what_works_against_the_cluster_is_reported() {
        assert!(found(&Facts::default(), &[]).is_empty());
        let enabled = Facts { file_state: "enabled".into(), ..Facts::default() };
        assert!(found(&enabled, &[])[0].contains("systemctl disable a.service"));
        let restarts = Facts { restart: Some("always".into()), ..Facts::default() };
        assert!(found(&restarts, &[]).is_empty(), "our settings see to it");
        assert!(found(&restarts, &[("drop_in", "no")])[0].contains("Restart"));
        let triggered = Facts { triggered_by: vec!["a.socket".into()], ..Facts::default() };
        assert!(found(&triggered, &[])[0].contains("a.socket"));
        let upheld = Facts { upheld_by: vec!["a.target".into()], ..Facts::default() };
        assert!(found(&upheld, &[])[0].contains("a.target (Upholds=)"));
        let remains =
            Facts { remains: true, service_type: Some("forking".into()), ..Facts::default() };
        assert!(found(&remains, &[])[0].contains("RemainAfterExit=yes"));
    }
}
