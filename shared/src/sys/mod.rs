//! The edges to the operating system that two or more agents use. Each module does one thing.

mod apart;
pub(crate) mod at;
pub mod clients;
pub mod clock;
pub(crate) mod code;
pub mod command;
#[cfg(feature = "http")]
pub mod endpoint;
pub mod file;
#[cfg(feature = "http")]
pub mod http;
pub mod listen;
#[cfg(feature = "netlink")]
pub mod netlink;
pub mod pidfile;
pub mod process;
pub mod resolve;
