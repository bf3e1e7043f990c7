//! Configurations with one fault each, and what serves then.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use harness::process::wait_until;
use harness::{Agent, Host};

use crate::rig::{CHECK, Nat, page};
use crate::{
    CONF, PATIENCE, at, daemon, director, expect_gone, expect_table, log, table, with_ipvs, write,
};

/// One fault.
struct Fault {
    name: &'static str,
    /// Lines for all services, and a section.
    globals: &'static str,
    section: &'static str,
    /// The code of start and of validate-all at level 10; 0 where the director serves all the same.
    code: i32,
    /// What the reasons say, or what is warned of.
    says: &'static [&'static str],
}

/// A real server that needs no check.
const REAL: &str = "\treal=10.240.0.20:80 masq\n";

const FAULTS: [Fault; 11] = [
    Fault {
        name: "unknown directive",
        globals: "bogus=1",
        section: "",
        code: 5,
        says: &["ldirectord.cf:1: ", "unknown directive"],
    },
    Fault {
        name: "executed configuration missing",
        globals: "execute=none.cf",
        section: "",
        code: 5,
        says: &["none.cf", "cannot be read"],
    },
    Fault {
        name: "log directory missing",
        globals: "logfile=\"/none/x.log\"",
        section: "",
        code: 5,
        says: &["ldirectord.cf:1: ", "/none"],
    },
    Fault {
        name: "supervised",
        globals: "supervised=yes",
        section: "",
        code: 5,
        says: &["never detaches"],
    },
    Fault {
        name: "Perl module missing",
        globals: "",
        section: "virtual=10.9.0.50:81\nREAL\tservice=oracle\n",
        code: 5,
        says: &["DBD::Oracle", "ldirectord.cf:"],
    },
    Fault {
        name: "address wrong",
        globals: "",
        section: "virtual=10.9.0.999:81\nREAL\tchecktype=on\n",
        code: 5,
        says: &["10.9.0.999", "ldirectord.cf:"],
    },
    Fault {
        name: "unknown scheduler",
        globals: "",
        section: "virtual=10.9.0.50:81\nREAL\tscheduler=nosuch\n\tchecktype=on\n",
        code: 5,
        says: &["ldirectord.cf:11: ", "this kernel has no scheduler nosuch"],
    },
    Fault {
        name: "unresolvable name",
        globals: "",
        section: "virtual=nosuch.invalid:81\nREAL\tchecktype=on\n",
        code: 1,
        says: &["nosuch.invalid", "ldirectord.cf"],
    },
    Fault {
        name: "check command missing",
        globals: "",
        section: "virtual=10.9.0.50:81\nREAL\tchecktype=external\n\tcheckcommand=\"/none/check\"\n",
        code: 0,
        says: &["/none/check"],
    },
    Fault {
        name: "address absent",
        globals: "",
        section: "virtual=192.0.2.1:81\nREAL\tchecktype=on\n",
        code: 0,
        says: &[],
    },
    Fault {
        name: "port taken",
        globals: "",
        section: "virtual=10.9.0.50:8099\nREAL\tchecktype=on\n",
        code: 0,
        says: &[],
    },
];

/// Writes a configuration that serves, with these lines more.
fn configure(host: &Host, globals: &str, section: &str) {
    let section = section.replace("REAL\t", &format!("{REAL}\t"));
    write(
        host,
        CONF,
        &format!(
            "{globals}\nchecktimeout=20\ncheckinterval=1\nquiescent=no\nvirtual=10.9.0.50:80\n\
             {REAL}\tscheduler=rr\n\
             \tchecktype=on\n{section}"
        ),
    );
}

/// Returns when clients are served, and will be: as it begins, the daemon puts real servers in, out
/// and in again.
fn settled(nat: &Nat) {
    for _ in 0..2 {
        assert!(is_served(nat), "{}", story(nat));
        std::thread::sleep(Duration::from_secs(2));
    }
}

/// Whether a client is served soon.
fn is_served(nat: &Nat) -> bool {
    let served = || (page(nat.client(), &["http://10.9.0.50/"]) == "rs0").then_some(());
    wait_until(PATIENCE, served).is_some()
}

/// What there is to see of a director that does not serve.
fn story(nat: &Nat) -> String {
    let lvs = nat.director();
    let said = |host: &Host, script| host.run("/bin/sh", &["-c", script]).stdout;
    let seen = "cat /proc/net/ip_vs_conn; ip neighbour; ip address; ps ax; ss -tan";
    let client = "curl -sv --max-time 5 http://10.9.0.50/ 2>&1; ip neighbour";
    [format!("{:?}", table(lvs)), log(lvs), said(lvs, seen), said(nat.client(), client)].join("\n")
}

