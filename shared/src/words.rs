//! Words of a command line that an administrator wrote: split at spaces, kept together by quotes.
//! No shell is involved, so that a value is a value and never a program.
#![forbid(unsafe_code)]

/// Splits a line: `-g 'worker_rlimit_nofile 1024;'` is two words.
///
/// # Errors
/// What is expected instead, when a quote is not closed.
pub fn split(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(open), letter) if letter == open => quote = None,
            (Some('\''), letter) => word.get_or_insert_default().push(letter),
            (_, '\\') => {
                let next = letters.next().ok_or("a letter after the last backslash")?;
                let kept = quote.is_some() && !matches!(next, '"' | '\\' | '$' | '`');
                word.get_or_insert_default().extend(kept.then_some('\\').into_iter().chain([next]));
            }
            (Some(_), letter) => word.get_or_insert_default().push(letter),
            (None, '"' | '\'') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, letter) if letter.is_whitespace() => words.extend(word.take()),
            (None, letter) => word.get_or_insert_default().push(letter),
        }
    }
    if quote.is_some() {
        return Err("words with every quote closed".to_owned());
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fuzz_any_line_is_split_or_refused() {
        let line = "-g 'daemon on; x \"y\";' \"a \\\"b\\\" \\d\" c\\ d ''";
        crate::testing::fuzz::survives_text(&[line], |line| drop(split(line)));
    }

    #[test]
    fn words_end_at_spaces_outside_of_quotes() {
        for (line, expected) in [
            ("", vec![]),
            ("  a  b\tc ", vec!["a", "b", "c"]),
            ("-g 'daemon on; x \"y\";' ''", vec!["-g", "daemon on; x \"y\";", ""]),
            (r#""a \"b\" \d" c\ d"#, vec![r#"a "b" \d"#, "c d"]),
            ("a'b'\"c\"", vec!["abc"]),
            ("$(touch /x) `y` ; z", vec!["$(touch", "/x)", "`y`", ";", "z"]),
        ] {
            assert_eq!(split(line).unwrap(), expected, "{line}");
        }
        assert!(split("'a").is_err() && split("\"a").is_err() && split("a\\").is_err());
    }
}
