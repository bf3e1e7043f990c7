//! stub
use crate::invocation::Invocation;
use std::fmt::Arguments;
pub enum Level {
    Warn,
    Error,
}
pub struct Log;
impl Log {
    pub fn new(_n: &str, _i: &Invocation) -> Self {
        Log
    }
    pub fn trace(&self, _a: Arguments<'_>) {}
    pub fn debug(&self, _a: Arguments<'_>) {}
    pub fn info(&self, _a: Arguments<'_>) {}
    pub fn warn(&self, a: Arguments<'_>) {
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), "{a}");
    }
    pub fn aside(&self, _l: Level, _a: Arguments<'_>) {}
}
pub fn fold_line(s: &str) -> String {
    s.replace('\n', " ")
}
