//! The log of a node: how many lines the agents write.

use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::cluster::Node;
use crate::soak::resources;

/// What stands where a machine has its log; it listens until it is dropped.
#[derive(Debug)]
pub(super) struct Log {
    lines: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Log {
    /// Listens at `/dev/log` of a node that has just begun.
    pub(super) fn of(node: &Node) -> Log {
        let path = node.outside("/dev/log");
        let _ = std::fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).expect("the socket of a log");
        socket.set_read_timeout(Some(Duration::from_millis(200))).expect("a time-out");
        let lines = Arc::new(AtomicU64::new(0));
        let over = Arc::new(AtomicBool::new(false));
        let (count, flag) = (Arc::clone(&lines), Arc::clone(&over));
        let thread = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while !flag.load(Ordering::Relaxed) {
                let Ok(length) = socket.recv(&mut bytes) else { continue };
                if is_of_agent(&String::from_utf8_lossy(&bytes[..length])) {
                    count.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        Log { lines, over, thread: Some(thread) }
    }

    /// The agents' lines until now.
    pub(super) fn lines(&self) -> u64 {
        self.lines.load(Ordering::Relaxed)
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Agents write their resource in brackets after their name; Pacemaker's daemons write there, too.
fn is_of_agent(line: &str) -> bool {
    !line.contains("pacemaker-") && resources().any(|id| line.contains(&format!("({id}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_agents_are_told_from_others() {
        assert!(is_of_agent("<30>Nov 28 10:00:00 IPaddr2(VIP4)[77]: INFO: added"));
        assert!(is_of_agent("<30>Nov 28 10:00:00 IPaddr2(ANY:1)[77]: INFO: added"));
        assert!(!is_of_agent("<29>Nov 28 10:00:00 pacemaker-controld[9]: (VIP4) is started"));
        assert!(!is_of_agent("<29>Nov 28 10:00:00 sshd[9]: hello"));
    }
}
