//! Many addresses on the device: the cost of a healthy monitor, and its answers while addresses
//! come and go.

use std::fmt::Write as _;
use std::time::Duration;

use harness::enter::Entry;
use harness::host::Host;
use harness::process::{self, Victim};
use harness::rig::{L2, VIP4, VIP6};

use crate::Bench;
use crate::agents::{NIC, Program, Resource, Who};
use crate::count::Counter;
use crate::report::{Row, Section, Unit};
use crate::spawn::{self, Order, median};

/// How many addresses, and how much dearer than with one address ours may become.
const CROWDS: [(usize, f64); 2] = [(1_000, 1.2), (10_000, 2.0)];

/// How long the kernel may take to take them all.
const ADDING: Duration = Duration::from_secs(300);

/// Cost of both families, then the answers.
pub fn run(bench: &mut Bench) -> Result<(), String> {
    cost(bench, "IPv4", &Resource::new(VIP4, 24))?;
    cost(bench, "IPv6", &Resource::new(VIP6, 64).param("nodad", "true"))?;
    churn(bench)
}

/// One measurement of each agent's monitor.
struct Cost {
    who: Who,
    instructions: Option<f64>,
    wall: Option<f64>,
}

fn cost(bench: &mut Bench, family: &str, resource: &Resource) -> Result<(), String> {
    let rig = L2::new();
    bench.prepare(&rig.a);
    bench.say(&format!("monitor with many addresses, {family}"));
    // The shell agent's monitor knows no record: it may look at an address that ours has started.
    let start = resource.action(Who::Ours, &rig.a, "start").ok_or("our agent is not there")?;
    spawn::once(&rig.a, start)?;
    bench.settle();
    let programs: Vec<Program> =
        Who::ALL.iter().filter_map(|who| resource.monitor(*who, &rig.a)).collect();
    let alone = measure(bench, &rig.a, &programs, 1)?;
    let mut rows = Vec::new();
    let mut there = 0;
    for (crowd, limit) in CROWDS {
        if bench.quick && crowd > 1_000 {
            bench.not_measured(&format!("{crowd} addresses (--quick)"));
            continue;
        }
        add(&rig.a, family, there..crowd)?;
        there = crowd;
        // The own address came first, so it would be found first: it is put behind the others.
        let action = |action: &str| {
            resource.action(Who::Ours, &rig.a, action).ok_or("our agent is not there")
        };
        spawn::once(&rig.a, action("stop")?)?;
        spawn::once(&rig.a, action("start")?)?;
        bench.settle();
        let found = measure(bench, &rig.a, &programs, crowd)?;
        let name = bench.counter(&rig.a, &programs[0]).map_or("instructions", Counter::name);
        let mut counts = Row::new(format!("{crowd} addresses: {name}"), Unit::Count);
        let mut more = Row::new(format!("{crowd} addresses: over one address"), Unit::Ratio);
        let mut walls = Row::new(format!("{crowd} addresses: wall time, median"), Unit::Time);
        let mut longer = Row::new(format!("{crowd} addresses: wall over one address"), Unit::Ratio);
        for (crowded, alone) in found.iter().zip(&alone) {
            let over = |now: Option<f64>, before: Option<f64>| Some(now? / before?);
            counts.set(crowded.who, crowded.instructions);
            more.set(crowded.who, over(crowded.instructions, alone.instructions));
            walls.set(crowded.who, crowded.wall);
            longer.set(crowded.who, over(crowded.wall, alone.wall));
        }
        rows.extend([counts, more.at_most(limit), walls.compare(Who::Shell, None), longer]);
    }
    bench.add(Section { name: "many", title: format!("Many addresses, {family}"), rows });
    Ok(())
}

fn measure(
    bench: &mut Bench,
    host: &Host,
    programs: &[Program],
    crowd: usize,
) -> Result<Vec<Cost>, String> {
    let turns = spawn::run(host, programs, Order::Turns(bench.rounds(40, 5)))?;
    let mut costs = Vec::new();
    for (number, program) in programs.iter().enumerate() {
        if turns.wrong(number, 0) > 0 {
            return Err(format!(
                "{:?}: a present address among {crowd} was not found",
                program.who
            ));
        }
        let instructions = match bench.counter(host, &programs[0]) {
            Some(Counter::Callgrind) if program.who == Who::Shell && bench.quick => None,
            Some(counter) => match counter.count(host, program) {
                Ok(count) => Some(count),
                Err(why) => {
                    bench
                        .not_measured(&format!("{:?} among {crowd} addresses: {why}", program.who));
                    None
                }
            },
            None => None,
        };
        costs.push(Cost {
            who: program.who,
            instructions,
            wall: median(turns.of(number, |run| run.wall)),
        });
    }
    Ok(costs)
}

