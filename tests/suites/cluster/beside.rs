//! The same faults with our agents and with the shell agents, in one run: two clusters stand side
//! by side and take turns.

use harness::figures::{DOWNTIME, largest, machine, median, ms};
use harness::stage::{Account, Fault, Stage, VIP, Whose, Wish};

use crate::{tell, turn};

/// Of each fault, with each kind of agents.
const TRIES: usize = 5;

/// Seconds between two monitors of the server.
const INTERVAL: u32 = 2;

const FAULTS: [Fault; 4] = [Fault::Server, Fault::Address, Fault::Standby, Fault::Power];

#[test]
#[ignore = "takes ten minutes: make cluster-test"]
fn no_fault_costs_more_than_with_the_shell_agents() {
    let Some(_turn) = turn(&["pcs", "nginx"]) else { return };
    let set = |whose| {
        Stage::set(Wish {
            whose,
            address_interval: INTERVAL,
            server_interval: INTERVAL,
            observer: true,
            watch: false,
        })
    };
    let mut stages = [set(Whose::Native), set(Whose::Shell)];
    let mut accounts: Vec<Account> = Vec::new();
    // The first time is for the caches.
    for round in 0..=TRIES {
        for fault in FAULTS {
            for stage in &mut stages {
                let account = stage.inflict(fault);
                stage.heal(&account);
                tell(&account.to_string());
                if round > 0 {
                    accounts.push(account);
                }
            }
        }
    }
    stages.into_iter().for_each(Stage::strike);
    tell(&table(&accounts));
    let mut values = Vec::new();
    for fault in FAULTS {
        for (whose, series) in [(Whose::Native, "native"), (Whose::Shell, "shell")] {
            values.push((named(fault), series, middle(down(&of(&accounts, fault, whose))) / 1e3));
        }
    }
    DOWNTIME.record(&machine(), &values);
    let verdicts: Vec<String> =
        FAULTS.into_iter().flat_map(|fault| goals(&accounts, fault)).collect();
    assert!(verdicts.is_empty(), "{}", verdicts.join("\n"));
}

/// What people call a fault.
pub fn named(fault: Fault) -> &'static str {
    match fault {
        Fault::Server => "nginx killed",
        Fault::Address => "address deleted",
        Fault::Standby => "planned move",
        Fault::Power => "power cut",
        _ => "another fault",
    }
}

/// The accounts of one line of the table.
fn of(accounts: &[Account], fault: Fault, whose: Whose) -> Vec<&Account> {
    accounts.iter().filter(|it| it.fault == fault && it.whose == whose).collect()
}

/// What is not there is no number.
fn middle(values: Vec<f64>) -> f64 {
    median(values).unwrap_or(f64::NAN)
}

fn down(accounts: &[&Account]) -> Vec<f64> {
    accounts.iter().map(|it| ms(it.outage.longest_gap)).collect()
}

/// What the agents make of it: from the address's appearance to the first page.
fn table(accounts: &[Account]) -> String {
    let mut text = format!(
        "\n{:<16} {:<7} {:>8} {:>8} {:>7} {:>9} {:>9} {:>7} {:>7} {:>7} {:>6}\n",
        "fault",
        "agents",
        "down ms",
        "most",
        "failed",
        "announced",
        "page ms",
        "start",
        "stop",
        "cpu ms",
        "procs"
    );
    for fault in FAULTS {
        for whose in [Whose::Native, Whose::Shell] {
            let all = of(accounts, fault, whose);
            let of = |value: &dyn Fn(&Account) -> Option<f64>| {
                middle(all.iter().filter_map(|it| value(it)).collect())
            };
            text.push_str(&format!(
                "{:<16} {:<7} {:>8.0} {:>8.0} {:>7.0} {:>9.1} {:>9.1} {:>7.0} {:>7.0} {:>7.0} \
                 {:>6.0}\n",
                fault.to_string(),
                whose.to_string(),
                middle(down(&all)),
                largest(&down(&all)).unwrap_or(f64::NAN),
                of(&|it| Some(it.outage.lost as f64)),
                of(&|it| it.announced.map(ms)),
                of(&|it| it.page.map(ms)),
                of(&|it| Some(ms(it.wall("start")))),
                of(&|it| Some(ms(it.wall("stop")))),
                of(&|it| Some(ms(it.cpu))),
                of(&|it| Some(it.processes as f64)),
            ));
        }
    }
    text.push_str(
        "down: longest time between two good pages, one being requested every 20 ms; announced, \
         page: after the address came;\n\
         start, stop: Pacemaker's own record, summed over both resources; cpu: of all actions; \
         procs: started on both nodes\n",
    );
    text
}

/// The goals that were missed.
fn goals(accounts: &[Account], fault: Fault) -> Vec<String> {
    let (ours, theirs) = (of(accounts, fault, Whose::Native), of(accounts, fault, Whose::Shell));
    let (down_ours, down_theirs) = (middle(down(&ours)), middle(down(&theirs)));
    let mut missed = Vec::new();
    let mut goal = |reached: bool, what: String| {
        if !reached {
            missed.push(format!("{fault}: {what}: {down_ours:.0} ms, shell {down_theirs:.0} ms"));
        }
    };
    match fault {
        // It is the phase of the monitor that decides.
        Fault::Server | Fault::Address => {
            let limit = f64::from(INTERVAL) * 1e3 + 300.0;
            goal(
                down_ours <= limit,
                format!("the service is back within the monitor's interval and 0.3 s ({limit} ms)"),
            );
        }
        Fault::Standby => {
            goal(down_ours <= down_theirs / 2.0, "a move takes half of the time".into())
        }
        // Corosync's part is the same, and comes in steps of a second.
        _ => goal(down_ours <= down_theirs + 1000.0, "not slower".into()),
    }
    let cost = |all: &[&Account]| middle(all.iter().map(|it| ms(it.cpu)).collect());
    goal(cost(&ours) <= cost(&theirs), "the actions' processor time is not more".into());
    missed
}

/// A client that has connected and says nothing, as browsers do in advance.
#[test]
#[ignore = "takes two minutes: make cluster-test"]
fn a_silent_client_does_not_hold_up_a_planned_move() {
    let Some(_turn) = turn(&["pcs", "nginx"]) else { return };
    let gaps = [Whose::Native, Whose::Shell].map(|whose| {
        let mut stage = Stage::set(Wish {
            whose,
            address_interval: 10,
            server_interval: 10,
            observer: true,
            watch: false,
        });
        let site: std::net::SocketAddr = format!("{VIP}:80").parse().expect("an address");
        let silent = stage
            .cluster
            .client
            .in_network(|| std::net::TcpStream::connect(site))
            .expect("a connection");
        let account = stage.inflict(Fault::Standby);
        tell(&format!("with a silent client: {account}"));
        drop(silent);
        assert!(account.failures.is_empty(), "{account}");
        stage.strike();
        account.outage.longest_gap
    });
    // nginx itself would wait a minute for a first word.
    assert!(gaps[0] <= gaps[1], "native, shell: {gaps:?}");
}
