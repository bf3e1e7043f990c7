//! A README of the tree as a man page shows it. Only the marks that these documents use are known:
//! headings, paragraphs, lists, tables, blocks that are set in, `**bold**`, `` `code` `` and links.
#![forbid(unsafe_code)]

use roff::{Inline, Roff, bold, italic, roman};

/// The page that a link to the README of the shared crate leads to.
pub const SHARED: &str = "shared/README.md";

/// A part of a document: a heading of the second order, and what stands below it. The first part
/// has the title of the document.
#[derive(Debug, PartialEq, Eq)]
pub struct Section {
    /// Its heading, without marks.
    pub title: String,
    /// What stands in it.
    pub blocks: Vec<Block>,
}

/// A piece of a section.
#[derive(Debug, PartialEq, Eq)]
pub enum Block {
    /// Text.
    Paragraph(String),
    /// An entry of a list.
    Item(String),
    /// Lines that stay as they are.
    Literal(Vec<String>),
    /// The heads of the columns, and the cells.
    Table(Vec<String>, Vec<Vec<String>>),
}

/// Divides a document.
#[must_use]
pub fn sections(document: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    let mut piece: Vec<&str> = Vec::new();
    for line in document.lines().chain([""]) {
        let title = line.strip_prefix("# ").or_else(|| line.strip_prefix("## "));
        let is_item = line.starts_with("- ");
        let goes_on = !line.is_empty() && title.is_none() && !is_item;
        if goes_on {
            piece.push(line);
            continue;
        }
        let blocks = sections.last_mut().map(|section| &mut section.blocks);
        if let (Some(blocks), Some(new)) = (blocks, block(&std::mem::take(&mut piece))) {
            match (blocks.last_mut(), new) {
                // An empty line within a block.
                (Some(Block::Literal(lines)), Block::Literal(more)) => {
                    lines.push(String::new());
                    lines.extend(more);
                }
                (_, new) => blocks.push(new),
            }
        }
        if let Some(title) = title {
            sections.push(Section { title: title.replace('`', ""), blocks: Vec::new() });
        }
        piece.extend(is_item.then_some(line));
    }
    sections
}

fn block(lines: &[&str]) -> Option<Block> {
    let first = lines.first()?;
    if first.starts_with("<!--") {
        return None;
    }
    let joined =
        |lines: &[&str]| lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
    Some(if let Some(text) = first.strip_prefix("- ") {
        Block::Item(joined(&[&[text], &lines[1..]].concat()))
    } else if first.starts_with("    ") {
        Block::Literal(lines.iter().map(|line| line[4.min(line.len())..].to_owned()).collect())
    } else if first.starts_with('|') {
        let mut rows = lines.iter().map(|line| cells(line));
        let heads = rows.next()?;
        Block::Table(heads, rows.skip(1).collect())
    } else {
        Block::Paragraph(joined(lines))
    })
}

fn cells(row: &str) -> Vec<String> {
    let row = row.trim().trim_start_matches('|').trim_end_matches('|');
    row.split('|').map(|cell| cell.trim().to_owned()).collect()
}

/// Adds pieces to a page. `shared` is the page that stands for [`SHARED`].
pub fn render(page: &mut Roff, blocks: &[Block], shared: &str) {
    let mut is_first = true;
    for block in blocks {
        let is_first = std::mem::take(&mut is_first);
        match block {
            Block::Paragraph(text) => {
                if !is_first {
                    page.control("PP", []);
                }
                page.text(inlines(text, shared));
            }
            Block::Item(text) => {
                page.control("IP", ["\\(bu", "2"]).text(inlines(text, shared));
            }
            Block::Literal(lines) => {
                if !is_first {
                    page.control("PP", []);
                }
                literal(page, lines);
            }
            Block::Table(heads, rows) => {
                rows.iter().for_each(|row| entry(page, heads, row, shared))
            }
        }
    }
}

