//! The parsers against texts that no HAProxy has said: real ones, damaged.
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::time::{Duration, Instant};

use ocf::testing::fuzz::survives_text;

use super::{info, proc, stat};

/// Reads a text in every way, and looks whether what it says can be.
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
fn no_text_makes_a_parser_panic_or_say_what_cannot_be() {
    let texts = [
        proc::tests::V2_2,
        proc::tests::V2_6,
        proc::tests::V3_2,
        info::tests::V2_6,
        stat::tests::V2_6,
        stat::tests::V3_2,
    ];
    let understood = Cell::new(0);
    survives_text(&texts, |text| {
        understood.set(
            understood.get()
                + usize::from(proc::parse(text).is_some() || stat::parse(text).is_some()),
        );
        read(text);
    });
    // A test of nothing but refusals would prove little.
    assert!(understood.get() > 200, "{}", understood.get());
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
