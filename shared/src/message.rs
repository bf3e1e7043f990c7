//! What people read, in reasons and in logs: one line, bounded, without secrets, and without what
//! would mislead its reader.
//!
//! - **Secrets**: the password in a URL, also in one that cannot be parsed; the query of a URL;
//!   `password=…` and its like.
//! - **Text of others** (a page, a program's output, a value): a reason prefix in it would be taken
//!   for ours, and characters that are not seen or that turn the direction of the line would show
//!   something else than what is there.
//! - **Length**: Pacemaker keeps [`REASON`] bytes of a reason, and the end of it is the advice; a
//!   log line has [`LINE`].
#![forbid(unsafe_code)]

use std::borrow::Cow;

/// The most bytes of a reason: Pacemaker has a buffer of 128 (`EXIT_REASON_MAX_LEN`), with a zero
/// at the end.
pub const REASON: usize = 127;

/// The most bytes of a message in a log.
pub const LINE: usize = 1024;

/// What is looked at of a text; the middle of a longer one is left out before anything else.
const LONGEST: usize = 16 << 10;

/// The fewest bytes in which a part of a reason still says something.
const LEAST: usize = 24;

/// The same for each of several faults before the last.
const SEVERAL: usize = 38;

/// What stands for what is left out.
const GAP: &str = "…";

/// What stands for a secret.
const HIDDEN: &str = "***";

/// What stands for a character that is not shown.
const INVISIBLE: char = '?';

/// The reason line: `what failed: detail; what to do`, where detail is shortened.
#[must_use]
pub fn reason(text: &str, prefix: &str) -> String {
    fit(&clean(text, prefix), REASON)
}

/// The line of a log.
#[must_use]
pub fn line(text: &str, prefix: &str) -> String {
    fit(&clean(text, prefix), LINE)
}

/// One line without secrets, without invisible characters, and without the prefix of reasons.
fn clean(text: &str, prefix: &str) -> String {
    let folded = fold_line(&mask(&bounded(text)));
    let mut letters = prefix.chars();
    match letters.next_back() {
        Some(_) if !letters.as_str().is_empty() => {
            folded.replace(prefix, &format!("{} ", letters.as_str()))
        }
        _ => folded,
    }
}

/// A text without the middle of one that is too long. The words that the cut goes through are left
/// out when they could be parts of a secret, which a part does not show any more.
fn bounded(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST {
        return text.into();
    }
    let (head, tail) = ends(text, LONGEST / 2, LONGEST / 2);
    let could_be_secret = |word: &str| word.contains([':', '=', '?', '@', '/']);
    let last = head.rfind(char::is_whitespace).map_or(0, |at| at + 1);
    let head = if could_be_secret(&head[last..]) { &head[..last] } else { head };
    // The beginning of this word, which would show it, is left out.
    let tail = match tail.find(char::is_whitespace) {
        Some(first) => &tail[first..],
        None if could_be_secret(tail) => "",
        None => tail,
    };
    [head, GAP, tail].concat().into()
}

/// Makes one line of a text: what would end it or confuse a terminal becomes a space, what is not
/// seen a question mark.
#[must_use]
pub fn fold_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for letter in text.trim().chars() {
        match letter {
            '\u{2028}' | '\u{2029}' => line.push(' '),
            letter if is_invisible(letter) => line.push(INVISIBLE),
            letter if !letter.is_control() => line.push(letter),
            _ if !line.ends_with(' ') => line.push(' '),
            _ => {}
        }
    }
    line
}

