//! Start and stop: how soon the neighbours know, and how long Pacemaker waits.

use std::time::{Duration, SystemTime};

use harness::capture::Capture;
use harness::host::Host;
use harness::rig::{L2, VIP4, VIP6};
use harness::watch::{AddressWatch, Change};

use crate::Bench;
use crate::agents::{Resource, Who};
use crate::report::{Row, Section, Unit};
use crate::spawn::{self, largest, median};

/// How long an announcement may take before it counts as never sent.
const PATIENCE: Duration = Duration::from_secs(5);
/// `IFA_F_TENTATIVE`: duplicate address detection is not over.
const TENTATIVE: u8 = 0x40;

/// What is measured of each start.
#[derive(Default)]
struct Rounds {
    start: Vec<f64>,
    /// Right after the start, while announcements go on in the background.
    stop_early: Vec<f64>,
    /// When they are over.
    stop: Vec<f64>,
    /// From the address to its first announcement at the neighbour.
    heard: Vec<f64>,
    /// From the kernel's verdict on the address to the end of the start.
    after_verdict: Vec<f64>,
    unheard: usize,
}

/// Three kinds of start.
pub fn run(bench: &mut Bench) -> Result<(), String> {
    kind(bench, "Start and stop, IPv4", Resource::new(VIP4, 24), (30, 10))?;
    kind(
        bench,
        "Start and stop, IPv6, nodad=true",
        Resource::new(VIP6, 64).param("nodad", "true"),
        (30, 10),
    )?;
    kind(
        bench,
        "Start and stop, IPv6, with duplicate address detection",
        Resource::new(VIP6, 64),
        (10, 5),
    )
}

fn kind(
    bench: &mut Bench,
    title: &str,
    resource: Resource,
    (own, shells): (usize, usize),
) -> Result<(), String> {
    let mut starts = Row::new("start, wall time, median", Unit::Time);
    let mut longest = Row::new("start, wall time, longest", Unit::Time);
    let mut stops = Row::new("stop, wall time, median", Unit::Time);
    let mut early = Row::new("stop while still announcing, wall time, median", Unit::Time);
    let mut heard = Row::new("address there to first announcement heard, median", Unit::Time);
    let mut latest = Row::new("address there to first announcement heard, longest", Unit::Time);
    let mut after = Row::new("end of start after the kernel's verdict, median", Unit::Time);
    let mut note = Vec::new();
    for (who, rounds) in [(Who::Ours, own), (Who::Shell, shells)] {
        if who.path().is_none() {
            continue;
        }
        let rounds = bench.rounds(rounds, 2);
        bench.say(&format!("{title}: {who:?}, {rounds} times"));
        let found = match starts_and_stops(bench, &resource, who, rounds) {
            Ok(found) => found,
            Err(why) if who == Who::Shell => {
                bench.not_measured(&format!("{title}: {why}"));
                continue;
            }
            Err(why) => return Err(why),
        };
        longest.set(who, largest(&found.start));
        starts.set(who, median(found.start));
        stops.set(who, median(found.stop));
        early.set(who, median(found.stop_early));
        latest.set(who, largest(&found.heard));
        heard.set(who, median(found.heard));
        after.set(who, median(found.after_verdict));
        note.push(format!(
            "{rounds} {}",
            if who == Who::Ours { "of ours" } else { "of the shell's" }
        ));
        if found.unheard > 0 {
            note.push(format!("{} of them never announced", found.unheard));
        }
    }
    let heard = heard.compare(Who::Shell, None).note(&note.join(", "));
    let mut rows = vec![heard, latest, starts.compare(Who::Shell, None), longest];
    rows.extend([stops.compare(Who::Shell, None), early.compare(Who::Shell, None)]);
    if after.get(Who::Ours).is_some() {
        rows.push(after);
    }
    bench.add(Section { name: "start", title: title.to_owned(), rows });
    Ok(())
}

fn starts_and_stops(
    bench: &Bench,
    resource: &Resource,
    who: Who,
    rounds: usize,
) -> Result<Rounds, String> {
    let rig = L2::new();
    bench.prepare(&rig.a);
    let action = |action: &str| resource.action(who, &rig.a, action).ok_or("not installed");
    let mut found = Rounds::default();
    for round in 0..rounds {
        let mut capture: Capture = rig.listen();
        let watch = watch(&rig.a);
        let start = spawn::once(&rig.a, action("start")?)?;
        let there = watch.added(resource.ip());
        let announced = |heard: &[harness::capture::Heard]| {
            let ip = resource.ip().parse().ok();
            heard
                .iter()
                .any(|heard| ip.is_some_and(|ip| harness::capture::announces(&heard.frame, ip)))
        };
        capture.wait_until(PATIENCE, announced);
        match capture.announcements(resource.ip()).first() {
            Some(first) => found.heard.push(between(there, first.at)),
            None => found.unheard += 1,
        }
        if let Some(verdict) = verdict(&watch.changes(), resource.ip()) {
            found.after_verdict.push(between(verdict, start.ended));
        }
        found.start.push(start.wall);
        // A cluster stops what has run for long; but one that changes its mind stops what has just
        // been started.
        let is_early = round % 3 != 1;
        if !is_early {
            bench.settle();
        }
        let stop = spawn::once(&rig.a, action("stop")?)?.wall;
        if is_early { &mut found.stop_early } else { &mut found.stop }.push(stop);
        rig.a.expect_absent(resource.ip());
    }
    Ok(found)
}

/// A listener that runs before everything else, where this user may demand that: the program under
/// test may announce within microseconds, and a listener that is woken later than the wire gives
/// times below zero.
fn watch(host: &Host) -> AddressWatch {
    let schedule = |policy, priority| {
        let parameters = libc::sched_param { sched_priority: priority };
        // SAFETY: a plain call about this thread, whose parameters live through it. A refusal is
        // none of our concern.
        unsafe { libc::sched_setscheduler(0, policy, &parameters) };
    };
    // The listener's thread inherits it.
    schedule(libc::SCHED_FIFO, 1);
    let watch = AddressWatch::on(host);
    schedule(libc::SCHED_OTHER, 0);
    watch
}

/// When duplicate address detection of an address ended; nothing when there was none.
fn verdict(changes: &[Change], ip: &str) -> Option<SystemTime> {
    let of_it = || changes.iter().filter(|change| change.added && change.address.to_string() == ip);
    let tentative = of_it().position(|change| change.flags & TENTATIVE != 0)?;
    of_it().skip(tentative).find(|change| change.flags & TENTATIVE == 0).map(|change| change.at)
}

/// Nanoseconds; below zero when the second came first.
fn between(first: SystemTime, second: SystemTime) -> f64 {
    match second.duration_since(first) {
        Ok(later) => later.as_nanos() as f64,
        Err(earlier) => -(earlier.duration().as_nanos() as f64),
    }
}
