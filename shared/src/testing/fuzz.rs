//! Damaged input for what reads foreign text: from every input a reader must return, without a
//! panic and soon.
//!
//! It runs in `cargo test` with fixed seeds, and for as long as `OCF_FUZZ_SECONDS` says with others
//! (`make fuzz`), each test whose name or module has `fuzz` in it.
#![forbid(unsafe_code)]

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime};

use nix::time::{ClockId, clock_gettime};

use super::Numbers;

/// How many inputs are tried with fixed seeds.
const TRIES: u64 = 2000;

/// One of so many inputs is stretched to [`LONGEST`].
const STRETCHED: u64 = 100;

/// How long a processor may be busy with one input, without optimisation. What takes time in
/// proportion to the length needs a tenth of it for the longest.
const PATIENCE: Duration = Duration::from_secs(10);

/// The length of most inputs.
const USUAL: usize = 8192;

/// How many bytes of an input are shown.
const SHOWN: usize = 1000;

/// The longest input: time in proportion to the square of it is seen.
const LONGEST: usize = 400_000;

/// What has a meaning in one language or another, and what no language expects.
const TOKENS: [&[u8]; 28] = [
    b"\n",
    b"\n\n",
    b"\r\n",
    b"\t",
    b" ",
    b"{",
    b"}",
    b"\"",
    b"'",
    b"\\",
    b"\\\n",
    b"#",
    b"=",
    b":",
    b"::",
    b",",
    b";",
    b"$",
    b"${",
    b"`",
    b"*",
    b"[",
    b"<",
    b"\0",
    b"\xff\xfe",
    b"\xe2\x80\xae",
    b"99999999999999999999",
    b"-1",
];

/// Gives damaged copies of the texts to `read`, which must return from each.
///
/// # Panics
/// With the input from which it did not return in time, or only by a panic. What never returns ends
/// the process, with the input on standard error.
pub fn survives(corpus: &[&[u8]], read: impl Fn(&[u8])) {
    let limit = std::env::var("OCF_FUZZ_SECONDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .map(Duration::from_secs);
    let began = Instant::now();
    let first = match limit {
        Some(_) => SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(1, |now| now.as_nanos() as u64),
        None => 1,
    };
    let wanted = |tried: u64| limit.map_or(tried < TRIES, |limit| began.elapsed() < limit);
    guarded(|current| {
        corpus.iter().for_each(|text| attempt(0, text, &read, current));
        let mut tried = 0;
        while wanted(tried) {
            let seed = first.wrapping_add(tried).max(1);
            let mut numbers = Numbers::new(seed);
            let longest = if tried % STRETCHED == STRETCHED - 1 { LONGEST } else { USUAL };
            attempt(seed, &damaged(corpus, &mut numbers, longest), &read, current);
            tried += 1;
        }
        if limit.is_some() {
            let test = std::thread::current().name().unwrap_or("?").to_owned();
            let _ = writeln!(std::io::stderr(), "{test}: {tried} inputs");
        }
    });
}

/// As [`survives`], for what reads text: bytes that are none are replaced.
///
/// # Panics
/// As there.
pub fn survives_text(corpus: &[&str], read: impl Fn(&str)) {
    let corpus: Vec<&[u8]> = corpus.iter().map(|text| text.as_bytes()).collect();
    survives(&corpus, |input| read(&String::from_utf8_lossy(input)));
}

/// The input that is being read, and since when.
type Current = Mutex<Option<(Instant, String)>>;

/// Does the work, and ends the process when one input takes much longer than it may: a loop without
/// an end would say nothing.
fn guarded(work: impl FnOnce(&Current)) {
    let current = Current::default();
    let (done, is_done) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let is_done = is_done;
            while is_done.recv_timeout(Duration::from_secs(1)) == Err(RecvTimeoutError::Timeout) {
                let current = current.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                if let Some((since, shown)) = &*current
                    && since.elapsed() > 6 * PATIENCE
                {
                    let _ =
                        writeln!(std::io::stderr(), "no end after {:?}: {shown}", since.elapsed());
                    std::process::abort();
                }
            }
        });
        // The channel closes also after a panic, and the thread ends.
        let _done = done;
        work(&current);
    });
}

