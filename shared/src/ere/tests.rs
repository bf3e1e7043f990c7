use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::*;

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(20))
}

/// What an expression that is none is refused with.
fn refused(expression: &str) -> String {
    Ere::new(expression).expect_err(expression)
}

/// The lines that match; `None` when the expression is refused.
fn ours(expression: &str, lines: &[&[u8]]) -> Option<Vec<usize>> {
    let ere = Ere::new(expression).ok()?;
    let matches = |line: &&[u8]| ere.is_match(&[line, b"\n".as_slice()].concat(), soon()).unwrap();
    Some((1..).zip(lines).filter(|(_, line)| matches(line)).map(|(number, _)| number).collect())
}

/// The same from `grep -Ei`.
#[allow(clippy::disallowed_methods, reason = "grep is quick, and this is a test")]
fn greps(expression: &str, lines: &[&[u8]]) -> Option<Vec<usize>> {
    let mut grep = Command::new("grep")
        .env("LC_ALL", "C")
        .args(["-a", "-E", "-i", "-n", "-e", expression])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = grep.stdin.take().unwrap();
    // It may have gone already, when it refuses.
    let _ = lines.iter().try_for_each(|line| stdin.write_all(&[line, b"\n".as_slice()].concat()));
    drop(stdin);
    let output = grep.wait_with_output().unwrap();
    let number = |line: &[u8]| -> Option<usize> {
        let digits = line.split(|byte| *byte == b':').next()?;
        std::str::from_utf8(digits).ok()?.parse().ok()
    };
    match output.status.code() {
        Some(0 | 1) => {
            Some(output.stdout.split(|byte| *byte == b'\n').filter_map(number).collect())
        }
        _ => None,
    }
}

/// Lines of every kind, the first of them empty.
const LINES: &str = r"
a
B
ab
AB
aab
abab
abcabc
a b
a.b
a^b
a$b
a{1
a{1}
{
}
(
)
[a]
]
-
_
*
+a
a|b
\
\w
 
word
a word.
swordfish
0
10.2
Reading: 0 Writing: 1 Waiting: 0
</HTML >
x:y,z!";

fn lines() -> Vec<&'static [u8]> {
    // A few with bytes that are no text.
    let more: [&[u8]; 4] = [b"\t", b"\xc3\xa9", b"\xe9\x80", b"x\ry"];
    LINES.split('\n').map(str::as_bytes).chain(more).collect()
}

