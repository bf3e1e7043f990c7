//! What the portable files (`make portable`: musl, static, position-independent) have of their own,
//! so that they start soon.

use nix::libc;

/// musl's own heap takes memory from the kernel in small parts, and gives each back as soon as it
/// is free: that is a third of the system calls of a short monitor.
#[global_allocator]
static HEAP: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

// Where such a file begins (the Makefile names it to the linker), before C's `_start`.
//
// That writes the file's own addresses into its data, 14 pages of IPaddr2, and the kernel stops the
// program at each of them to copy the page. One call has all copied before: madvise(2) with
// MADV_POPULATE_WRITE, from the first of the sections that are written to the end of the last. A
// kernel before 5.14 does not know it and changes nothing.
//
// It is not Rust because none can run before the addresses are there. The registers that it changes
// have no meaning for musl's `_start`, and it does not touch the stack.
#[cfg(target_arch = "x86_64")]
core::arch::global_asm!(
    ".globl ocf_start",
    ".hidden __init_array_start",
    ".hidden _end",
    ".type ocf_start, @function",
    "ocf_start:",
    "lea rdi, [rip + __init_array_start]",
    "and rdi, -4096",
    "lea rsi, [rip + _end]",
    "sub rsi, rdi",
    "mov edx, {populate_write}",
    "mov eax, {madvise}",
    "syscall",
    "xor edx, edx",
    "jmp _start",
    populate_write = const libc::MADV_POPULATE_WRITE,
    madvise = const libc::SYS_madvise,
);

#[cfg(target_arch = "aarch64")]
core::arch::global_asm!(
    ".globl ocf_start",
    ".hidden __init_array_start",
    ".hidden _end",
    ".type ocf_start, @function",
    "ocf_start:",
    "adrp x0, __init_array_start",
    "adrp x1, _end",
    "add x1, x1, 4096",
    "sub x1, x1, x0",
    "mov x2, {populate_write}",
    "mov x8, {madvise}",
    "svc 0",
    "mov x0, 0",
    "b _start",
    populate_write = const libc::MADV_POPULATE_WRITE,
    madvise = const libc::SYS_madvise,
);
