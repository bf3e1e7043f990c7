//! Links the compiler's unwinder into the agents, where its static library is at hand: they need
//! nothing but the C library then, and start sooner, for the dynamic linker has one library less to
//! look through for each symbol.

#![allow(
    clippy::disallowed_methods,
    reason = "the rules for agents; this runs where they are built"
)]

use std::process::Command;

const LIBRARY: &str = "libgcc_eh.a";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=CC");
    println!("cargo::rerun-if-env-changed=RUSTC_LINKER");
    let is_native = std::env::var("TARGET").ok() == std::env::var("HOST").ok();
    let is_gnu = std::env::var("CARGO_CFG_TARGET_ENV").is_ok_and(|env| env == "gnu");
    // The compiler's own library, of the compiler that links: another linker (zig's, for an older C
    // library) brings its own, and this one may ask for what that C library does not have.
    let is_default = std::env::var("RUSTC_LINKER").is_err();
    if !is_native || !is_gnu || !is_default {
        return;
    }
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let Ok(output) = Command::new(compiler).arg(format!("-print-file-name={LIBRARY}")).output()
    else {
        return;
    };
    let path = String::from_utf8_lossy(&output.stdout);
    // A compiler without it answers with the bare name.
    let Some(directory) =
        path.trim().strip_suffix(LIBRARY).filter(|directory| directory.starts_with('/'))
    else {
        return;
    };
    println!("cargo::rustc-link-search=native={directory}");
    // Whole: what needs it is linked later.
    println!("cargo::rustc-link-lib=static:+whole-archive=gcc_eh");
}