/// Gives the device addresses of a network of their own.
fn add(host: &Host, family: &str, numbers: std::ops::Range<usize>) -> Result<(), String> {
    let mut batch = String::new();
    for number in numbers {
        let _ = match family {
            "IPv4" => writeln!(
                batch,
                "address add 10.200.{}.{}/16 dev {NIC}",
                number / 250,
                number % 250 + 1
            ),
            // One multicast group and no route for each: else the kernel needs a minute for ten
            // thousand.
            _ => writeln!(
                batch,
                "address add 2001:db8:a:0:{:x}::1/64 dev {NIC} nodad noprefixroute",
                number + 1
            ),
        };
    }
    let file =
        tempfile::NamedTempFile::new().map_err(|error| format!("temporary file: {error}"))?;
    std::fs::write(file.path(), batch).map_err(|error| format!("temporary file: {error}"))?;
    let (mut command, pid) = host.command_as("ip", Entry::default());
    command.arg("-batch").arg(file.path());
    let done = process::run(&mut command, pid, ADDING, Victim::Process)
        .map_err(|error| error.to_string())?;
    match done.code {
        Some(0) => Ok(()),
        code => Err(format!("ip -batch ended with {code:?}: {}", done.stderr.trim())),
    }
}

/// Answers while another address comes and goes as fast as `ip` can.
fn churn(bench: &mut Bench) -> Result<(), String> {
    let rounds = bench.rounds(5_000, 200);
    bench.say(&format!("{rounds} monitors among addresses that come and go"));
    let mut rows = Vec::new();
    for (family, present, absent) in [("IPv4", VIP4, "10.9.0.52"), ("IPv6", VIP6, "2001:db8:9::52")]
    {
        let rig = L2::new();
        let prefix = if family == "IPv4" { 24 } else { 64 };
        let resource = |ip: &str| Resource::new(ip, prefix);
        let resource = |ip: &str| {
            if family == "IPv4" { resource(ip) } else { resource(ip).param("nodad", "true") }
        };
        add(&rig.a, family, 0..1_000)?;
        let here = resource(present);
        spawn::once(
            &rig.a,
            here.action(Who::Ours, &rig.a, "start").ok_or("our agent is not there")?,
        )?;
        let comes_and_goes = match family {
            // Of another scope than the others, so that the kernel puts it before them: who lists
            // by position then misses one of them whenever it goes.
            "IPv4" => "10.201.0.1/32 dev ethA scope link",
            _ => "2001:db8:b::1/128 dev ethA nodad",
        };
        let loops =
            format!("address add {comes_and_goes}\naddress del {comes_and_goes}\n").repeat(1_000);
        let file =
            tempfile::NamedTempFile::new().map_err(|error| format!("temporary file: {error}"))?;
        std::fs::write(file.path(), loops).map_err(|error| format!("temporary file: {error}"))?;
        let script = format!("while :; do ip -force -batch {}; done", file.path().display());
        let mut churner = rig.a.spawn("/bin/sh", &["-c", &script]);
        // Each run of the third is another resource without a record: it has to find the address
        // among all.
        let monitors = [
            (format!("{family}: a present address, not 0"), 0, here.monitor(Who::Ours, &rig.a)),
            (
                format!("{family}: an absent address, not 7"),
                7,
                resource(absent).monitor(Who::Ours, &rig.a),
            ),
            (
                format!("{family}: a present address without a record, not 0"),
                0,
                here.clone().instance("unknown-{round}").monitor(Who::Ours, &rig.a),
            ),
        ];
        let lists = bench.rounds(500, 50);
        let changing = comes_and_goes.split(' ').next().unwrap_or_default();
        let gaps = lists_with_gaps(&rig.a, family, changing, lists)?;
        let mut control =
            format!("meanwhile {gaps} of {lists} plain lists lacked some address that was there");
        for (what, code, program) in monitors {
            let program = program.ok_or("our agent is not there")?;
            let found = spawn::run(&rig.a, &[program], Order::Turns(rounds))?;
            let wrong = found.wrong(0, code) as f64;
            let row = Row::new(format!("{what}, of {rounds}"), Unit::Count)
                .with(Who::Ours, wrong)
                .at_most(0.0);
            let row = row.note(&std::mem::take(&mut control));
            rows.push(match found.runs.iter().find(|run| run.code != code) {
                Some(run) => row.note(&format!("it was {}", run.code)),
                None => row,
            });
        }
        if !churner.is_alive() {
            return Err("the addresses stopped coming and going".into());
        }
    }
    bench.add(Section {
        name: "many",
        title: "Wrong answers among 1000, one more comes and goes".into(),
        rows,
    });
    Ok(())
}

/// How often a plain list does not show all addresses that stay: whether the changes are of the
/// kind that matters.
fn lists_with_gaps(
    host: &Host,
    family: &str,
    changing: &str,
    rounds: usize,
) -> Result<usize, String> {
    let version = if family == "IPv4" { "-4" } else { "-6" };
    // The device's own address, the resource's, the crowd; for IPv6 the link-local one too.
    let all = 1_002 + usize::from(family == "IPv6");
    let script = format!(
        "test $(ip -o {version} address show dev {NIC} | grep -cvF ' {changing} ') = {all}"
    );
    let list = Program {
        who: Who::Shell,
        path: "/bin/sh".into(),
        args: vec!["-c".into(), script],
        env: vec![("PATH".into(), harness::host::PATH.into())],
    };
    Ok(spawn::run(host, &[list], Order::Turns(rounds))?.wrong(0, 0))
}