/// The daemon's own way: it served nothing, or ended at its first check, after the start.
#[test]
fn a_faulty_configuration_is_named_and_costs_no_service() {
    with_ipvs(|| {
        let nat = Nat::new(1);
        let lvs = nat.director();
        let agent = director(lvs);
        let _other = lvs.spawn("python3", &["-m", "http.server", "8099", "--bind", "10.9.0.50"]);
        for fault in FAULTS.iter().filter(|fault| fault.code != 0) {
            harness::tell::tell(fault.name);
            configure(lvs, fault.globals, fault.section);
            for outcome in [agent.start(), agent.validate_here()] {
                outcome.expect_code(fault.code).expect_reason(fault.says);
            }
            agent.monitor().expect_code(7);
        }
        without_what_parameters_name(lvs, &agent);
        expect_table(lvs, &[]);
        expect_gone(lvs);
        // Those that a start can live with: the others of its services serve.
        for fault in FAULTS.iter().filter(|fault| fault.code == 0) {
            harness::tell::tell(fault.name);
            configure(lvs, fault.globals, fault.section);
            agent.validate_here().expect_code(0).expect_stderr(fault.says);
            agent.start().expect_code(0).expect_stderr(fault.says);
            // Of several services, one may get its real servers a moment after the others.
            assert!(is_served(&nat), "{}: {}", fault.name, story(&nat));
            for level in [0, 10] {
                at(&agent, level).expect_code(0);
            }
            agent.stop().expect_code(0);
            assert_eq!(table(lvs), [""; 0]);
        }
        // Under a director that runs.
        configure(lvs, "", "");
        agent.start().expect_code(0);
        settled(&nat);
        let number = daemon(lvs);
        for fault in &FAULTS {
            harness::tell::tell(fault.name);
            configure(lvs, fault.globals, fault.section);
            at(&agent, 0).expect_code(0).expect_silent();
            let seen = at(&agent, 10);
            match fault.code {
                0 => seen.expect_code(0),
                _ => seen.expect_code(190).expect_reason(&["a restart would fail"]),
            };
            agent.action("reload-agent").expect_code(0);
            assert_eq!(daemon(lvs), number);
            assert!(is_served(&nat), "{}: {}", fault.name, story(&nat));
        }
        configure(lvs, "", "");
        for (name, value) in [("ca", "/none.pem"), ("ldirectord", "/none")] {
            let changed = agent.clone().param(name, value);
            at(&changed, 10).expect_code(190).expect_reason(&["a restart would fail", value]);
        }
        // A reloadable parameter with a faulty value.
        let faulty = agent.clone().param("on_low", "nonsense");
        faulty.action("reload-agent").expect_code(0).expect_stderr(&["on_low"]);
        faulty.monitor().expect_code(190).expect_reason(&["on_low"]);
        at(&agent, 10).expect_code(0).expect_silent();
        agent.stop().expect_code(0);
        expect_table(lvs, &[]);
        expect_gone(lvs);
    });
}

/// Ends what goes on until this is set, also where a test fails.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn without_what_parameters_name(lvs: &Host, agent: &Agent<'_>) {
    configure(lvs, "", "");
    for (name, value) in [("ca", "/none.pem"), ("ldirectord", "/none"), ("configfile", "/none")] {
        let agent = agent.clone().param(name, value);
        for outcome in [agent.start(), agent.validate_here()] {
            outcome.expect_code(5).expect_reason(&[value]);
        }
        agent.monitor().expect_code(7);
    }
}

/// An administrator pushes a faulty file to all nodes: with `autoreload=yes` the daemon reads it at
/// once. Every request of a client is counted.
#[test]
fn al_1_a_faulty_file_costs_no_request_and_is_reported_until_it_is_mended() {
    with_ipvs(|| {
        let nat = Nat::new(1);
        let lvs = nat.director();
        let agent = director(lvs);
        // At once, as a deployment does it: the daemon looks each second. What has the second of
        // the file before it is the same to it.
        let replace = |text: &str| {
            write(lvs, "/srv/new.cf", text);
            lvs.sh(&format!(
                "before=$(stat -c %Y {CONF} || echo 0)
                 [ $(date +%s) -gt $before ] || touch -d @$((before + 1)) /srv/new.cf
                 mv /srv/new.cf {CONF}"
            ));
        };
        let check = CHECK.lines().map(|line| format!("\t{line}\n")).collect::<String>();
        let good = |port: &str| {
            format!(
                "autoreload=yes\nquiescent=no\nchecktimeout=20\ncheckinterval=1\n\
                 virtual=10.9.0.50:80\n{REAL}{check}\
                 virtual=10.9.0.50:{port}\n{REAL}\tscheduler=rr\n\tchecktype=on\n"
            )
        };
        replace(&good("81"));
        agent.start().expect_code(0);
        settled(&nat);
        let number = daemon(lvs);
        let over = AtomicBool::new(false);
        let (asked, answered) = std::thread::scope(|scope| {
            let client = scope.spawn(|| {
                let (mut asked, mut answered) = (0, 0);
                while !over.load(Ordering::Relaxed) {
                    asked += 10;
                    answered += nat.asked(10).get("rs0").copied().unwrap_or_default();
                }
                (asked, answered)
            });
            let end = End(&over);
            let seen = |what: &str, count: usize| {
                let there = || (log(lvs).matches(what).count() >= count).then_some(());
                assert!(wait_until(PATIENCE, there).is_some(), "{what}: {}", log(lvs));
            };
            for (count, lines) in [(1, "bogus=1\n"), (2, "virtual=10.9.0.50\n\treal=1.2.3.4 nat\n")]
            {
                replace(&format!("{}{lines}", good("81")));
                seen("reread new configuration", count);
                agent.action("reload-agent").expect_code(0);
                at(&agent, 0).expect_code(0);
                at(&agent, 10)
                    .expect_code(190)
                    .expect_reason(&["a restart would fail", "ldirectord.cf:"]);
                at(&agent, 20).expect_code(0);
            }
            // Mended, with another service.
            replace(&good("82"));
            seen("reread new configuration", 3);
            // A service comes before its real servers.
            let new = || {
                let is_there = table(lvs).iter().any(|line| line.contains(":82 "));
                (is_there && at(&agent, 20).code == 0).then_some(())
            };
            assert!(wait_until(PATIENCE, new).is_some(), "{:?}", table(lvs));
            for level in [0, 10, 20] {
                at(&agent, level).expect_code(0).expect_silent();
            }
            drop(end);
            client.join().expect("a client")
        });
        assert_eq!((answered, daemon(lvs)), (asked, number), "of {asked} requests");
        harness::tell::tell(&format!("ldirectord: 0 of {asked} requests lost"));
        agent.stop().expect_code(0);
        expect_table(lvs, &[]);
        expect_gone(lvs);
    });
}
