//! stub
use std::io;
use std::path::Path;
pub fn read_small(path: &Path, _limit: u64) -> io::Result<Option<Vec<u8>>> {
    match std::fs::read(path) {
        Ok(b) => Ok(Some(b)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}
pub fn ensure_dir(path: &Path, _mode: u32) -> io::Result<()> {
    std::fs::create_dir_all(path)
}
pub fn write_if_changed(path: &Path, bytes: &[u8], _mode: u32) -> io::Result<bool> {
    std::fs::write(path, bytes)?;
    Ok(true)
}
