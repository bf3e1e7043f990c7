//! The parsers against texts that no HAProxy has said: real ones with bytes lost, doubled, changed and moved. The numbers are
//! the same in each run, so that what fails once fails again.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use ocf::testing::Numbers;

use super::{info, proc, stat};

/// What the grammars hang on.
const PIECES: &[&str] = &[
    "\n",
    "\n\n",
    ",",
    "\"",
    "\"\"",
    "#",
    "# workers\n",
    "# old workers\n",
    "#<PID>",
    "master",
    "[failed:",
    "]",
    ": ",
    "Name: HAProxy\n",
    "Pid: ",
    "# pxname,svname,",
    "type",
    "status",
    "-1",
    "4294967296",
    "0",
    "\0",
    "ü",
    "\r",
    "\u{fffd}",
];

fn mutate(text: &mut Vec<u8>, numbers: &mut Numbers) {
    for _ in 0..=numbers.below(8) {
        let at = numbers.below(text.len() + 1);
        let to = (at + numbers.below(40)).min(text.len());
        match numbers.below(6) {
            0 => drop(text.drain(at..to)),
            1 => {
                let part = text[at..to].to_vec();
                let place = numbers.below(text.len() + 1);
                text.splice(place..place, part);
            }
            2 if at < text.len() => text[at] = numbers.any() as u8,
            3 => text.truncate(at),
            _ => {
                let piece = PIECES[numbers.below(PIECES.len())];
                text.splice(at..at, piece.bytes());
            }
        }
    }
}

/// Reads a text in every way, and looks whether what is told can be.
fn read(text: &str) {
    if let Some(processes) = proc::parse(text) {
        assert!(processes.master > 0, "{text:?}");
        assert!(processes.workers.iter().chain(&processes.old).all(|pid| *pid > 0), "{text:?}");
    }
    if let Some(info) = info::parse(text) {
        assert!(info.pid > 0, "{text:?}");
    }
    if let Some(rows) = stat::parse(text) {
        assert!(rows.len() <= text.lines().count(), "{text:?}");
        let (closed, full) = stat::closed_and_full(&rows);
        assert!(closed.len() + full.len() <= rows.len(), "{text:?}");
        for (name, strength) in stat::backends(&rows) {
            assert!(strength.up <= strength.all && strength.all > 0, "{name}: {text:?}");
        }
    }
}

#[test]
fn no_text_makes_a_parser_panic_or_tell_what_cannot_be() {
    let seeds = [
        proc::tests::V2_2,
        proc::tests::V2_6,
        proc::tests::V3_2,
        info::tests::V2_6,
        stat::tests::V2_6,
        stat::tests::V3_2,
    ];
    let mut numbers = Numbers::new(0x9e37_79b9_7f4a_7c15);
    let mut understood = 0;
    for round in 0..30_000 {
        let mut text = seeds[round % seeds.len()].as_bytes().to_vec();
        if numbers.below(3) == 0 {
            text.extend_from_slice(seeds[numbers.below(seeds.len())].as_bytes());
        }
        mutate(&mut text, &mut numbers);
        let text = String::from_utf8_lossy(&text);
        understood += usize::from(proc::parse(&text).is_some() || stat::parse(&text).is_some());
        read(&text);
    }
    // A test of nothing but refusals would prove little.
    assert!(understood > 3_000, "{understood}");
}

#[test]
fn the_time_grows_with_the_length_alone() {
    let quotes = format!("# pxname,svname,status,type,\n{}\n", "\"".repeat(4_000_000));
    let commas = format!("# pxname,svname,status,type,\n{}\n", ",".repeat(4_000_000));
    let lines = format!("#<PID>\n1 master 0\n# workers\n{}", "2 worker\n".repeat(400_000));
    let began = Instant::now();
    for text in [quotes, commas, lines] {
        read(&text);
    }
    // A quadratic one takes hours.
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}