/// Two blanks or a newline between them.
const EXPRESSIONS: &str = r"a  A  ab|^$  </ *html *>  \<word\>  \bword\b  a[[:space:]]b  a.b  ^$
^a$  a{2,3}  one|b  [0-9]+  \.  [^x]b  \`a  b\'  \Bo  \B  \b  \<  \>  \w  \W  \s  \S  *a  +  ?a
^*ab  ^+a  (*a)  (+a)  (?:a)  a|*b  {1}  {1}a  {  a{1  a{1}  a{2,1}  a{,}  a{,2}b  a{40000}
a{40000,}  a{1a}  a{ 1}  a{0}  ab{0}  a{1}{2}  a)  )  ()  (  (a  a||b  (|a)b  \d  \0  \  a\  \}  \-
\/  \é  \n  [:a:]  [:alpha:]  [:a]  [a:]  [^:a:]  [b-a]  [[:foo:]]  [[:word:]]  [[=a=]]  [[.a.]]
[[.space.]]  [a-[.c.]]  [[.-.]]  [[.a.]-c]  [C-c]  [Z-a]  [a-Z]  [Y-z]  [A-z]  [a\-z]  [  [a  []
[]a]  [^]a]  [^]  [[:alpha:]-z]  [[:alpha:]-]  [a-c-e]  [\w]  [\]]  [a-]  [-a]  [--/]  [%--]  [a-a]
[[:upper:]]  [^[:upper:]]  [[:alpha:  [[.a  [[a]  [a[:digit:]  [^a]  [^a-z]  [[:alnum:]_]
[[:punct:]]  [[:cntrl:]]  [[:graph:]]  [[:print:]]  [[:blank:]]  [[:xdigit:]]  a^b  a$b  a\^b  a\$b
(^)*a  (^|a)b  $*a  a$?b  \<*a  \b+a  ^*  (^a|b$)  (a|ab)(c|bcab)  (a*)*b  (a*)+$  ((a))b  (a|b)*c
a**  a+?b  a?*b  a{2}?b  (a?){3}b  .{3}  ^.{3,}$  .*{2,}  é  [é]  x.y  ^[^a]*$  !  é?x";

#[test]
fn wt_5_expressions_mean_what_grep_takes_them_for() {
    let lines = lines();
    for expression in
        EXPRESSIONS.split("  ").flat_map(|some| some.split('\n')).chain(["", "a\nword", "(a\nb)"])
    {
        assert_eq!(ours(expression, &lines), greps(expression, &lines), "{expression:?}");
    }
}

#[test]
fn wt_5_chance_expressions_mean_what_grep_takes_them_for() {
    let parts = [
        "a",
        "B",
        "b",
        ".",
        "[ab]",
        "[^A]",
        "[a-c]",
        "[[:digit:]]",
        "[^[:space:]x]",
        "[]b]",
        "[^]b]",
        "[a-]",
        "*",
        "+",
        "?",
        "1",
        " ",
        r"\.",
        r"\*",
        "[C-c]",
        "[[:upper:]_]",
        "^",
        "$",
        "é",
        "(",
        ")",
        "|",
        "{2}",
        "{1,}",
        "{,2}",
        "{0}",
        r"\<",
        r"\>",
        r"\b",
        r"\B",
        r"\w",
        r"\W",
        "{",
        "}",
        "-",
        "]",
        "[",
        "\n",
        "(a|b)",
        "(ab)*",
        "^a",
        "b$",
    ];
    let lines = lines();
    let mut numbers = crate::testing::Numbers::new(0x2545_F491_4F6C_DD1D);
    let (mut accepted, mut matched) = (0, 0);
    for _ in 0..600 {
        let count = 1 + numbers.below(6);
        let expression: String = (0..count).map(|_| parts[numbers.below(parts.len())]).collect();
        let expected = greps(&expression, &lines);
        assert_eq!(ours(&expression, &lines), expected, "{expression:?}");
        accepted += usize::from(expected.is_some());
        matched += expected.map_or(0, |lines| lines.len());
    }
    // Neither side of the comparison may be empty.
    assert!(accepted > 300 && accepted < 590 && matched > 2_000, "{accepted}, {matched}");
}

#[test]
fn bodies_are_lines_that_nul_bytes_end_too() {
    let is_match = |expression: &str, body: &[u8]| {
        Ere::new(expression).unwrap().is_match(body, soon()).unwrap()
    };
    assert!(is_match("^alive$", b"\0\xff\0alive\0"));
    assert!(
        !is_match("a.*b", b"a\0b") && !is_match("a[^x]b", b"a\nb") && !is_match(r"a\Wb", b"a\0b")
    );
    assert!(
        is_match("^second$", b"first\nsecond\nthird")
            && is_match("^$", b"text\n\n")
            && !is_match("^$", b"text\n")
    );
    // A page without a byte has no line.
    assert!(!is_match("", b"") && is_match("", b"\n"));
}

#[test]
fn wt_5_what_took_for_ever_is_quick_or_refused() {
    let began = Instant::now();
    let page = vec![b'a'; 1 << 16];
    for expression in [
        ".*{10,}{10,}{10,}{10,}{10,}",
        &format!("(.*{}(\\w+))", "+".repeat(5_000)),
        "^(a|b)*",
        "(a*)*(a*)*$",
    ] {
        assert_eq!(
            Ere::new(expression).unwrap().is_match(&page, soon()),
            Some(true),
            "{expression}"
        );
    }
    assert_eq!(Ere::new("^(a|b)*z").unwrap().is_match(&page, soon()), Some(false));
    for expression in [
        "((a{1,100}){1,100}){1,100}b",
        "a{20000}",
        &"(".repeat(100_000),
        &"((a)?".repeat(60),
        "(a{100}|b){101}",
    ] {
        assert!(refused(expression).len() < 110, "{expression}");
    }
    assert!(
        Ere::new(&format!("{}a{}", "(".repeat(100), ")+?".repeat(100)))
            .unwrap()
            .is_match(b"a", soon())
            .unwrap()
    );
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[test]
fn wt_5_a_search_of_a_large_page_ends_at_the_deadline() {
    let began = Instant::now();
    let slow = Ere::new("(a|b|ab){1000}[yz]").unwrap();
    assert_eq!(
        slow.is_match(&vec![b'a'; 1 << 20], Deadline::after(Duration::from_millis(100))),
        None
    );
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    // And is finished where there is time.
    assert_eq!(
        Ere::new("(a|b){30}[yz]")
            .unwrap()
            .is_match(&[&[b'a'; 40_000], b"z".as_slice()].concat(), soon()),
        Some(true)
    );
}

#[test]
fn the_largest_expressions_that_are_accepted_can_be_compiled() {
    for expression in
        ["(((a{1,15}){1,15}){1,15})", &"[acegikmoqsuwy13579]".repeat(1_000), &"a".repeat(9_999)]
    {
        assert!(Ere::new(expression).unwrap().is_match(b"b", soon()).is_some(), "{expression}");
    }
}

#[test]
fn faulty_expressions_are_refused_with_what_is_allowed() {
    for (expression, expected) in [
        ("(a", "a ) for each ("),
        ("[a", "a ] for each ["),
        (r"(a)\1", r"no back-reference \1: write out what it stands for"),
        ("good\n[a", "a ] for each ["),
        ("a\0b", "no NUL byte"),
    ] {
        assert_eq!(refused(expression), format!("an extended regular expression with {expected}"));
    }
    assert_eq!(Ere::new("^a").unwrap().text(), "^a");
}

#[test]
fn what_every_match_contains_is_known_of_usual_expressions() {
    let literal = |expression: &str| posix::translate(expression).unwrap().literal;
    for (expression, expected) in [
        ("</ *HTML *>", "html"),
        ("Reading: [0-9]+ Writing", "reading: "),
        ("(active)? sessions", " sessions"),
        ("x(alive)y", "xalivey"),
        ("x(.alive)+y", "x"),
        ("a|b", ""),
        ("a\nb", ""),
        ("ab+c", "a"),
        ("é", "\u{c3}\u{a9}"),
    ] {
        assert_eq!(literal(expression), expected, "{expression}");
    }
}

#[test]
fn a_match_is_found_in_whichever_line_of_the_page_it_is() {
    let ere = Ere::new("^< *html").unwrap();
    let found = |page: &str| ere.is_match(page.as_bytes(), soon());
    for page in ["<html", "\n\n<HTML>\nno html\n\nhtml", "no html\n\n\n< html", "é\n<html\nhtml\n"]
    {
        assert_eq!(found(page), Some(true), "{page:?}");
    }
    for page in ["", "\n", "html\n<\nhtml", "\nno <html\n\nhtml\n\n", "<\n\nhtml"] {
        assert_eq!(found(page), Some(false), "{page:?}");
    }
}
