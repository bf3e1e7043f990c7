//! Settings of the kernel's network stack, in the network namespace that this thread is in.
#![forbid(unsafe_code)]

use std::io;
use std::path::{Path, PathBuf};

use ocf::sys::file;

fn path(name: &str) -> PathBuf {
    Path::new("/proc/sys/net").join(name)
}

/// The value of a setting.
///
/// # Errors
/// When it cannot be read; a kernel may lack it.
pub fn get(name: &str) -> io::Result<String> {
    file::read_kernel_text(&path(name))
}

/// Changes a setting.
///
/// # Errors
/// When it cannot be written; in a container /proc/sys is often read-only.
pub fn set(name: &str, value: &str) -> io::Result<()> {
    file::write_kernel(&path(name), value)
}

/// Changes a setting for as long as `work` takes. Work is done in any case; whether the setting
/// could be changed is the second result.
pub fn with<T>(name: &str, value: &str, work: impl FnOnce() -> T) -> (T, bool) {
    let former = match get(name) {
        Ok(former) if former == value => return (work(), true),
        Ok(former) => former,
        Err(_) => return (work(), false),
    };
    let changed = set(name, value).is_ok();
    let done = work();
    if changed {
        // Back to what the administrator chose; nothing better can be done if it fails now.
        let _ = set(name, &former);
    }
    (done, changed)
}
