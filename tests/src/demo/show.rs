//! The programme: a line each second of who is there and who serves, the events between them, a
//! table at the end.

use std::io::{self, Write};
use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use harness::Cluster;
use harness::stage::{Account, Eyes, Fault, Power, Stage, VIP, Whose, Wish};
use harness::visitor::Request;

/// Time to look, before each fault.
const PAUSE: Duration = Duration::from_secs(3);

/// Between two looks.
const TICK: Duration = Duration::from_millis(200);

/// So many requests in each character, and the characters of a second and a little more.
const EACH: usize = 2;
const STRIP: usize = 26;

/// Runs it. An error is one of writing.
pub fn run(
    whose: Whose,
    watch: bool,
    faults: &[Fault],
    directory: &Path,
    colour: bool,
) -> io::Result<()> {
    let paper = Paper { colour };
    for line in [
        "Three nodes, simulated on this machine, with Corosync and Pacemaker; they have no way out \
         to your network.",
        "A client asks http://192.168.100.200/ every 20 ms. Each line is a second: where the \
         address (IP) and the server",
        "(WEB) are, the requests in their order (# served, x failed), and how many.",
    ] {
        paper.line(line)?;
    }
    paper.line(&format!(
        "Files: {}. The cluster forms, and gets its resources: some ten seconds ...",
        directory.display()
    ))?;
    let mut stage = Stage::set_on(
        Wish { whose, watch, ..Wish::default() },
        Cluster::builder(3).disks_in(directory),
    );
    let provider = whose.provider();
    paper.line(&format!(
        "ocf:{provider}:IPaddr2 and ocf:{provider}:nginx run on {}, {}.",
        stage.owner(),
        if watch { "with monitors that wait for events" } else { "monitored every 2 s" }
    ))?;
    let mut accounts = Vec::new();
    let teller = Teller::of(&stage.eyes, colour);
    for fault in faults {
        std::thread::sleep(PAUSE);
        let account = stage.inflict(*fault);
        std::thread::sleep(PAUSE);
        stage.heal(&account);
        accounts.push(account);
    }
    std::thread::sleep(PAUSE);
    drop(teller);
    stage.strike();
    table(&paper, &accounts)
}

fn table(paper: &Paper, accounts: &[Account]) -> io::Result<()> {
    paper.line("")?;
    paper.line(&paper.paint(
        "1",
        &format!(
            "{:<16} {:<14} {:>8} {:>7} {:>9} {:>9} {:>8} {:>7} {:>7}",
            "fault", "served by", "down", "failed", "announced", "page", "agents", "start", "stop"
        ),
    ))?;
    let ms = |time: Duration| format!("{:.0} ms", time.as_secs_f64() * 1e3);
    let or = |time: Option<Duration>| {
        time.map_or("-".to_owned(), |it| format!("{:.1} ms", it.as_secs_f64() * 1e3))
    };
    for it in accounts {
        paper.line(&format!(
            "{:<16} {:<14} {:>8} {:>7} {:>9} {:>9} {:>8} {:>7} {:>7}",
            it.fault.to_string(),
            format!("{} > {}", it.from, it.to),
            ms(it.outage.longest_gap),
            it.outage.lost,
            or(it.announced),
            or(it.page),
            ms(it.cpu),
            ms(it.wall("start")),
            ms(it.wall("stop")),
        ))?;
    }
    paper.line("")?;
    for line in [
        "down             longest time between two good pages: the monitor's 2 s, or Corosync's \
         time-out, are in it",
        "announced, page  after the address came to its node",
        "agents           processor time of all actions; start, stop: what they took, by \
         Pacemaker's record",
    ] {
        paper.line(line)?;
    }
    Ok(())
}

/// Where it is printed.
#[derive(Clone, Copy)]
struct Paper {
    colour: bool,
}