fn attempt(seed: u64, input: &[u8], read: &impl Fn(&[u8]), current: &Current) {
    let set = |value| *current.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = value;
    let shown = || {
        format!(
            "seed {seed}, {} bytes: \"{}\"",
            input.len(),
            input[..input.len().min(SHOWN)].escape_ascii()
        )
    };
    let began = busy();
    set(Some((Instant::now(), shown())));
    let done = catch_unwind(AssertUnwindSafe(|| read(input)));
    set(None);
    if let Err(panic) = done {
        let what = panic.downcast_ref::<String>().cloned();
        match what.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())) {
            Some(what) => panic!("{what}; {}", shown()),
            None => resume_unwind(panic),
        }
    }
    let took = busy().saturating_sub(began);
    assert!(took < PATIENCE, "{took:?} for {}", shown());
}

/// How long a processor was busy with this thread.
fn busy() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

/// A text with up to six damages; one that may be longer than usual has a piece of it many times.
fn damaged(corpus: &[&[u8]], numbers: &mut Numbers, longest: usize) -> Vec<u8> {
    let mut text = corpus[numbers.below(corpus.len())].to_vec();
    for _ in 0..=numbers.below(6) {
        let at = numbers.below(text.len() + 1);
        let end = at + numbers.below((text.len() - at).min(64) + 1);
        match numbers.below(8) {
            0 if at < text.len() => text[at] ^= 1 << numbers.below(8),
            1 if at < text.len() => text[at] = numbers.any() as u8,
            2 => drop(text.drain(at..end)),
            3 => {
                let part = text[at..end].repeat(1 + numbers.below(100));
                text.splice(at..at, part);
            }
            4 => text.truncate(at),
            5 => {
                let other = corpus[numbers.below(corpus.len())];
                text.truncate(at);
                text.extend_from_slice(&other[numbers.below(other.len())..]);
            }
            6 => {
                let line = piece(corpus, numbers);
                text.splice(at..at, line.iter().copied());
            }
            _ => {
                let token = TOKENS[numbers.below(TOKENS.len())].repeat(1 + numbers.below(3).pow(5));
                text.splice(at..at, token);
            }
        }
        text.truncate(USUAL);
    }
    if longest > USUAL {
        let mut part = Vec::new();
        while part.is_empty() || numbers.below(2) == 0 {
            part.extend_from_slice(match numbers.below(3) {
                0 => piece(corpus, numbers),
                _ => TOKENS[numbers.below(TOKENS.len())],
            });
        }
        let at = numbers.below(text.len() + 1);
        let count = (longest - text.len()) / part.len();
        text.splice(at..at, part.repeat(count));
    }
    text
}

/// A word or a line of a text.
fn piece<'a>(corpus: &[&'a [u8]], numbers: &mut Numbers) -> &'a [u8] {
    let text = corpus[numbers.below(corpus.len())];
    let ends: fn(&u8) -> bool =
        if numbers.below(2) == 0 { |byte| *byte == b'\n' } else { u8::is_ascii_whitespace };
    let pieces: Vec<&[u8]> = text.split_inclusive(ends).collect();
    pieces.get(numbers.below(pieces.len())).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_return_in_order_is_found_with_its_input() {
        let found = catch_unwind(|| {
            survives_text(&["a = 1\nb = 2\n"], |text| assert!(!text.contains("\\\\"), "two"))
        });
        let said = found
            .expect_err("a doubled token comes within the tries")
            .downcast::<String>()
            .expect("words");
        assert!(said.starts_with("two; seed ") && said.contains("\\\\\\\\"), "{said}");
    }

    #[test]
    fn damages_differ_and_some_are_long() {
        let corpus: [&[u8]; 2] = [b"server {\n}\n", b"x"];
        let all: std::collections::BTreeSet<_> =
            (1..500).map(|seed| damaged(&corpus, &mut Numbers::new(seed), USUAL)).collect();
        assert!(all.len() > 300, "{}", all.len());
        assert!(all.iter().all(|text| text.len() <= USUAL));
        let long = damaged(&corpus, &mut Numbers::new(1), LONGEST);
        assert!(long.len() > LONGEST / 2 && long.len() <= LONGEST + USUAL, "{}", long.len());
    }
}
