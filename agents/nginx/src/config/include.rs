//! `include`: other files in the place of a directive, by name or by pattern.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};

use ocf::glob::{self, Files};

use super::grammar::{Directive, parse};

/// How deep files include each other: a link may give one of them another name.
const DEEPEST: usize = 16;

/// The most bytes that are read of all files together: several that include each other mean
/// thousands of texts.
const LARGEST: usize = 16 << 20;

/// The text of a file with all that it includes. Relative names begin at `base`, the directory of
/// the main file, from wherever they are included.
pub fn load(files: &dyn Files, path: &Path, base: &Path) -> Option<Vec<Directive>> {
    let text = files.text(path)?;
    let mut reader =
        Reader { files, base, open: vec![path.to_owned()], count: 0, bytes: text.len() };
    Some(reader.expand(parse(&text)))
}

struct Reader<'a> {
    files: &'a dyn Files,
    base: &'a Path,
    /// The files that are being read. One of them that is included again would have no end, and
    /// nginx refuses it.
    open: Vec<PathBuf>,
    /// How many files were included, and how many bytes were read.
    count: usize,
    bytes: usize,
}

impl Reader<'_> {
    fn expand(&mut self, directives: Vec<Directive>) -> Vec<Directive> {
        let mut all = Vec::with_capacity(directives.len());
        for mut directive in directives {
            match (directive.name(), directive.arguments().first()) {
                ("include", Some(pattern)) if self.open.len() <= DEEPEST => {
                    for path in glob::expand(self.files, &self.base.join(pattern)) {
                        all.extend(self.include(path));
                    }
                }
                _ => {
                    directive.block = self.expand(directive.block);
                    all.push(directive);
                }
            }
        }
        all
    }

    fn include(&mut self, path: PathBuf) -> Vec<Directive> {
        self.count += 1;
        if self.count > glob::MOST || self.bytes > LARGEST || self.open.contains(&path) {
            return Vec::new();
        }
        let text = self.files.text(&path).unwrap_or_default();
        self.bytes += text.len();
        self.open.push(path);
        let directives = self.expand(parse(&text));
        self.open.pop();
        directives
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ocf::testing::Tree;

    #[test]
    fn files_are_included_in_order_from_the_main_files_directory() {
        let files = Tree(&[
            ("/e/n.conf", "include d/*.conf; http { include \"s/*\"; include none/*.conf; }"),
            ("/e/d/b.conf", "b;"),
            ("/e/d/a.conf", "a; include d/deep/x;"),
            ("/e/d/deep/x", "x;"),
            ("/e/s/site", "server { listen 81; }"),
        ]);
        let all = load(&files, Path::new("/e/n.conf"), Path::new("/e")).unwrap();
        assert_eq!(all.iter().map(Directive::name).collect::<Vec<_>>(), ["a", "x", "b", "http"]);
        assert_eq!(all[3].block[0].block[0].words, ["listen", "81"]);
        assert_eq!(load(&files, Path::new("/e/none"), Path::new("/e")), None);
    }

    #[test]
    fn a_file_that_includes_itself_is_read_once() {
        let files = Tree(&[("/n", "a; include /n; b;")]);
        assert_eq!(load(&files, Path::new("/n"), Path::new("/")).unwrap().len(), 2);
    }

    #[test]
    fn wt_7_files_that_include_each_other_take_no_time() {
        // Half a megabyte, ten thousand times.
        let text = format!("include /d/*;{}", " # x\n".repeat(100_000));
        let names: Vec<String> = (0..20).map(|number| format!("/d/{number}")).collect();
        let files: Vec<(&str, &str)> =
            names.iter().map(|name| (name.as_str(), text.as_str())).collect();
        let began = std::time::Instant::now();
        assert!(load(&Tree(&files), Path::new("/d/1"), Path::new("/")).is_some());
        assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", began.elapsed());
    }
}
