//! Where and with what was measured.

use std::path::Path;
use std::process::Command;

use crate::agents::Who;

/// Name and text of everything that a number depends on.
pub fn describe() -> Vec<(&'static str, String)> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let info = read("/proc/cpuinfo");
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown", |(_, model)| model);
    let kernel = format!(
        "{} {} {}",
        read("/proc/sys/kernel/ostype"),
        read("/proc/sys/kernel/osrelease"),
        std::env::consts::ARCH
    );
    let shell = match Who::Shell.path() {
        Some(_) => {
            said("dpkg-query", &["-W", "-f", "resource-agents ${Version}", "resource-agents"])
                .unwrap_or_else(|| "resource-agents, version unknown".into())
        }
        None => "resource-agents is not installed: its column stays empty".into(),
    };
    let tools = [
        said("ip", &["-V"]),
        said("valgrind", &["--version"]),
        said("strace", &["--version"]),
        said("perf", &["--version"]),
    ];
    vec![
        (
            "machine",
            format!(
                "{kernel}, {cores} cores, {model}, {}",
                said("date", &["-u", "+%F %H:%M UTC"]).unwrap_or_default()
            ),
        ),
        ("ours", format!("ocf-agents {}, {}", env!("CARGO_PKG_VERSION"), profile())),
        ("shell", shell),
        (
            "floor",
            "the same questions to the kernel, everything given as arguments, no agent around them"
                .into(),
        ),
        ("tools", tools.into_iter().flatten().collect::<Vec<_>>().join(", ")),
    ]
}

/// Numbers of a debug build mean nothing; their reader must know.
fn profile() -> &'static str {
    if cfg!(debug_assertions) {
        "DEBUG BUILD: these numbers mean nothing, add --release"
    } else {
        "release build"
    }
}

/// The first line that a program prints.
fn said(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).current_dir(Path::new("/")).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines()
        .next()
        .map(|line| line.trim().to_owned())
        .filter(|line| !line.is_empty() && output.status.success())
}
