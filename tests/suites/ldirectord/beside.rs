//! The same faults with our agents and with the shell agents, in one run: a pair of directors with
//! each, one after the other, for a monitor of the shell agent takes seconds of the only processor.

use std::time::Duration;

use harness::figures::{largest, median, ms};
use harness::stage::Whose;
use harness::tell::tell;

use crate::pair::{Account, Fault, Pair, with_pairs};

/// Of each fault, with each kind of agents; five in a slow run.
const TRIES: u32 = 3;

#[test]
#[ignore = "half an hour in a kernel of its own: make test-slow"]
fn no_fault_of_a_director_costs_more_than_with_the_shell_agents() {
    let tries = if std::env::var_os("OCF_SLOW").is_some() { 5 } else { TRIES };
    with_pairs(Duration::from_secs(600) + tries * Duration::from_secs(1500), || {
        let mut accounts: Vec<Account> = Vec::new();
        for whose in [Whose::Native, Whose::Shell] {
            let mut pair = Pair::set(whose);
            for _ in 0..tries {
                for fault in Fault::ALL {
                    let account = pair.inflict(fault);
                    tell(&account.to_string());
                    pair.heal(&account);
                    accounts.push(account);
                }
            }
            pair.strike();
        }
        tell(&table(&accounts));
        let missed: Vec<String> =
            Fault::ALL.into_iter().flat_map(|fault| missed(&accounts, fault)).collect();
        assert!(missed.is_empty(), "{}", missed.join("\n"));
    });
}

/// The accounts of one line of the table.
fn of(accounts: &[Account], fault: Fault, whose: Whose) -> Vec<&Account> {
    accounts.iter().filter(|it| it.fault == fault && it.whose == whose).collect()
}

fn values(accounts: &[&Account], value: impl Fn(&Account) -> Option<Duration>) -> Vec<f64> {
    accounts.iter().filter_map(|it| value(it)).map(ms).collect()
}

fn down(account: &Account) -> Option<Duration> {
    Some(account.seen.outage.longest_gap)
}

fn table(accounts: &[Account]) -> String {
    let mut text = format!(
        "\n{:<14} {:<7} {:>5} {:>8} {:>8} {:>7} {:>9} {:>8} {:>7} {:>7} {:>7}\n",
        "fault",
        "agents",
        "tries",
        "down ms",
        "most",
        "failed",
        "announced",
        "whole ms",
        "start",
        "stop",
        "cpu ms"
    );
    for fault in Fault::ALL {
        for whose in [Whose::Native, Whose::Shell] {
            let all = of(accounts, fault, whose);
            let middle = |value: &dyn Fn(&Account) -> Option<Duration>| median(values(&all, value));
            let lost = median(all.iter().map(|it| it.seen.outage.lost as f64).collect());
            let number =
                |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.0}"));
            text.push_str(&format!(
                "{:<14} {:<7} {:>5} {:>8} {:>8} {:>7} {:>9} {:>8} {:>7} {:>7} {:>7}\n",
                fault.to_string(),
                whose.to_string(),
                all.len(),
                number(middle(&down)),
                number(largest(&values(&all, down))),
                number(lost),
                number(middle(&|it| it.seen.announced.first().copied())),
                number(middle(&|it| Some(it.whole))),
                number(middle(&|it| it.wall("start"))),
                number(middle(&|it| it.wall("stop"))),
                number(middle(&|it| Some(it.cpu))),
            ));
        }
    }
    text.push_str(
        "down: longest time between two pages of real servers, one being requested every 100 ms; \
         announced: first time, after the fault;\nwhole: until a living daemon had both real \
         servers in the table; start, stop: Pacemaker's own record, which keeps the last of \
         both\non a node, summed over the three resources; cpu: of all actions. Medians, in a \
         kernel of its own, where a process costs many times what it\ncosts elsewhere.\n",
    );
    text
}

/// The goals that were missed.
fn missed(accounts: &[Account], fault: Fault) -> Vec<String> {
    let (ours, theirs) = (of(accounts, fault, Whose::Native), of(accounts, fault, Whose::Shell));
    let middle = |all: &[&Account], value: &dyn Fn(&Account) -> Option<Duration>| {
        median(values(all, value)).unwrap_or(f64::NAN)
    };
    let mut missed = Vec::new();
    let mut goal =
        |what: &str, factor: f64, more: f64, value: &dyn Fn(&Account) -> Option<Duration>| {
            let (ours, theirs) = (middle(&ours, value), middle(&theirs, value));
            let reached = ours <= theirs * factor + more;
            if !reached {
                missed.push(format!("{fault}: {what}: {ours:.0} ms, shell {theirs:.0} ms"));
            }
        };
    match fault {
        // The kernel directs on. The shell agent's stop leaves the services in its table, and no
        // client notices; ours leaves nothing, and clients wait from there until the start has put
        // them back (`failover` asserts how long).
        Fault::Daemon => {
            goal("directing and watched again not later", 1.0, 0.0, &|it| Some(it.whole))
        }
        Fault::Standby => goal("a move takes half of the time", 0.5, 0.0, &down),
        // Corosync's part is the same, and comes in steps of a second.
        Fault::Power => goal("not slower", 1.0, 1000.0, &down),
    }
    goal("the actions' processor time is not more", 1.0, 0.0, &|it| Some(it.cpu));
    missed
}

#[test]
fn a_slower_agent_is_told_by_table_and_goals() {
    let account = |whose, fault, seconds| {
        let time = Duration::from_secs(seconds);
        let outage = harness::probe::Outage { sent: 9, lost: 3, longest_gap: time };
        let seen = harness::onlooker::Seen { outage, announced: vec![time] };
        let (actions, failures, view) = (Vec::new(), Vec::new(), String::new());
        Account {
            whose,
            fault,
            from: 1,
            to: 2,
            seen,
            whole: time,
            actions,
            failures,
            cpu: time,
            view,
        }
    };
    let of = |ours, theirs| -> Vec<Account> {
        let both =
            |fault| [account(Whose::Native, fault, ours), account(Whose::Shell, fault, theirs)];
        Fault::ALL.into_iter().flat_map(both).collect()
    };
    let all = |accounts: &[Account]| {
        Fault::ALL.into_iter().flat_map(|fault| missed(accounts, fault)).count()
    };
    assert_eq!((all(&of(1, 3)), all(&of(3, 1))), (0, 6));
    let text = table(&of(1, 3));
    let cells = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let row =
        text.lines().find(|line| line.starts_with("planned move   shell")).unwrap_or_default();
    assert_eq!(
        cells(row),
        ["planned", "move", "shell", "1", "3000", "3000", "3", "3000", "3000", "-", "-", "3000"]
    );
}
