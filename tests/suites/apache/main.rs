//! apache against the real server: one test for each failure that users of web server agents have
//! met.
//!
//! A name that begins with `ap_NN` is a row of the list of reported failures; the doc comment says
//! what went wrong and where it was reported (`RA#n`: ClusterLabs/resource-agents).
#![allow(
    clippy::disallowed_methods,
    reason = "tests own the environment and processes of what they test"
)]

mod adoption;
mod checks;
mod children;
mod explain;
mod identity;
mod layouts;
mod life;
mod meanwhile;
mod ocft;
mod processes;
mod reload;
mod site;
mod table;
