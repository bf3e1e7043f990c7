//! The status of an address whose interface has no link, or no carrier (`check_link_status`).
#![forbid(unsafe_code)]

use std::path::Path;

use ocf::failure::Failure;
use ocf::glob::Files as _;
use ocf::outcome::Status;
use ocf::sys::file::Disk;

use crate::config::parse::LinkCheck;
use crate::kernel::{Link, State};

/// The file by which Red Hat's distributions and their kin say who they are.
const RELEASE: &str = "/etc/redhat-release";

/// The configured check, or the one that the distribution's own agent has by default. The file is
/// read only when a link is lost and nothing is configured.
pub fn check(configured: Option<LinkCheck>) -> LinkCheck {
    configured
        .unwrap_or_else(|| by_distribution(&Disk.text(Path::new(RELEASE)).unwrap_or_default()))
}

/// Red Hat's agents before 10.1 do not look at the link unless it is configured.
fn by_distribution(release: &str) -> LinkCheck {
    let version = release.split_whitespace().find_map(|word| {
        let (major, minor) = word.split_once('.').unwrap_or((word, "0"));
        Some((major.parse::<u32>().ok()?, minor.parse::<u32>().unwrap_or(0)))
    });
    match version {
        Some(version) if version < (10, 1) => LinkCheck::Off,
        _ => LinkCheck::Fail,
    }
}

/// The text for people.
pub fn lost(link: &Link) -> String {
    let state = if link.state == State::LowerLayerDown { "LOWERLAYERDOWN" } else { "DOWN" };
    format!("interface {} has no link (state {state})", link.name)
}

/// What a monitor says about an address that is there, on this link.
///
/// # Errors
/// For a probe of an address on a lost link: the cluster must take it down here before it starts it
/// elsewhere.
pub fn status(link: &Link, configured: Option<LinkCheck>, probe: bool) -> Result<Status, Failure> {
    if !link.is_lost() {
        return Ok(Status::Running);
    }
    match check(configured) {
        LinkCheck::Off => Ok(Status::Running),
        LinkCheck::Degraded => Ok(Status::Degraded(lost(link))),
        LinkCheck::Fail if probe => Err(Failure::generic(lost(link))),
        LinkCheck::Fail => Ok(Status::NotRunning(Some(lost(link)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn red_hat_before_10_1_does_not_look() {
        for old in [
            "Red Hat Enterprise Linux release 9.4 (Plow)",
            "CentOS Stream release 9",
            "Rocky Linux release 10.0",
        ] {
            assert_eq!(by_distribution(old), LinkCheck::Off, "{old}");
        }
        for new in [
            "",
            "Red Hat Enterprise Linux release 10.1 (Coughlan)",
            "Fedora release 43 (Forty Three)",
        ] {
            assert_eq!(by_distribution(new), LinkCheck::Fail, "{new}");
        }
    }

    #[test]
    fn ip_28_a_lost_link_is_what_the_administrator_says_it_is() {
        let up = Link::default();
        let down = Link { state: State::LowerLayerDown, name: "ethA".into(), ..Link::default() };
        assert_eq!(status(&up, Some(LinkCheck::Fail), false), Ok(Status::Running));
        assert_eq!(status(&down, Some(LinkCheck::Off), false), Ok(Status::Running));
        assert!(matches!(status(&down, Some(LinkCheck::Degraded), false), Ok(Status::Degraded(_))));
        assert!(matches!(
            status(&down, Some(LinkCheck::Fail), false),
            Ok(Status::NotRunning(Some(_)))
        ));
        assert!(status(&down, Some(LinkCheck::Fail), true).is_err());
    }
}
