//! How the C library's allocator deals with the memory of long messages.

/// Keeps up to 64 MiB that were freed for what comes next. By default glibc gives
/// them back as soon as they are a few, and the kernel makes and clears each page anew for the
/// next message: of 1 MiB, that is a tenth of an echo.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) fn keep_freed_memory() {
    // SAFETY: no other thread has been started.
    unsafe {
        libc::mallopt(libc::M_TRIM_THRESHOLD, 64 << 20);
        // As long as glibc lets it grow by itself.
        libc::mallopt(libc::M_MMAP_THRESHOLD, 32 << 20);
    }
}

/// Others are left alone.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn keep_freed_memory() {}
