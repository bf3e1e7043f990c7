//! Files by path or by descriptor, with the two functions of the C library that do all of it.
//!
//! The dynamic linker looks up each function that a program uses, at every start: some thousand
//! instructions each, of the 300,000 of a monitor. glibc makes the same system calls of either.
#![forbid(unsafe_code)]

use std::os::fd::{AsFd, OwnedFd};

use nix::NixPath;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, openat};
use nix::sys::stat::{FileStat, Mode, fstatat};

/// open(2)
pub fn open<P: NixPath + ?Sized>(path: &P, flags: OFlag, mode: Mode) -> nix::Result<OwnedFd> {
    openat(AT_FDCWD, path, flags, mode)
}

/// stat(2)
pub fn stat<P: NixPath + ?Sized>(path: &P) -> nix::Result<FileStat> {
    fstatat(AT_FDCWD, path, AtFlags::empty())
}

/// lstat(2)
pub fn lstat<P: NixPath + ?Sized>(path: &P) -> nix::Result<FileStat> {
    fstatat(AT_FDCWD, path, AtFlags::AT_SYMLINK_NOFOLLOW)
}

/// fstat(2)
pub fn fstat(file: impl AsFd) -> nix::Result<FileStat> {
    fstatat(file, "", AtFlags::AT_EMPTY_PATH)
}
