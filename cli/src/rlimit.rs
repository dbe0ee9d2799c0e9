//! The limit on open files, of which every connection is one.

/// Raises the soft limit to the hard limit, which needs no privilege. A server with the usual soft
/// limit of 1,024 would refuse its thousandth socket.
#[cfg(unix)]
pub(crate) fn raise_open_files() {
    use rustix::process::Resource;
    use rustix::process::getrlimit;
    use rustix::process::setrlimit;

    let mut limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    limit.current = limit.maximum;
    // If the kernel refuses, the old limit stays.
    let _ = setrlimit(Resource::Nofile, limit);
}

/// Does nothing, because there is no such limit.
#[cfg(not(unix))]
pub fn raise_open_files() {}