impl Paper {
    fn line(self, text: &str) -> io::Result<()> {
        writeln!(io::stdout(), "{text}")
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Prints what the eyes see, on a thread of its own, until it is dropped.
struct Teller {
    over: Arc<AtomicBool>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
}

impl Teller {
    fn of(eyes: &Arc<Eyes>, colour: bool) -> Teller {
        let over = Arc::new(AtomicBool::new(false));
        let (eyes, flag) = (Arc::clone(eyes), Arc::clone(&over));
        let thread = std::thread::spawn(move || {
            // Nothing reads any more: the programme goes on to its end, and says so there.
            let _ = tell(&eyes, &flag, Paper { colour });
        });
        Teller { over, thread: Mutex::new(Some(thread)) }
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = thread.join();
        }
    }
}

fn tell(eyes: &Eyes, over: &AtomicBool, paper: Paper) -> io::Result<()> {
    let address: IpAddr = VIP.parse().map_err(io::Error::other)?;
    let began = SystemTime::now();
    let second = Duration::from_secs(1);
    let mut from = began;
    let mut number = 0_u32;
    while !over.load(Ordering::Relaxed) {
        std::thread::sleep(TICK);
        // What is printed is a second old, so that all its requests are over.
        if SystemTime::now() < from + second * 2 {
            continue;
        }
        let to = from + second;
        for (at, what) in eyes.events(address, from).into_iter().filter(|(at, _)| *at <= to) {
            let when = at.duration_since(began).unwrap_or_default().as_secs_f64();
            paper.line(&format!("{when:6.2} s  * {}", paper.paint("1", &what)))?;
        }
        let requests: Vec<Request> =
            eyes.visitor.since(from).into_iter().filter(|it| it.sent <= to).collect();
        let (good, bad) = count(&requests);
        let strip = paper.paint(if bad > 0 { "31" } else { "32" }, &strip(&requests));
        let failed = if bad > 0 { format!(" {bad:>2} FAILED") } else { String::new() };
        paper.line(&format!(
            "{number:>4} s    {}{strip} {good:>3} served{failed}",
            nodes(eyes, address, to, &requests)
        ))?;
        (from, number) = (to, number + 1);
    }
    Ok(())
}

/// Who is there, and who had what at a moment.
fn nodes(eyes: &Eyes, address: IpAddr, moment: SystemTime, requests: &[Request]) -> String {
    let has = eyes.has(address, moment);
    let mut text = String::new();
    for (index, power) in eyes.power().into_iter().enumerate() {
        let name = format!("node{}", index + 1);
        let serves =
            requests.iter().rev().find(|it| it.said.is_ok()).is_some_and(|it| it.shows(&name));
        let state = match power {
            Power::Up => "",
            Power::Off => "OFF ",
            Power::Alone => "CUT OFF ",
            Power::Standby => "standby ",
        };
        let ip = if has.get(index) == Some(&true) { "IP " } else { "" };
        let web = if serves { "WEB" } else { "" };
        text.push_str(&format!("{name} {:<15}", format!("{state}{ip}{web}")));
    }
    text
}

fn count(requests: &[Request]) -> (usize, usize) {
    let over = || requests.iter().filter(|it| it.ended.is_some());
    (over().filter(|it| it.said.is_ok()).count(), over().filter(|it| it.said.is_err()).count())
}

/// One character for some requests that followed each other: `#` when all were served, `x` when one
/// was not.
fn strip(requests: &[Request]) -> String {
    let mark = |some: &[Request]| if some.iter().all(|it| it.said.is_ok()) { '#' } else { 'x' };
    let strip: String = requests.chunks(EACH).map(mark).collect();
    format!("{strip:<STRIP$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_marked_where_they_were() {
        let request = |good: bool| Request {
            sent: SystemTime::now(),
            ended: Some(SystemTime::now()),
            said: if good { Ok("node1".into()) } else { Err(harness::visitor::NO_ANSWER.into()) },
        };
        let requests: Vec<Request> =
            (0..50).map(|number| request(!(10..14).contains(&number))).collect();
        assert_eq!(strip(&requests), "#####xx################## ");
        assert_eq!(count(&requests), (46, 4));
    }
}