/// A row: its first cell, and below it the others, each with the head of its column where there are
/// several.
fn entry(page: &mut Roff, heads: &[String], row: &[String], shared: &str) {
    let Some((name, values)) = row.split_first() else { return };
    page.control("TP", []).text(inlines(name, shared));
    let mut line = Vec::new();
    for (head, value) in heads.iter().skip(1).zip(values).filter(|(_, value)| !value.is_empty()) {
        if !line.is_empty() {
            line.push(roman("; "));
        }
        if values.len() > 1 && !head.is_empty() {
            line.push(italic(head.replace('`', "")));
            line.push(roman(": "));
        }
        line.extend(inlines(value, shared));
    }
    page.text(line);
}

/// Lines that stay as they are, set in.
fn literal(page: &mut Roff, lines: &[String]) {
    page.control("RS", ["4"]).control("nf", []);
    for line in lines {
        page.text([roman(line)]);
    }
    page.control("fi", []).control("RE", []);
}

/// A text with its marks: what is bold or code is bold; of a link its text is left, or the page
/// that stands for the document.
fn inlines(text: &str, shared: &str) -> Vec<Inline> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['`', '*', '[']) {
        let (before, mark) = rest.split_at(at);
        let known = enclosed(mark, "`", "`").or_else(|| enclosed(mark, "**", "**"));
        if let Some((inner, after)) = known {
            found.extend([roman(before), bold(inner.replace('`', ""))]);
            rest = after;
        } else if let Some((name, after)) = enclosed(mark, "[", "]")
            && let Some((target, after)) = enclosed(after, "(", ")")
        {
            found.push(roman(before));
            if target.contains(SHARED) {
                found.extend([bold(shared), roman("(7)")]);
            } else {
                found.push(roman(name.replace('`', "")));
            }
            rest = after;
        } else {
            let (mark, after) = mark.split_at(1);
            found.push(roman(format!("{before}{mark}")));
            rest = after;
        }
    }
    found.push(roman(rest));
    found
}

/// What stands between two marks at the beginning of a text, and what follows.
fn enclosed<'a>(text: &'a str, open: &str, close: &str) -> Option<(&'a str, &'a str)> {
    text.strip_prefix(open)?.split_once(close).filter(|(inner, _)| !inner.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = "# Lamp\n\nIt **shines**,\nsays [me](../../shared/README.md#x).\n\n## \
        A `b`\n\n- one\n  more\n- two\n\n\
                            <!-- not run: no -->\n\n    a \\\n      b\n\n    c\n\n| reason | what \
                            |\n| --- | --- |\n| `x …`; `y` | Do. |\n";

    #[test]
    fn a_document_is_divided_as_people_see_it() {
        let found = sections(DOCUMENT);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].title.as_str(), found[1].title.as_str()), ("Lamp", "A b"));
        let [one, two, code, table] = found[1].blocks.as_slice() else { panic!("{found:#?}") };
        assert_eq!(*one, Block::Item("one more".into()));
        assert_eq!(*two, Block::Item("two".into()));
        let lines = ["a \\", "  b", "", "c"].map(str::to_owned).to_vec();
        assert_eq!(*code, Block::Literal(lines));
        let row = ["`x …`; `y`", "Do."].map(str::to_owned).to_vec();
        assert_eq!(*table, Block::Table(vec!["reason".into(), "what".into()], vec![row]));
    }

    #[test]
    fn marks_become_fonts_and_a_link_to_the_shared_document_its_page() {
        let mut page = Roff::new();
        for section in sections(DOCUMENT) {
            render(&mut page, &section.blocks, "ocf_x");
        }
        let text = page.to_roff();
        for part in [
            "It \\fBshines\\fR, says \\fBocf_x\\fR(7).",
            ".IP \\(bu 2\none more",
            "\\fBx …\\fR; \\fBy\\fR\nDo.",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("not run"), "{text}");
    }
}
