use super::*;
use std::ffi::OsString;

fn invocation(name: &str) -> Invocation {
    let environment = [("HA_RSCTMP", "/run/x"), ("OCF_RESOURCE_INSTANCE", name)];
    let environment =
        environment.map(|(name, value)| (OsString::from(name), OsString::from(value)));
    Invocation::new([OsString::from("haproxy"), OsString::from("start")], environment)
}

#[test]
fn the_command_has_all_of_the_configuration() {
    let identity = Identity {
        configs: vec!["/e/a.cfg".into(), "/e/d".into()],
        options: vec!["-f".into(), "/e/first.cfg".into(), "-L".into(), "me".into()],
        ..Identity::default()
    };
    let described = describe(&invocation("lb"), &identity);
    let words: Vec<String> = described
        .start_command()
        .get_args()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let expected = "-D -p /run/x/haproxy-lb.pid -W -S /run/x/haproxy-lb.sock,mode,600 -f \
                    /e/first.cfg -L me -f /e/a.cfg -f /e/d -f /run/x/haproxy-lb.cfg";
    assert_eq!(words.join(" "), expected);
    assert_eq!(described.record.configs.len(), 4);
    let daemon = describe(&invocation("lb"), &Identity { mode: Mode::Daemon, ..identity });
    assert_eq!(daemon.record.stats_socket.as_deref(), Some(Path::new("/run/x/haproxy-lb.stats")));
    assert!(!daemon.start_command().get_args().any(|word| word == "-W"));
}

#[test]
fn a_socket_has_a_name_that_the_kernel_takes() {
    let long = socket(&invocation(&"x".repeat(200)), "sock");
    assert!(long.as_os_str().len() <= LONGEST_SOCKET, "{}", long.display());
    assert_ne!(long, socket(&invocation(&"y".repeat(200)), "sock"));
}

#[test]
fn what_is_added_is_a_global_section() {
    assert!(extra_text(None, None).ends_with("\nglobal\n"));
    let all = extra_text(Some(30), Some(Path::new("/run/a b/s'")));
    assert!(all.contains("    hard-stop-after 30s\n"), "{all}");
    assert!(
        all.contains(
            "    stats socket '/run/a b/s'\\''' mode 600 level admin expose-fd listeners\n"
        ),
        "{all}"
    );
}
