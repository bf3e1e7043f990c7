//! The grammar of nginx's configuration: words, quotes, comments, blocks.
//!
//! Reading never fails: whether a text is right is nginx's to say (`nginx -t`); a stop must find
//! the pid file also in one that has an error further down.
#![forbid(unsafe_code)]

/// A directive with its arguments, and what stands in its braces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directive {
    /// Its name and its arguments, without quotes.
    pub words: Vec<String>,
    /// The directives of its block; none for a simple directive.
    pub block: Vec<Directive>,
}

impl Directive {
    /// Its name.
    pub fn name(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    /// Its arguments.
    pub fn arguments(&self) -> &[String] {
        self.words.get(1..).unwrap_or_default()
    }
}

/// Blocks deeper than nginx has any; more is no configuration, and must not cost us the stack.
const DEEPEST: usize = 32;

/// Reads a text.
pub fn parse(text: &str) -> Vec<Directive> {
    let mut reader = Reader { bytes: text.as_bytes(), at: 0 };
    let mut top = Vec::new();
    // A closing brace too many ends nothing.
    while reader.at < reader.bytes.len() {
        top.extend(reader.directives(0));
    }
    top
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    /// Directives up to the closing brace or the end.
    fn directives(&mut self, depth: usize) -> Vec<Directive> {
        let mut all = Vec::new();
        let mut words: Vec<String> = Vec::new();
        while let Some(byte) = self.bytes.get(self.at).copied() {
            match byte {
                b if b.is_ascii_whitespace() => self.at += 1,
                b'#' => self.skip_line(),
                b';' => {
                    self.at += 1;
                    push(
                        &mut all,
                        Directive { words: std::mem::take(&mut words), block: Vec::new() },
                    );
                }
                b'{' => {
                    self.at += 1;
                    // What is in such a block is Lua.
                    let foreign = words.first().is_some_and(|name| name.ends_with("_by_lua_block"));
                    let block = if foreign || depth == DEEPEST {
                        self.skip_block();
                        Vec::new()
                    } else {
                        self.directives(depth + 1)
                    };
                    push(&mut all, Directive { words: std::mem::take(&mut words), block });
                }
                b'}' => {
                    self.at += 1;
                    break;
                }
                quote @ (b'"' | b'\'') => {
                    self.at += 1;
                    words.push(self.word(|byte| byte == quote));
                    self.at += 1;
                }
                _ => words.push(
                    self.word(|byte| byte.is_ascii_whitespace() || matches!(byte, b';' | b'{')),
                ),
            }
        }
        push(&mut all, Directive { words, block: Vec::new() });
        all
    }

    /// The bytes up to one that ends the word, with what backslashes mean. A `${` does not open a
    /// block.
    fn word(&mut self, ends: impl Fn(u8) -> bool) -> String {
        let mut word = Vec::new();
        while let Some(byte) = self.bytes.get(self.at).copied() {
            let next = self.bytes.get(self.at + 1).copied();
            match (byte, next) {
                (b'\\', Some(next)) => {
                    match next {
                        b'"' | b'\'' | b'\\' => word.push(next),
                        b't' => word.push(b'\t'),
                        b'r' => word.push(b'\r'),
                        b'n' => word.push(b'\n'),
                        _ => word.extend([byte, next]),
                    }
                    self.at += 2;
                }
                (b'$', Some(b'{')) => {
                    word.extend(b"${");
                    self.at += 2;
                }
                _ if ends(byte) => break,
                _ => {
                    word.push(byte);
                    self.at += 1;
                }
            }
        }
        String::from_utf8_lossy(&word).into_owned()
    }

    fn skip_line(&mut self) {
        while self.bytes.get(self.at).is_some_and(|byte| *byte != b'\n') {
            self.at += 1;
        }
    }

    fn skip_block(&mut self) {
        let mut open = 1_usize;
        while let Some(byte) = self.bytes.get(self.at) {
            self.at += 1;
            match byte {
                b'{' => open += 1,
                b'}' => open -= 1,
                _ => {}
            }
            if open == 0 {
                return;
            }
        }
    }
}

fn push(all: &mut Vec<Directive>, directive: Directive) {
    if !directive.words.is_empty() || !directive.block.is_empty() {
        all.push(directive);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<Vec<String>> {
        parse(text).into_iter().map(|directive| directive.words).collect()
    }

    #[test]
    fn several_directives_share_a_line_and_one_has_several() {
        assert_eq!(
            words("pid /run/a.pid;user\n www-data\n\tadm ;"),
            [vec!["pid", "/run/a.pid"], vec!["user", "www-data", "adm"]]
        );
    }

    #[test]
    fn quotes_and_backslashes_are_read_as_nginx_does() {
        assert_eq!(
            words(r#"pid "/run/a b;{.pid"; x 'it\'s' "" a\ b \d;"#)[0],
            ["pid", "/run/a b;{.pid"]
        );
        assert_eq!(words(r#"x 'it\'s' "" a"b;"#)[0], ["x", "it's", "", "a\"b"]);
        assert_eq!(words(r"if ($a ~ \d) { }")[0], ["if", "($a", "~", r"\d)"]);
    }

    #[test]
    fn comments_begin_where_a_word_could() {
        assert_eq!(
            words("# pid a;\npid b; # pid c;\nx a#b;"),
            [vec!["pid", "b"], vec!["x", "a#b"]]
        );
    }

    #[test]
    fn blocks_nest_and_variables_open_none() {
        let all = parse("http { server { listen 80; root /srv/${host}/x; } } events {}");
        assert_eq!(all.iter().map(Directive::name).collect::<Vec<_>>(), ["http", "events"]);
        assert_eq!(all[0].block[0].block[1].words, ["root", "/srv/${host}/x"]);
    }

    #[test]
    fn a_program_in_another_language_is_left_out() {
        let all = parse("content_by_lua_block { ngx.say(\"a; b\") if x { y } } listen 80;");
        assert_eq!(all[0].block, []);
        assert_eq!(all[1].words, ["listen", "80"]);
    }

    #[test]
    fn what_is_wrong_further_down_hides_nothing() {
        assert_eq!(words("pid /run/a.pid; } http { server {")[0], ["pid", "/run/a.pid"]);
        assert_eq!(words("pid /run/a.pid; \"never closed")[0], ["pid", "/run/a.pid"]);
        parse(&"a{".repeat(100_000));
    }
}
