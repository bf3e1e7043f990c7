//! The edges to the operating system that two or more agents use. Each module does one thing.

pub mod clock;
pub mod command;
pub mod file;
pub mod pidfile;
pub mod process;
