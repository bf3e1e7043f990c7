//! `include`: other files in the place of a directive, by name or by pattern.
#![forbid(unsafe_code)]

use std::path::Path;

use ocf::glob::{self, Files};

use super::grammar::{Directive, parse};

/// Files that include themselves end somewhere.
const DEEPEST: usize = 16;

/// The text of a file with all that it includes. Relative names begin at `base`, the directory of the main file, from
/// wherever they are included.
pub fn load(files: &dyn Files, path: &Path, base: &Path) -> Option<Vec<Directive>> {
    files.text(path).map(|text| expand(files, parse(&text), base, 0, &mut 0))
}

fn expand(
    files: &dyn Files,
    directives: Vec<Directive>,
    base: &Path,
    depth: usize,
    read: &mut usize,
) -> Vec<Directive> {
    let mut all = Vec::with_capacity(directives.len());
    for mut directive in directives {
        match (directive.name(), directive.arguments().first()) {
            ("include", Some(pattern)) if depth < DEEPEST => {
                for path in glob::expand(files, &base.join(pattern)) {
                    *read += 1;
                    // So do patterns that mean their own file.
                    if *read > glob::MOST {
                        break;
                    }
                    let text = files.text(&path).unwrap_or_default();
                    all.extend(expand(files, parse(&text), base, depth + 1, read));
                }
            }
            _ => {
                directive.block = expand(files, directive.block, base, depth, read);
                all.push(directive);
            }
        }
    }
    all
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
    fn a_file_that_includes_itself_ends() {
        let files = Tree(&[("/n", "a; include /n;")]);
        assert_eq!(load(&files, Path::new("/n"), Path::new("/")).unwrap().len(), 17 + 1);
        const TEXT: &str = "include /d/*;";
        let files = Tree(&[("/d/1", TEXT), ("/d/2", TEXT), ("/d/3", TEXT), ("/d/4", TEXT)]);
        assert!(load(&files, Path::new("/d/1"), Path::new("/")).is_some());
    }
}
