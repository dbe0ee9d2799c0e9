//! Settings of the C library's allocator for the memory of long messages.

/// Makes the C library keep up to 64 MiB of freed memory for later allocations. By default glibc
/// returns freed memory to the kernel soon, and the kernel has to provide and clear each page again
/// for the next message. With messages of 1 MiB, that takes a tenth of the time of an echo.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) fn keep_freed_memory() {
    // SAFETY: no other thread has been started.
    unsafe {
        libc::mallopt(libc::M_TRIM_THRESHOLD, 64 << 20);
        // This is the limit up to which glibc raises this threshold by itself.
        libc::mallopt(libc::M_MMAP_THRESHOLD, 32 << 20);
    }
}

/// Other allocators keep their settings.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn keep_freed_memory() {}
