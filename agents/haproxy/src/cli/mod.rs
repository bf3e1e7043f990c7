//! What HAProxy says on its command line sockets, as values. Pure: text in, values out; whatever
//! the text is, there is an answer or none, in time that grows with its length alone.
#![forbid(unsafe_code)]

pub mod info;
pub mod proc;
pub mod stat;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod recorded;