/// Unicode's format characters (category Cf): no width, or another direction for what follows.
fn is_invisible(letter: char) -> bool {
    matches!(
        letter,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// Shortens a text to so many bytes: what stands after the last "; " (or ": ", where there is none)
/// is the advice, or the heart of the matter, and stays whole; of what stands before it the middle
/// goes.
#[must_use]
pub fn fit(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let Some(at) = text.rfind("; ").or_else(|| text.rfind(": ")) else { return middle(text, most) };
    let (what, advice) = text.split_at(at);
    let parts = what.matches("; ").count() + 1;
    let least = if parts == 1 { LEAST } else { parts * SEVERAL };
    // An advice without what it is about would be no help; and of a list of faults the last one is
    // no advice.
    if advice.len() + least <= most {
        format!("{}{advice}", share(what, most - advice.len()))
    } else if text.contains("; ") {
        share(text, most)
    } else {
        middle(text, most)
    }
}

/// Shortens each part of several: a part that is shorter than its share leaves the rest to the
/// others.
fn share(text: &str, most: usize) -> String {
    let parts: Vec<&str> = text.split("; ").collect();
    let mut room = most.saturating_sub(2 * (parts.len() - 1));
    if room / parts.len() < LEAST {
        return middle(text, most);
    }
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by_key(|part| parts[*part].len());
    let mut shares = vec![0; parts.len()];
    for (done, part) in order.into_iter().enumerate() {
        shares[part] = parts[part].len().min(room / (parts.len() - done));
        room -= shares[part];
    }
    // Where each of several is begins it: a file with its line, a parameter.
    let begin = |share: usize| share.saturating_sub(GAP.len()) * 3 / 4;
    let shown: Vec<String> = if parts.len() == 1 {
        vec![middle(text, most)]
    } else {
        parts.iter().zip(shares).map(|(part, share)| cut(part, share, begin(share))).collect()
    };
    shown.join("; ")
}

/// A text with its middle left out, so that so many bytes stay; more of its beginning than of its
/// end.
fn middle(text: &str, most: usize) -> String {
    cut(text, most, most.saturating_sub(GAP.len()) * 2 / 3)
}

/// A text with its middle left out after so many bytes of its beginning.
fn cut(text: &str, most: usize, begin: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let (head, tail) = ends(text, begin, most.saturating_sub(GAP.len()) - begin);
    format!("{head}{GAP}{tail}")
}

/// At most so many bytes of a text's beginning, and of its end, in whole letters.
fn ends(text: &str, begin: usize, end: usize) -> (&str, &str) {
    let is_boundary = |at: &usize| text.is_char_boundary(*at);
    let head = (0..=begin).rev().find(is_boundary).unwrap_or(0);
    let tail = (text.len() - end..=text.len()).find(is_boundary).unwrap_or(text.len());
    (&text[..head], &text[tail..])
}

/// Hides secrets.
fn mask(text: &str) -> String {
    let ends =
        |letter: char| letter.is_whitespace() || matches!(letter, '"' | '\'' | '<' | '>' | '`');
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(ends).unwrap_or(rest.len());
        masked.push_str(&address(&rest[..end]));
        let next = rest[end..].chars().next().map_or(end, |letter| end + letter.len_utf8());
        masked.push_str(&rest[end..next]);
        rest = &rest[next..];
    }
    values(&masked)
}

/// Hides what is secret in a word with a URL or a path in it.
fn address(word: &str) -> String {
    let Some((scheme, rest)) = word.split_once("://") else {
        // A path on a server, perhaps as a value: `/login?password=…`.
        return if word.split('?').next().is_some_and(|path| path.contains('/')) {
            cut_query(word)
        } else {
            word.to_owned()
        };
    };
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    let port = authority.rsplit_once(':').map_or("", |(_, port)| port);
    let has_port = port.bytes().all(|byte| byte.is_ascii_digit()) || authority.ends_with(']');
    // Where there is no port, the sign that begins a path may be a part of the password.
    let login = if has_port {
        authority.rfind('@')
    } else {
        authority.rfind('@').or_else(|| rest.rfind('@'))
    };
    let (login, after) = login.map_or(("", rest), |at| rest.split_at(at));
    let login = match login.split_once(':') {
        Some((user, _)) => format!("{user}:{HIDDEN}"),
        None if login.is_empty() => String::new(),
        None => HIDDEN.to_owned(),
    };
    let after = cut_query(after);
    // Another URL may follow in the same word.
    let after = match after.split_once('/') {
        Some((host, path)) if path.contains("://") => format!("{host}/{}", address(path)),
        _ => after,
    };
    format!("{scheme}://{login}{after}")
}

/// A word without what stands after a question mark in it; the sentence goes on as it did.
fn cut_query(word: &str) -> String {
    match word.split_once('?') {
        Some((path, query)) => {
            let end = query.trim_end_matches([',', ';', ':', ')', '.']);
            if end.is_empty() {
                word.to_owned()
            } else {
                format!("{path}?{GAP}{}", &query[end.len()..])
            }
        }
        None => word.to_owned(),
    }
}

/// Names whose values are secret, and whether a colon may stand between the two.
const SECRET: [(&str, bool); 7] = [
    ("password", true),
    ("passwd", true),
    ("passphrase", true),
    ("authorization", true),
    ("pwd", false),
    ("secret", false),
    ("token", false),
];

/// Hides the values of secrets.
fn values(text: &str) -> String {
    // Letters of ASCII only, so that each stays where it is.
    let small = text.to_ascii_lowercase();
    let mut masked = String::with_capacity(text.len());
    let mut from = 0;
    while let Some((begin, end)) = next_value(&small, from) {
        masked.push_str(&text[from..begin]);
        masked.push_str(HIDDEN);
        from = end;
    }
    masked.push_str(&text[from..]);
    masked
}

/// Where the next secret value begins and ends.
fn next_value(text: &str, from: usize) -> Option<(usize, usize)> {
    let mut found: Option<(usize, usize)> = None;
    for (name, colon) in SECRET {
        let mut at = from;
        while let Some(begin) = text[at..].find(name).map(|offset| at + offset) {
            at = begin + name.len();
            if found.is_some_and(|(first, _)| first <= at) {
                break;
            }
            if let Some(value) = value_at(text, at, colon, name == "authorization") {
                found = Some(value);
                break;
            }
        }
    }
    found
}

/// The value after a name that ends at `at`.
fn value_at(text: &str, at: usize, colon: bool, is_header: bool) -> Option<(usize, usize)> {
    let after = text[at..].strip_prefix(['"', '\'']).unwrap_or(&text[at..]);
    let value = match after.strip_prefix('=') {
        Some(value) => value,
        None if colon => after.strip_prefix(':')?.trim_start_matches(' '),
        None => return None,
    };
    let (quote, value) = match value.chars().next()? {
        quote @ ('"' | '\'') => (Some(quote), &value[1..]),
        _ => (None, value),
    };
    let length = match quote {
        Some(quote) => value.find(quote).unwrap_or(value.len()),
        // The scheme of a header stands before its secret.
        None if is_header => value.find(['\n', '\r', ',']).unwrap_or(value.len()),
        None => value
            .find(|letter: char| letter.is_whitespace() || matches!(letter, '&' | '"'))
            .unwrap_or(value.len()),
    };
    let begin = text.len() - value.len();
    // What the frame has hidden already says so.
    (length > 0 && &value[..length] != "(hidden)").then_some((begin, begin + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREFIX: &str = "ocf-exit-reason:";

    #[test]
    fn fuzz_any_text_of_others_becomes_one_bounded_line() {
        let texts = [
            "http://user:s3cret@127.0.0.1:99999/x?a=b: not a URL; see \"http://a:b@c/d://e:f@g/\"",
            "web: password=\"a b\", Authorization: Basic dTpw\n\
             ocf-exit-reason:x\u{202e}; pwd=x&token=y; restart it",
        ];
        crate::testing::fuzz::survives_text(&texts, |text| {
            let (reason, line) = (reason(text, PREFIX), line(text, PREFIX));
            assert!(reason.len() <= REASON && line.len() <= LINE, "{reason:?}");
            assert!(
                !reason.contains(PREFIX) && !line.contains(PREFIX) && !line.contains('\n'),
                "{line:?}"
            );
        });
    }

    #[test]
    fn sl_09_a_text_becomes_one_line() {
        assert_eq!(fold_line(" one\r\ntwo\n\n\tthree\x1b[31m\n"), "one two three [31m");
        assert_eq!(fold_line("100% of $x \"q\" ü"), "100% of $x \"q\" ü");
    }

    #[test]
    fn al_3_the_advice_and_what_failed_survive() {
        let detail = "d".repeat(400);
        let text = format!("start of web: {detail}; install the web server, or set httpd");
        let short = reason(&text, PREFIX);
        assert!(short.len() <= REASON && short.len() > REASON - 4, "{short}");
        assert!(short.starts_with("start of web: ddd") && short.contains("d…d"), "{short}");
        assert!(short.ends_with("d; install the web server, or set httpd"), "{short}");
        assert_eq!(reason("it is gone", PREFIX), "it is gone");
        let exact = "x".repeat(REASON);
        assert_eq!(reason(&exact, PREFIX), exact);
        for text in [
            format!("{exact}x"),
            "ü".repeat(200),
            format!("a; {}", "ü".repeat(200)),
            "; ".repeat(200),
        ] {
            let short = reason(&text, PREFIX);
            assert!(short.len() <= REASON && short.len() > REASON - 6, "{short}");
        }
    }

    #[test]
    fn al_3_a_failed_rollback_is_named_beside_the_failure() {
        let text = "http://127.0.0.1:8081/: 200 OK, expected 418: look at the server's error log, \
                    give another URL, or expect_status=200; rollback: cannot end the processes of \
                    the web server of /run/web/a.conf: process 16: Operation not permitted";
        let reason = reason(text, PREFIX);
        assert!(reason.len() <= REASON, "{reason}");
        assert!(reason.starts_with("http://127.0.0.1:8081/"), "{reason}");
        assert!(reason.contains("; rollback: cannot end the"), "{reason}");
        assert!(reason.ends_with("not permitted"), "{reason}");
    }

    #[test]
    fn al_3_of_several_faults_each_is_named() {
        let fault = |name: &str| {
            format!("{name}=\"x\": expected a time such as 30 (milliseconds), 30s, 500ms or 2min")
        };
        let text =
            format!("{}; {}; the default applies", fault("max_latency"), fault("stop_grace"));
        let shown = reason(&text, PREFIX);
        assert!(shown.len() <= REASON, "{shown}");
        for part in
            ["max_latency=\"x\": expected", "; stop_grace=\"x\": expected", "; the default applies"]
        {
            assert!(shown.contains(part), "{shown}");
        }
    }

    /// The reasons of the READMEs' tables, with names as they are in clusters.
    fn documented() -> Vec<String> {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let agents =
            std::fs::read_dir(root.join("agents")).unwrap().map(|entry| entry.unwrap().path());
        let tables = agents.chain([root.join("shared")]).map(|folder| folder.join("README.md"));
        let names = [
            "/etc/apache2/sites-enabled/webshop-1.conf",
            "2001:db8:0:1234:5678:9abc:def0:1234",
            "webserver-01",
        ];
        let mut found = Vec::new();
        for table in tables.filter_map(|path| std::fs::read_to_string(path).ok()) {
            let rows = table.split("| reason | what to do |\n").nth(1).unwrap_or_default().lines();
            for cell in rows
                .skip(1)
                .take_while(|row| row.starts_with('|'))
                .filter_map(|row| row.split('|').nth(1))
            {
                for reason in cell.split('`').skip(1).step_by(2) {
                    found.extend(names.map(|name| reason.replace('…', name)));
                }
            }
        }
        found
    }

    #[test]
    fn al_3_each_documented_reason_fits_with_its_advice() {
        let all = documented();
        assert!(all.len() > 300, "{}", all.len());
        for text in &all {
            let shown = reason(text, PREFIX);
            assert!(shown.len() <= REASON, "{shown}");
            if text.len() <= REASON {
                continue;
            }
            let begins = |letters: usize| text.chars().take(letters).collect::<String>();
            assert!(shown.starts_with(&begins(12)), "{shown}");
            // More than one means several faults, of which the last is no advice.
            if text.matches("; ").count() > 1 {
                continue;
            }
            let advice = text.rfind("; ").or_else(|| text.rfind(": ")).map_or("", |at| &text[at..]);
            if advice.len() <= REASON * 2 / 3 {
                assert!(shown.ends_with(advice), "{shown}");
            }
        }
    }

    #[test]
    fn rt_7_a_log_line_is_bounded_too() {
        let page = "x".repeat(200_000);
        assert_eq!(line(&page, PREFIX).len(), LINE);
        assert_eq!(reason(&page, PREFIX).len(), REASON);
    }

    #[test]
    fn rt_7_the_text_of_others_is_no_reason_of_ours_and_has_no_hidden_letters() {
        assert_eq!(
            reason("page: ocf-exit-reason:all is well", PREFIX),
            "page: ocf-exit-reason all is well"
        );
        assert_eq!(reason("a <<b", "<<"), "a < b");
        assert_eq!(reason("a\u{202e}cod.exe\u{200b}b\u{2028}c\u{feff}", PREFIX), "a?cod.exe?b c?");
        assert_eq!(reason("ocf-exit-\u{200b}reason:x", PREFIX), "ocf-exit-?reason:x");
    }

    #[test]
    fn rt_6_passwords_are_hidden_where_a_long_text_is_cut() {
        let secret = "http://user:s3cret-s3cret-s3cret@host/x?s3cret";
        for from in LONGEST / 2 - secret.len()..LONGEST / 2 + 2 {
            let (before, after) = ("; ".repeat(from / 2), "; ".repeat(LONGEST));
            for text in [format!("{before}{secret} ;{after}"), format!("{after}; {secret}{before}")]
            {
                let shown = fold_line(&mask(&bounded(&text)));
                assert!(!shown.contains("s3"), "cut after {from} bytes");
            }
        }
    }

    #[test]
    fn rt_6_passwords_are_hidden() {
        for (text, expected) in [
            (
                "test20url=\"http://user:s3cret@127.0.0.1:99999/x\": expected a URL",
                "test20url=\"http://user:***@127.0.0.1:99999/x\": expected a URL",
            ),
            ("http://user:s3/cret@host/x is no URL", "http://user:***@host/x is no URL"),
            ("http://user:p@ss@host/ is", "http://user:***@host/ is"),
            ("http://s3cret@host/x", "http://***@host/x"),
            ("http://[::1]:80/a@b fine", "http://[::1]:80/a@b fine"),
            ("https://host:8443/mail@x", "https://host:8443/mail@x"),
            (
                "Location: https://u:s3cret@h/?next=1: expected",
                "Location: https://u:***@h/?…: expected",
            ),
            ("302 to /login?password=s3cret, expected 200", "302 to /login?…, expected 200"),
            ("test10url=/status?key=s3cret;x", "test10url=/status?…"),
            ("a http://h/?s3cret b ftp://u:s3cret@h", "a http://h/?… b ftp://u:***@h"),
            ("http://h/go/http://u:s3cret@i/", "http://h/go/http://u:***@i/"),
            ("password=s3cret&user=x", "password=***&user=x"),
            ("PassWord: s3cret next", "PassWord: *** next"),
            ("{\"password\": \"s3cret word\"}", "{\"password\": \"***\"}"),
            ("passwd='s3cret a' b token=s3cret", "passwd='***' b token=***"),
            ("Authorization: Basic s3cret==", "Authorization: ***"),
            ("password=\"(hidden)\": expected", "password=\"(hidden)\": expected"),
            (
                "give a user and a password, or expect_status=401",
                "give a user and a password, or expect_status=401",
            ),
            (
                "unknown parameter stat is ignored; did you mean state?",
                "unknown parameter stat is ignored; did you mean state?",
            ),
            ("unexpected token: foo", "unexpected token: foo"),
        ] {
            let shown = line(text, PREFIX);
            assert!(!shown.contains("s3"), "{shown}");
            assert_eq!(shown, expected, "{text}");
        }
    }
}
