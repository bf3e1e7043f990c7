//! The configuration: each parameter, the forms of its values, and all of them judged together.

pub mod params;
pub mod parse;
pub mod settings;
