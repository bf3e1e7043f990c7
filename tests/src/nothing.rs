//! A program that does nothing but exit with 0: what it costs to start and to end, whatever a
//! program does between.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Writes the program, of one system call, and gives everyone the right to run it.
///
/// # Errors
///
/// If the file, or the mode of it or of its directory, cannot be written.
pub fn write(path: &Path) -> std::io::Result<()> {
    std::fs::write(path, elf(CODE))?;
    let modes = path.ancestors().take(2);
    modes
        .into_iter()
        .try_for_each(|path| std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)))
}

/// `exit(0)`.
#[cfg(target_arch = "x86_64")]
const CODE: &[u8] = &[
    0x31, 0xff, // xor edi, edi
    0xb8, 60, 0, 0, 0, // mov eax, 60
    0x0f, 0x05, // syscall
];

/// `exit(0)`.
#[cfg(target_arch = "aarch64")]
const CODE: &[u8] = &[
    0x00, 0x00, 0x80, 0xd2, // mov x0, 0
    0xa8, 0x0b, 0x80, 0xd2, // mov x8, 93
    0x01, 0x00, 0x00, 0xd4, // svc 0
];

/// The smallest file that the kernel runs: one header, one segment, and code (elf(5)).
fn elf(code: &[u8]) -> Vec<u8> {
    const BASE: u64 = 0x40_0000;
    const HEADERS: u64 = 64 + 56;
    let machine: u16 = if cfg!(target_arch = "aarch64") { 183 } else { 62 };
    let size = HEADERS + code.len() as u64;
    let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    // An executable; version 1; where it begins; program headers follow, there are no sections.
    file.extend([2_u16.to_le_bytes(), machine.to_le_bytes()].concat());
    file.extend(1_u32.to_le_bytes());
    file.extend([BASE + HEADERS, 64, 0].map(u64::to_le_bytes).concat());
    file.extend(0_u32.to_le_bytes());
    file.extend([64_u16, 56, 1, 64, 0, 0].map(u16::to_le_bytes).concat());
    // To be loaded, readable and executable: all of the file, at its address.
    file.extend([1_u32, 5].map(u32::to_le_bytes).concat());
    file.extend([0, BASE, BASE, size, size, 0x1000].map(u64::to_le_bytes).concat());
    file.extend(code);
    file
}
