//! A program that does nothing but exit with 0, or say one thing before: what it costs to start and
//! to end, whatever a program does between.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Writes the program, and gives everyone the right to run it. It writes `text` to standard output,
/// where there is any, and exits: a system call each.
///
/// # Errors
///
/// If the file, or the mode of it or of its directory, cannot be written.
pub fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let code = if text.is_empty() { EXIT.to_vec() } else { say(text) };
    std::fs::write(path, elf(&code))?;
    let modes = path.ancestors().take(2);
    modes
        .into_iter()
        .try_for_each(|path| std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)))
}

/// `exit(0)`.
#[cfg(target_arch = "x86_64")]
const EXIT: &[u8] = &[
    0x31, 0xff, // xor edi, edi
    0xb8, 60, 0, 0, 0, // mov eax, 60
    0x0f, 0x05, // syscall
];

/// `write(1, text, length)` and `exit(0)`; the text follows.
#[cfg(target_arch = "x86_64")]
fn say(text: &str) -> Vec<u8> {
    let mut code = vec![0xb8, 1, 0, 0, 0]; // mov eax, 1
    code.extend([0xbf, 1, 0, 0, 0]); // mov edi, 1
    // From behind this instruction to the text: mov edx, syscall, and the exit.
    let distance = 5 + 2 + EXIT.len() as u8;
    code.extend([0x48, 0x8d, 0x35, distance, 0, 0, 0]); // lea rsi, [rip + distance]
    code.push(0xba); // mov edx, length
    code.extend((text.len() as u32).to_le_bytes());
    code.extend([0x0f, 0x05]); // syscall
    code.extend(EXIT);
    code.extend(text.as_bytes());
    code
}

/// `exit(0)`.
#[cfg(target_arch = "aarch64")]
const EXIT: &[u8] = &[
    0x00, 0x00, 0x80, 0xd2, // mov x0, 0
    0xa8, 0x0b, 0x80, 0xd2, // mov x8, 93
    0x01, 0x00, 0x00, 0xd4, // svc 0
];

/// `write(1, text, length)` and `exit(0)`; the text follows.
#[cfg(target_arch = "aarch64")]
fn say(text: &str) -> Vec<u8> {
    let mut code = vec![0x20, 0x00, 0x80, 0xd2]; // mov x0, 1
    // To the text: this instruction, three more, and the exit.
    let distance = 4 * 4 + EXIT.len() as u32;
    code.extend((0x1000_0001 | distance >> 2 << 5).to_le_bytes()); // adr x1, distance
    code.extend((0xd280_0002 | (text.len() as u32) << 5).to_le_bytes()); // mov x2, length
    code.extend([0x08, 0x08, 0x80, 0xd2]); // mov x8, 64
    code.extend([0x01, 0x00, 0x00, 0xd4]); // svc 0
    code.extend(EXIT);
    code.extend(text.as_bytes());
    code
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_its_text_and_exits() {
        for text in ["", "<resource-agent/>\n"] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("program");
            write(&path, text).unwrap();
            let done = std::process::Command::new(&path).output().unwrap();
            assert_eq!((done.status.code(), done.stdout.as_slice()), (Some(0), text.as_bytes()));
        }
    }
}
