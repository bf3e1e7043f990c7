//! How the server divides its work: the multi-processing module (MPM).
//!
//! A server that runs cannot change it: at a graceful restart it writes so to its log and ends.
#![forbid(unsafe_code)]

use std::path::PathBuf;

use ocf::prelude::*;
use ocf::sys::file::read_kernel;
use ocf::sys::process::Process;

/// Whether the server of a master goes on with the modules of a new configuration. One that is
/// built into the program is not known, and the server's own check sees a second one.
///
/// # Errors
/// That it has another MPM.
pub fn check(modules: &[String], master: &Process) -> Result<(), Failure> {
    // Without the right to look, the server has the last word.
    let maps = read_kernel(&PathBuf::from(format!("/proc/{}/maps", master.pid)));
    let maps = maps.unwrap_or_default();
    let maps = String::from_utf8_lossy(&maps);
    match (configured(modules), running(&maps)) {
        (Some(new), Some(old)) if new != old => {
            Err(Failure::generic(format!("mpm_{new} in the place of mpm_{old} needs a restart")))
        }
        _ => Ok(()),
    }
}

/// The MPM of the modules that a configuration loads (`mpm_event_module`).
fn configured(modules: &[String]) -> Option<&str> {
    modules.iter().find_map(|name| name.strip_prefix("mpm_")?.strip_suffix("_module"))
}

/// The MPM among the files in a process's memory (proc_pid_maps(5)); after an update of the package
/// the path is followed by a word.
fn running(maps: &str) -> Option<&str> {
    maps.lines().find_map(|line| line.split_once("/mod_mpm_")?.1.split_once(".so").map(|it| it.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_is_found_on_both_sides() {
        let modules = ["so_module", "mpm_prefork_module"].map(str::to_owned);
        assert_eq!(configured(&modules), Some("prefork"));
        assert_eq!(configured(&modules[..1]), None);
        let line = "7f00-7f01 r-xp 00000000 fe:00 12 /usr/lib/apache2/modules/mod_mpm_event.so";
        for end in ["", " (deleted)"] {
            assert_eq!(running(&format!("7f02-7f03 rw-p 0 0:0 0\n{line}{end}\n")), Some("event"));
        }
        assert_eq!(running("7f02-7f03 rw-p 0 0:0 0 /usr/sbin/apache2\n"), None);
    }
}
