use super::*;

const FILE: &str = "
# for the cluster
   # indented
test first
url /one
match one
end

test second
\turl   http://127.0.0.1:8080/two
match   This application  is alive\t
user monitor
password a b\\ c
client curl
client_opts -k --header 'Host: www.example.com' --compressed
end
";

fn only(lines: &str) -> Result<Definition, String> {
    find("f", &format!("test t\n{lines}\nend\n"), None)
}

#[test]
fn fuzz_any_file_is_read_or_refused() {
    crate::testing::fuzz::survives_text(&[FILE], |text| {
        let _ = (find("f", text, None), find("f", text, Some("second")));
    });
}

#[test]
fn the_named_test_is_found_and_else_the_first() {
    let first = find("f", FILE, None).unwrap();
    assert_eq!(
        (first.name.as_str(), first.url.as_str(), first.regex.text()),
        ("first", "/one", "one")
    );
    assert_eq!((first.login, first.host_header, first.verify), (None, None, None));
    let second = find("f", FILE, Some("second")).unwrap();
    assert_eq!(second.url, "http://127.0.0.1:8080/two");
    assert_eq!(second.regex.text(), "This application  is alive");
    assert_eq!(second.login, Some(("monitor".into(), "a b c".into())));
    assert_eq!(
        (second.host_header.as_deref(), second.verify),
        (Some("www.example.com"), Some(false))
    );
    assert_eq!(second.ignored, ["f:15: client_opts --compressed"]);
    assert_eq!(find("f", FILE, Some("third")).unwrap_err(), "f: has no test third");
    assert_eq!(find("f", "", None).unwrap_err(), "f: has no test");
}

#[test]
fn lines_are_read_as_the_shells_read_does() {
    let regex = |line: &str| only(&format!("url /\nmatch {line}")).unwrap().regex.text().to_owned();
    assert_eq!(regex(r"a\\.b"), r"a\.b");
    assert_eq!(regex(r"a\.b"), "a.b");
    assert_eq!(regex("a\\\nb"), "ab");
    assert_eq!(split("key a\\\\  ").1, r"a\");
    assert_eq!(regex("a\\   "), "a ");
    assert_eq!(regex("'a' \"$(id)\" `id`"), "'a' \"$(id)\" `id`", "nothing is evaluated");
    assert_eq!(regex("a # b\r"), "a # b");
}

#[test]
fn faults_have_a_place() {
    for (lines, expected) in [
        ("url /\nmatch x\nfrobnicate", "f:4: frobnicate: unknown keyword"),
        (
            "url /\nmatch (",
            "f:3: match: expected an extended regular expression with a ) for each (",
        ),
        ("url /", "f:1: test t: needs url and match"),
        ("match x", "f:1: test t: needs url and match"),
        ("url /\nmatch x\nuser u", "f:1: test t: user and password go together"),
        (
            "url /\nclient /bin/sh",
            "f:3: client /bin/sh: no program is run for a test; leave this line out",
        ),
        ("url /\ntest u", "f:3: test u begins before the one above it has an end"),
        (
            "client_opts --header 'Host: x",
            "f:2: client_opts: expected words with every quote closed",
        ),
        ("client_opts --cacert ca.pem", "f:2: --cacert: expected an absolute path"),
    ] {
        assert_eq!(only(lines).unwrap_err(), expected);
    }
}

#[test]
fn faults_of_other_tests_do_not_matter() {
    let text = "test good\nurl /\nmatch x\nend\ntest bad\nfrobnicate\nend\n";
    assert!(find("f", text, None).is_ok() && find("f", text, Some("good")).is_ok());
    assert!(find("f", text, Some("bad")).is_err());
    assert!(find("f", "test t\nurl /\nmatch x", None).is_ok(), "the end of the file is an end");
}

#[test]
fn options_of_both_clients_are_understood() {
    let of = |options: &str| only(&format!("url /\nmatch x\nclient_opts {options}")).unwrap();
    assert_eq!(of("--header=Host:a.example").host_header.as_deref(), Some("a.example"));
    assert_eq!(of("-H \"host: b\"").host_header.as_deref(), Some("b"));
    assert_eq!(of("--ca-certificate=/etc/ca.pem").ca, Some("/etc/ca.pem".into()));
    assert_eq!(of("--no-check-certificate").verify, Some(false));
    assert_eq!(of("-H 'X-A: b' -s").ignored, ["f:4: client_opts -H 'X-A: b'"]);
}

#[test]
fn a_definition_becomes_a_test() {
    let text = "test t\nurl /a\nmatch x\nuser u\npassword p\nclient_opts -k -H Host:b\nend\n";
    let rules =
        || Rules { ca: Some("/ca.pem".into()), host_header: Some("c".into()), ..Rules::default() };
    let test = find("f", text, None).unwrap().into_test("https://[::1]:1", rules());
    assert_eq!(test.url, "https://[::1]:1/a");
    assert_eq!(test.login, Some(("u".into(), "p".into())));
    assert_eq!(
        test.rules,
        Rules { verify: Some(false), host_header: Some("b".into()), ..Rules::default() }
    );
    let plain = find("f", "test t\nurl http://d/\nmatch x\nend", None)
        .unwrap()
        .into_test("https://[::1]:1", rules());
    assert_eq!((plain.url.as_str(), plain.rules), ("http://d/", rules()));
}

#[test]
fn files_that_cannot_be_read_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tests.cf");
    let failed = load(&path, None).unwrap_err();
    assert_eq!(failed.to_string(), format!("{}: No such file or directory", path.display()));
    std::fs::write(&path, FILE).unwrap();
    assert_eq!(load(&path, Some("second")).unwrap().name, "second");
    let missing = load(&path, Some("x")).unwrap_err();
    assert_eq!(missing.to_string(), format!("{}: has no test x", path.display()));
    assert_eq!(missing.kind, crate::failure::Kind::Generic);
    std::fs::write(&path, b"test \xff").unwrap();
    assert!(load(&path, None).is_err());
    assert!(load(folder.path(), None).unwrap_err().to_string().ends_with(": Is a directory"));
}
