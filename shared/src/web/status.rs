//! Which status codes are good ones.
#![forbid(unsafe_code)]

use std::fmt;
use std::ops::RangeInclusive;

/// A set of HTTP status codes: `200`, `200,204`, `2xx`, `200-299`, or a mixture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statuses {
    text: String,
    ranges: Vec<RangeInclusive<u16>>,
}

impl Statuses {
    /// Reads a set.
    ///
    /// # Errors
    /// What is allowed instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let ranges = text.split(',').map(|part| range(part.trim())).collect::<Option<_>>();
        let ranges = ranges
            .ok_or_else(|| "status codes such as 200 or 200,204 or 2xx or 200-299".to_owned())?;
        Ok(Self { text: text.to_owned(), ranges })
    }

    /// Any answer that shows that the server itself works: all below 500.
    #[must_use]
    pub fn alive() -> Self {
        Self { text: "100-499".to_owned(), ranges: vec![100..=499] }
    }

    /// Whether a code is in the set.
    #[must_use]
    pub fn contains(&self, status: u16) -> bool {
        self.ranges.iter().any(|range| range.contains(&status))
    }
}

impl fmt::Display for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn range(text: &str) -> Option<RangeInclusive<u16>> {
    let lower = text.to_ascii_lowercase();
    if let Some(class) = lower.strip_suffix("xx") {
        let first = class.parse().ok().filter(|class: &u16| class_is_known(class, text))? * 100;
        return Some(first..=first + 99);
    }
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    let (low, high) = (code(low.trim())?, code(high.trim())?);
    (low <= high).then_some(low..=high)
}

fn class_is_known(class: &u16, text: &str) -> bool {
    text.len() == 3 && (1..=5).contains(class)
}

fn code(text: &str) -> Option<u16> {
    let digits = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|code| digits && (100..=599).contains(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fuzz_any_list_of_codes_is_read_or_refused() {
        crate::testing::fuzz::survives_text(&["200,204 300-399 5xx", "2xx,301"], |text| {
            drop(Statuses::parse(text))
        });
    }

    #[test]
    fn sets_are_codes_classes_and_ranges() {
        for (text, inside, outside) in [
            ("200", &[200][..], &[201, 199, 404][..]),
            ("200,204", &[200, 204], &[201, 203]),
            ("2xx", &[200, 204, 299], &[199, 300]),
            ("2XX, 301", &[200, 301], &[302]),
            ("200-299", &[200, 250, 299], &[300]),
            ("200 - 204,4xx", &[203, 404], &[205, 500]),
            ("100-599", &[100, 599], &[600]),
        ] {
            let set = Statuses::parse(text).unwrap();
            assert!(inside.iter().all(|code| set.contains(*code)), "{text}");
            assert!(!outside.iter().any(|code| set.contains(*code)), "{text}");
            assert_eq!(set.to_string(), text);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in [
            "", "ok", "20", "2000", "0xx", "6xx", "22xx", "xx", "+2xx", "299-200", "200-", "200,",
            "+20", "-200", "99",
        ] {
            assert!(Statuses::parse(bad).is_err(), "{bad:?}");
        }
    }
}
