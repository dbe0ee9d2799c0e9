//! The limit on open files: every connection is one.

/// Raises the soft limit to the hard one, which needs no privilege. A server
/// with the usual soft limit of 1,024 would refuse its thousandth socket.
#[cfg(unix)]
pub fn raise_open_files() {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is valid for writes, and outlives the call.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } != 0 {
        return;
    }
    if limit.rlim_cur < limit.rlim_max {
        limit.rlim_cur = limit.rlim_max;
        // SAFETY: `limit` is valid for reads, and outlives the call. When the
        // kernel refuses, the old limit stays.
        unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) };
    }
}

/// There is no such limit.
#[cfg(not(unix))]
pub fn raise_open_files() {}
