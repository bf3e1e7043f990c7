//! A sum over the files of a configuration, to notice that they have changed. No secret hangs on
//! it.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};

use ocf::sys::file::{Trust, names, read};

/// No configuration file is larger.
const LARGEST: u64 = 16 << 20;

/// What a sum over nothing is.
const START: u64 = 0xcbf2_9ce4_8422_2325;

/// The sum, as text (FNV-1a, 64 bits, over names and contents). A file that cannot be read counts
/// as one that is not there: to judge that is haproxy's.
pub fn of(configs: &[PathBuf]) -> String {
    let mut sum = START;
    for file in configs.iter().flat_map(|path| files(path)) {
        add(&mut sum, file.as_os_str().as_encoded_bytes());
        add(&mut sum, &read(&file, LARGEST, Trust::Anyone).unwrap_or_default());
    }
    format!("{sum:016x}")
}

/// The sum over a text.
pub fn of_text(text: &str) -> String {
    let mut sum = START;
    add(&mut sum, text.as_bytes());
    format!("{sum:016x}")
}

fn add(sum: &mut u64, bytes: &[u8]) {
    // The length sets off one part from the next.
    for byte in bytes.iter().chain(&bytes.len().to_le_bytes()) {
        *sum = (*sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
}

/// The files that a configuration stands for: of a directory, those that end in `.cfg`, in order of
/// their names.
pub fn files(path: &Path) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path.to_owned()];
    }
    let mut found: Vec<PathBuf> = names(path).iter().map(|name| path.join(name)).collect();
    found.retain(|file| file.extension().is_some_and(|end| end == "cfg") && file.is_file());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_anywhere_changes_the_sum() {
        let folder = tempfile::tempdir().unwrap();
        let (file, directory) = (folder.path().join("a.cfg"), folder.path().join("d"));
        std::fs::create_dir(&directory).unwrap();
        let configs = [file.clone(), directory.clone()];
        let mut seen = vec![of(&configs)];
        let mut changed = || {
            let now = of(&configs);
            let is_new = !seen.contains(&now);
            seen.push(now);
            is_new
        };
        std::fs::write(&file, "global\n").unwrap();
        assert!(changed());
        std::fs::write(directory.join("b.cfg"), "x").unwrap();
        assert!(changed());
        std::fs::write(directory.join("b.txt"), "x").unwrap();
        assert!(!changed(), "not part of it");
        std::fs::write(directory.join("b.cfg"), "y").unwrap();
        assert!(changed());
        std::fs::rename(directory.join("b.cfg"), directory.join("c.cfg")).unwrap();
        assert!(changed());
        std::fs::remove_file(&file).unwrap();
        assert!(changed());
    }
}
