//! A server that runs already with the configuration of a resource, by whatever means it was
//! started: a probe finds it, a start takes it over, a stop ends it, under any name of the
//! resource, and there is never a second one.

use std::time::Duration;

use crate::process::wait_until;
use crate::{Agent, Host};

/// A server that can be started by other means than its agent.
pub struct Adoption<'a> {
    /// Its agent.
    pub agent: Agent<'a>,
    /// The levels of its monitors.
    pub levels: &'a [u32],
    /// The numbers of all masters.
    pub masters: &'a dyn Fn() -> Vec<String>,
    /// Whether clients are served.
    pub serves: &'a dyn Fn() -> bool,
    /// Panics unless nothing is left of it.
    pub expect_gone: &'a dyn Fn(),
}

/// How a server was started: what it is, for people, and what does it.
pub type Origin<'a> = (&'static str, &'a dyn Fn());

/// The numbers of the processes of a program that lead their session: its masters.
#[must_use]
pub fn leaders(host: &Host, program: &str) -> Vec<String> {
    let all = host.run("ps", &["-C", program, "-o", "pid=,sid=,stat="]).stdout;
    let words = all.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let leads = |words: &Vec<&str>| words[0] == words[1] && !words[2].starts_with('Z');
    words.filter(|words| words.len() == 3).filter(leads).map(|words| words[0].to_owned()).collect()
}

impl Adoption<'_> {
    /// Tries every origin, and the resource itself under its former name.
    #[track_caller]
    pub fn expect_adopted(&self, origins: &[Origin<'_>]) {
        let itself = || {
            self.agent.start().expect_code(0);
        };
        let all = origins.iter().copied().chain([("the resource itself", &itself as &dyn Fn())]);
        for (name, start) in all {
            for is_started in [true, false] {
                crate::tell::tell(&format!(
                    "started by {name}, then by the resource: {is_started}"
                ));
                self.expect_same_server(start, is_started);
            }
        }
        self.expect_one_of_many_starts();
    }

    /// Starts of the resource under several names at once make one server, and all of them succeed.
    #[track_caller]
    fn expect_one_of_many_starts(&self) {
        let Self { agent, masters, serves, expect_gone, .. } = self;
        let names: Vec<Agent<'_>> =
            ["one", "two", "three"].iter().map(|name| agent.clone().instance(name)).collect();
        std::thread::scope(|scope| {
            let starts: Vec<_> = names.iter().map(|name| scope.spawn(|| name.start())).collect();
            for start in starts {
                start.join().expect("a start").expect_code(0);
            }
        });
        let all = masters();
        assert_eq!(all.len(), 1, "never a second master: {all:?}");
        assert!(serves());
        for name in &names {
            name.monitor().expect_code(0).expect_silent();
        }
        for name in &names {
            name.stop().expect_code(0);
        }
        expect_gone();
    }

    #[track_caller]
    fn expect_same_server(&self, start: &dyn Fn(), is_started: bool) {
        let Self { agent, levels, masters, serves, expect_gone } = self;
        let renamed = agent.clone().instance("renamed");
        for name in [agent, &renamed] {
            name.probe().expect_code(7);
        }
        start();
        let up = || (serves() && agent.probe().code == 0).then_some(());
        assert!(wait_until(Duration::from_secs(10), up).is_some(), "it serves, and is found");
        let before = masters();
        assert_eq!(before.len(), 1, "{before:?}");
        let same = || assert_eq!(masters(), before, "never a second master");
        if is_started {
            agent.start().expect_code(0);
            same();
        }
        for level in *levels {
            let level = level.to_string();
            agent.clone().env("OCF_CHECK_LEVEL", &level).monitor().expect_code(0).expect_silent();
        }
        // Renamed while nothing watches it.
        renamed.probe().expect_code(0);
        if is_started {
            renamed.start().expect_code(0).expect_silent();
            same();
            // The same again: what runs is what was asked for.
            renamed.start().expect_code(0);
        }
        renamed.monitor().expect_code(0).expect_silent();
        same();
        assert!(serves());
        renamed.stop().expect_code(0).expect_silent();
        for name in [agent, &renamed] {
            name.probe().expect_code(7);
        }
        // What is kept of the former name goes with its own stop.
        agent.stop().expect_code(0);
        expect_gone();
    }
}
