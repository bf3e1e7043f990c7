//! `ocf-demo`: watch a virtual address move between two machines, from a client's side.
//!
//! Everything happens on simulated machines that have no way out; nothing of the machine it runs on is touched.
#![allow(
    clippy::disallowed_methods,
    reason = "the harness is the caller: it owns the environment, waits and processes of what it tests"
)]

use std::io::{self, IsTerminal as _, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use harness::call::is_there;
use harness::cluster::installed;
use harness::demo::{Move, SHELL_AGENTS, Stage, Whose};

const USAGE: &str = "\
Usage: ocf-demo [--quick] [--compare] [--moves N] [--json]

Two machines and a client, simulated with kernel namespaces. A virtual IPv4 and a
virtual IPv6 address move from machine to machine: the IPaddr2 agent stops them
here and starts them there. The client pings both every 10 ms and shows what it
noticed.

  --quick    two moves only
  --compare  the same with the shell agent ocf:heartbeat:IPaddr2, when installed
  --moves N  so many moves (6; with --compare 2 of each agent)
  --json     for machines: one object, no table
";

const NEEDS: &str = "\
The demo needs:
  * root, or a kernel that lets users make user namespaces
    (sysctl kernel.unprivileged_userns_clone=1, or user.max_user_namespaces above 0);
  * network devices of the types veth and bridge in the kernel;
  * the command `ip` (package iproute2);
  * the built agents: cargo build --workspace.
";

/// Between two moves: what the agent still announces, and time to read.
const PAUSE: Duration = Duration::from_millis(1100);

struct Wish {
    moves: usize,
    compare: bool,
    json: bool,
}

fn main() -> ExitCode {
    let wish = match wish(std::env::args().skip(1)) {
        Ok(Some(wish)) => wish,
        Ok(None) => return say(&mut io::stdout(), USAGE, ExitCode::SUCCESS),
        Err(why) => return say(&mut io::stderr(), &format!("ocf-demo: {why}\n\n{USAGE}"), ExitCode::from(2)),
    };
    if let Some(why) = obstacle() {
        return say(&mut io::stderr(), &format!("The demo cannot run here: {why}.\n\n{NEEDS}"), ExitCode::from(2));
    }
    // The harness panics when the kernel refuses something: that is said in plain words too.
    std::panic::set_hook(Box::new(|panic| {
        let text = panic.payload().downcast_ref::<String>().map(String::as_str);
        let what = text.or(panic.payload().downcast_ref::<&str>().copied()).unwrap_or("for an unknown reason");
        let _ = writeln!(io::stderr(), "The demo cannot go on: {what}\n\n{NEEDS}");
    }));
    match std::panic::catch_unwind(|| perform(&wish)) {
        Ok(Ok(code)) => code,
        // Nobody reads any more.
        Ok(Err(_)) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(2),
    }
}

fn say(out: &mut impl Write, text: &str, code: ExitCode) -> ExitCode {
    let _ = out.write_all(text.as_bytes());
    code
}

fn wish(mut words: impl Iterator<Item = String>) -> Result<Option<Wish>, String> {
    let (mut moves, mut wish) = (None, Wish { moves: 6, compare: false, json: false });
    while let Some(word) = words.next() {
        match word.as_str() {
            "--quick" => moves = Some(2),
            "--compare" => wish.compare = true,
            "--json" => wish.json = true,
            "--moves" => {
                let number =
                    words.next().and_then(|number| number.parse().ok()).filter(|number| (1..=99).contains(number));
                moves = Some(number.ok_or("--moves needs a number from 1 to 99")?);
            }
            "--help" | "-h" => return Ok(None),
            other => return Err(format!("unknown option {other}")),
        }
    }
    wish.moves = moves.unwrap_or(if wish.compare { 2 } else { 6 });
    Ok(Some(wish))
}

/// Why it cannot run, if so.
fn obstacle() -> Option<String> {
    if let Err(why) = harness::root::available() {
        return Some(why);
    }
    if !installed("ip") {
        return Some("the command `ip` is not installed".into());
    }
    let absent = ["IPaddr2", "ocf-test-init"].into_iter().find(|program| !is_there(program));
    absent.map(|program| format!("{program} is not built"))
}

/// The programme. An error is one of writing.
fn perform(wish: &Wish) -> io::Result<ExitCode> {
    let mut out =
        Paper { out: io::stdout(), colour: io::stdout().is_terminal(), silent: wish.json, began: Instant::now() };
    let mut moves = Vec::new();
    let mut faults = Vec::new();
    let shell = format!("{SHELL_AGENTS}/IPaddr2");
    let mut agents = vec![Whose::Native];
    match (wish.compare, std::path::Path::new(&shell).is_file()) {
        (true, true) => agents.push(Whose::Shell),
        (true, false) => out.line(&format!("No comparison: {shell} is not installed (package resource-agents)."))?,
        _ => {}
    }
    out.line(
        "Two machines, node1 and node2, and a client on one switch. The client pings both addresses every 10 ms;",
    )?;
    out.line("each `!` below is an answer, each `.` none. No machine here has a way out to your network.")?;
    for whose in agents {
        out.line("")?;
        out.line(&out.bold(&format!("The {whose} agent")))?;
        match Stage::set(whose) {
            Ok(mut stage) => {
                out.line("both addresses are on node1 and answer the client")?;
                for number in 1..=wish.moves {
                    wait(PAUSE);
                    stage.swap(|it| {
                        let told = out.told(number, &it);
                        moves.push(it);
                        told
                    })?;
                }
            }
            Err(why) => {
                out.line(&out.bad(&why))?;
                faults.push(format!("{whose}: {why}"));
            }
        }
    }
    faults.extend(
        moves.iter().filter_map(|it| it.failure.as_ref().map(|why| format!("{} {}: {why}", it.whose, it.address))),
    );
    if wish.json {
        let all: Vec<_> = moves.iter().map(Move::json).collect();
        writeln!(out.out, "{:#}", serde_json::json!({ "moves": all, "failures": faults }))?;
    } else {
        table(&mut out, &moves)?;
    }
    out.out.flush()?;
    Ok(if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn wait(time: Duration) {
    std::thread::sleep(time);
}

fn table(out: &mut Paper, moves: &[Move]) -> io::Result<()> {
    out.line("")?;
    let head = format!(
        "{:<7} {:<14} {:<6} {:>9} {:>9} {:>10} {:>10} {:>10} {:>6}",
        "agent", "address", "move", "stop", "start", "announced", "followed", "longest", "lost"
    );
    out.line(&out.bold(&head))?;
    let time = |time: Option<Duration>| time.map_or("never".to_owned(), ms);
    for it in moves {
        out.line(&format!(
            "{:<7} {:<14} {:<6} {:>9} {:>9} {:>10} {:>10} {:>10} {:>6}",
            it.whose.to_string(),
            it.address.to_string(),
            format!("{} {}>{}", it.number, it.from, it.to),
            ms(it.stop),
            ms(it.start),
            time(it.announced),
            time(it.followed),
            ms(it.outage.longest_gap),
            it.outage.lost,
        ))?;
    }
    out.line("")?;
    for line in [
        "stop, start  how long the agent took on the old and on the new machine",
        "announced    from the call of start on the new machine until the client hears of it",
        "followed     from the same call until the client's neighbour cache names the new machine",
        "longest      longest time between two answers, pings being 10 ms apart; lost: pings without an answer",
        "IPv6: native has dad=optimistic and serves while the kernel looks for a second owner; without, start waits 1 to 2 s.",
    ] {
        out.line(line)?;
    }
    Ok(())
}

fn ms(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1e3;
    if ms < 10.0 { format!("{ms:.1} ms") } else { format!("{ms:.0} ms") }
}

/// Where it is told.
struct Paper {
    out: io::Stdout,
    colour: bool,
    silent: bool,
    began: Instant,
}

impl Paper {
    fn line(&mut self, text: &str) -> io::Result<()> {
        if self.silent { Ok(()) } else { writeln!(self.out, "{text}") }
    }

    fn told(&mut self, number: usize, it: &Move) -> io::Result<()> {
        let at = self.began.elapsed().as_secs_f64();
        let family = if it.address.is_ipv6() { "IPv6" } else { "IPv4" };
        let mac = it.client_has.map_or("nothing".to_owned(), |mac| mac.to_string());
        let verdict = match &it.failure {
            None => self.good(&format!("client now has {mac}")),
            Some(why) => self.bad(why),
        };
        self.line(&format!("{at:6.2} s  {number}. {family} node{} > node{}  {verdict}  {}", it.from, it.to, it.strip))
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn bold(&self, text: &str) -> String {
        self.paint("1", text)
    }

    fn good(&self, text: &str) -> String {
        self.paint("32", text)
    }

    fn bad(&self, text: &str) -> String {
        self.paint("31", text)
    }
}
