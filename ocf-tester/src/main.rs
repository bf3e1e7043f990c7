//! Temporary.
use std::sync::atomic::AtomicBool;
fn main() -> std::process::ExitCode {
    use std::io::Write as _;
    ocf_tester::process::adopt_orphans().ok();
    let args: Vec<String> = std::env::args().skip(1).collect();
    let agent = std::path::PathBuf::from(&args[0]).canonicalize().unwrap();
    let dir = tempfile::tempdir().unwrap();
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let setup = ocf_tester::stand::Setup {
        resource: ocf_tester::environment::Resource {
            instance: "test".into(),
            kind: agent.file_name().unwrap().into(),
            provider: "x".into(),
            root: "/usr/lib/ocf".into(),
            node: "n".into(),
            parameters: args[1..]
                .iter()
                .map(|a| {
                    let (n, v) = a.split_once('=').unwrap();
                    (n.into(), v.into())
                })
                .collect(),
        },
        agent,
        extra: Default::default(),
        longest: None,
        directory: dir.path().into(),
        observer: |_| (),
    };
    let all: Vec<_> = ocf_tester::checks::all().collect();
    let never = AtomicBool::new(false);
    let mut out = std::io::stdout();
    match ocf_tester::run::run(&setup, &all, false, &never) {
        Ok(report) => {
            for j in &report.judgements {
                writeln!(out, "{} {} {:?} {}", j.verdict.word(), j.id, j.took, j.verdict.text().unwrap_or("")).ok();
            }
            writeln!(out, "{} calls in {:?} {:?}", report.calls.len(), report.took, report.notes).ok();
        }
        Err(e) => {
            writeln!(out, "{e}").ok();
        }
    }
    0.into()
}
