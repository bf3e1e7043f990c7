//! JUnit's XML, as Jenkins and GitLab read it: a suite a run. A warning that does not fail is
//! output of its test.
#![forbid(unsafe_code)]

use std::io;
use std::path::Path;
use std::time::Duration;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::{fails, find, folded, plain, shown};
use crate::check::Check;
use crate::verdict::{Judgement, Report, Verdict};

/// The document of all runs.
///
/// # Errors
/// None that memory can cause.
pub fn document(reports: &[Report], table: &[&'static Check], strict: bool) -> io::Result<String> {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let took = reports.iter().map(|report| report.took).sum();
    let root = writer.create_element("testsuites").with_attribute(("name", "ocf-tester"));
    let root = root.with_attributes(counts(reports, strict, took).iter().map(borrowed));
    root.write_inner_content(|writer| {
        reports.iter().try_for_each(|report| suite(writer, report, table, strict))
    })?;
    let mut bytes = writer.into_inner();
    bytes.push(b'\n');
    String::from_utf8(bytes).map_err(io::Error::other)
}

fn counts(reports: &[Report], strict: bool, took: Duration) -> [(&'static str, String); 5] {
    let all = || reports.iter().flat_map(|report| &report.judgements);
    [
        ("tests", all().count().to_string()),
        (
            "failures",
            all().filter(|judgement| fails(&judgement.verdict, strict)).count().to_string(),
        ),
        ("errors", "0".to_owned()),
        ("skipped", reports.iter().map(|report| report.count("skip")).sum::<usize>().to_string()),
        ("time", seconds(took)),
    ]
}

fn borrowed<'a>((name, value): &'a (&'static str, String)) -> (&'a str, &'a str) {
    (name, value)
}

fn seconds(duration: Duration) -> String {
    format!("{:.3}", duration.as_secs_f64())
}

fn suite(
    writer: &mut Writer<Vec<u8>>,
    report: &Report,
    table: &[&'static Check],
    strict: bool,
) -> io::Result<()> {
    let set = if report.set.is_empty() { String::new() } else { format!(" [{}]", report.set) };
    let name = folded(&format!("{}{set}", report.agent));
    // Jenkins makes folders of what stands between dots.
    let kind = Path::new(&report.agent).file_name().unwrap_or_default().to_string_lossy();
    let class = folded(&if report.set.is_empty() {
        kind.into_owned()
    } else {
        format!("{kind}.{}", report.set)
    });
    let element = writer.create_element("testsuite").with_attribute(("name", name.as_str()));
    let counts = counts(std::slice::from_ref(report), strict, report.took);
    element.with_attributes(counts.iter().map(borrowed)).write_inner_content(|writer| {
        for judgement in &report.judgements {
            case(writer, report, judgement, &class, table, strict)?;
        }
        let notes: Vec<&str> =
            report.notes.iter().chain(&report.changes).map(String::as_str).collect();
        if !notes.is_empty() {
            let notes = plain(&notes.join("\n"));
            writer.create_element("system-out").write_text_content(BytesText::new(&notes))?;
        }
        Ok(())
    })?;
    Ok(())
}

fn case(
    writer: &mut Writer<Vec<u8>>,
    report: &Report,
    judgement: &Judgement,
    class: &str,
    table: &[&'static Check],
    strict: bool,
) -> io::Result<()> {
    let time = seconds(judgement.took);
    let element = writer.create_element("testcase").with_attribute(("classname", class));
    let element =
        element.with_attribute(("name", judgement.id)).with_attribute(("time", time.as_str()));
    let found = match &judgement.verdict {
        Verdict::Pass => return element.write_empty().map(drop),
        Verdict::Info(found)
        | Verdict::Warn(found)
        | Verdict::Fail(found)
        | Verdict::Skip(found) => found,
    };
    let message = folded(found);
    let full = plain(&match find(judgement.id, table) {
        Some(check) => {
            format!("{}\n{found}\nrule: {}\nfix: {}", check.says, check.clause, check.fix)
        }
        None => found.clone(),
    });
    let full = shown(report, judgement)
        .map_or(full.clone(), |command| format!("{full}\nrun: {}", plain(&command)));
    element.write_inner_content(|writer| {
        match &judgement.verdict {
            Verdict::Skip(_) => writer
                .create_element("skipped")
                .with_attribute(("message", message.as_str()))
                .write_empty(),
            verdict if fails(verdict, strict) => writer
                .create_element("failure")
                .with_attribute(("message", message.as_str()))
                .with_attribute(("type", verdict.word()))
                .write_text_content(BytesText::new(&full)),
            verdict => {
                let text = format!(
                    "{}: {full}",
                    if matches!(verdict, Verdict::Warn(_)) { "warning" } else { "info" }
                );
                writer.create_element("system-out").write_text_content(BytesText::new(&text))
            }
        }
        .map(drop)
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::{report, table};

    fn count(document: &roxmltree::Document<'_>, element: &str) -> usize {
        document.descendants().filter(|node| node.has_tag_name(element)).count()
    }

    #[test]
    fn nasty_text_makes_valid_xml() {
        let text = document(&[report(), report()], &table(), false).unwrap();
        let document = roxmltree::Document::parse(&text).unwrap();
        let root = document.root_element();
        let counts =
            ["tests", "failures", "errors", "skipped"].map(|name| root.attribute(name).unwrap());
        assert_eq!(counts, ["8", "2", "0", "2"]);
        assert_eq!([count(&document, "testsuite"), count(&document, "testcase")], [2, 8]);
        assert_eq!([count(&document, "failure"), count(&document, "skipped")], [2, 2]);
        let failure = document.descendants().find(|node| node.has_tag_name("failure")).unwrap();
        assert!(
            failure
                .attribute("message")
                .unwrap()
                .starts_with("a\\u{1b}[2J\\u{0}\\u{7f}\\u{85}\\u{ffff}<&>\"'\\")
        );
        assert!(failure.text().unwrap().ends_with("rule: OCF 1.1, start\nfix: Start it."));
    }

    #[test]
    fn a_warning_is_output_of_its_test_and_a_failure_when_strict() {
        let warned = document(&[report()], &table(), false).unwrap();
        assert!(warned.contains("<system-out>warning: It stops."), "{warned}");
        let strict = document(&[report()], &table(), true).unwrap();
        assert!(strict.contains("failures=\"2\"") && strict.contains("type=\"warn\""), "{strict}");
    }
}
