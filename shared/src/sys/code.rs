//! The pages of this process that are only copies of its files: its code and its constants.

use std::ffi::{c_int, c_void};

use nix::libc;

/// Discards the code and the constants of this program and its libraries, so that a process that
/// sleeps has little memory. The kernel maps what is used again from its page cache.
pub fn discard_pages() {
    // SAFETY: the callback is called for each object in memory, with descriptions that are valid
    // until it returns (dl_iterate_phdr(3)), and has no use for the last argument.
    unsafe {
        libc::dl_iterate_phdr(Some(discard_pages_of), std::ptr::null_mut());
    }
}

/// Discards the segments of one object that cannot be written.
unsafe extern "C" fn discard_pages_of(
    info: *mut libc::dl_phdr_info,
    _size: usize,
    _data: *mut c_void,
) -> c_int {
    // SAFETY: the C library gives a valid description, and as many headers as that says.
    let (info, headers) = unsafe {
        let info = &*info;
        if info.dlpi_phdr.is_null() {
            return 0;
        }
        (info, std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()))
    };
    for header in headers {
        if header.p_type != libc::PT_LOAD || header.p_flags & libc::PF_W != 0 {
            continue;
        }
        if let Some((from, length)) =
            whole_pages(info.dlpi_addr as usize + header.p_vaddr as usize, header.p_memsz as usize)
        {
            // SAFETY: whole pages of a segment that no program can write and no relocation changes
            // (these objects have none in their code), so that the kernel finds the same bytes in
            // the file again (madvise(2), MADV_DONTNEED). Where it cannot, it refuses.
            unsafe {
                libc::madvise(
                    std::ptr::with_exposed_provenance_mut(from),
                    length,
                    libc::MADV_DONTNEED,
                );
            }
        }
    }
    0
}

/// The pages that are wholly in a part of the memory: the first byte and the length.
fn whole_pages(from: usize, length: usize) -> Option<(usize, usize)> {
    // SAFETY: a question without a precondition (sysconf(3)).
    let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).ok()?;
    let first = from.checked_next_multiple_of(page)?;
    let end = from.checked_add(length)? / page * page;
    (end > first).then(|| (first, end - first))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Something to be found again.
    static CONSTANT: [u32; 4096] = {
        let mut all = [0; 4096];
        let mut next = 0;
        while next < all.len() {
            all[next] = next as u32;
            next += 1;
        }
        all
    };

    #[test]
    fn code_and_constants_are_there_again_when_they_are_used() {
        for _ in 0..3 {
            discard_pages();
            assert!(CONSTANT.iter().enumerate().all(|(place, value)| *value as usize == place));
        }
    }

    #[test]
    fn only_whole_pages_are_discarded() {
        let page = whole_pages(0, 1 << 20).map(|(_, length)| length);
        assert_eq!(page, Some(1 << 20));
        assert_eq!(whole_pages(1, 1 << 20).unwrap().0 % 4096, 0);
        assert_eq!(whole_pages(1, 10), None);
        assert_eq!(whole_pages(usize::MAX - 1, 10), None);
    }
}
