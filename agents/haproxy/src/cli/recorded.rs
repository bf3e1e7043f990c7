//! What haproxy of several releases of Debian has said.

use ocf::testing::recorded;

use super::stat::{Kind, Strength};
use super::{info, proc, stat};

/// The backend of the recordings: one server up, one down, one in maintenance.
const FARM: Strength = Strength { up: 1, all: 3 };

#[test]
fn every_releases_worker_is_read() {
    for name in ["haproxy-master", "haproxy-reloaded", "haproxy-stats"] {
        for (place, text) in recorded(name) {
            let info = info::parse(&text).unwrap_or_else(|| panic!("{place}"));
            assert!(info.pid > 1 && !info.stopping, "{place}: {info:?}");
            assert!(info.version.starts_with(|first: char| first.is_ascii_digit()), "{info:?}");
            let rows = stat::parse(&text).unwrap_or_else(|| panic!("{place}"));
            let backends = stat::backends(&rows);
            assert_eq!(backends.get("farm"), Some(&FARM), "{place}: {rows:?}");
            let frontend = rows.iter().find(|row| row.proxy == "web").unwrap();
            assert_eq!((frontend.kind, frontend.status.as_str()), (Kind::Frontend, "OPEN"));
            let (closed, full) = stat::closed_and_full(&rows);
            assert!(closed.is_empty() && full.is_empty(), "{place}: {closed:?} {full:?}");
        }
    }
}

#[test]
fn every_releases_master_is_read() {
    for (name, reloads, failed, old) in
        [("haproxy-master", 0, 0, 0), ("haproxy-reloaded", 1, 0, 1), ("haproxy-failed", 2, 1, 1)]
    {
        for (place, text) in recorded(name) {
            let seen = proc::parse(&text).unwrap_or_else(|| panic!("{place}: {text}"));
            assert_eq!((seen.reloads, seen.failed), (reloads, Some(failed)), "{place}: {text}");
            assert_eq!((seen.workers.len(), seen.old.len()), (1, old), "{place}: {text}");
            if let Some(info) = info::parse(&text) {
                assert_eq!(seen.workers, [info.pid], "{place}");
            }
        }
    }
}
