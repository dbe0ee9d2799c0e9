//! The few system calls that the load generator and the bare servers are made of:
//! sockets that never block, epoll, and what the kernel knows about a process.

use std::fs;
use std::io;
use std::mem;
use std::net::SocketAddrV4;
use std::os::fd::AsRawFd;
use std::os::fd::FromRawFd;
use std::os::fd::OwnedFd;
use std::os::fd::RawFd;
use std::time::Duration;

pub struct Epoll {
    fd: OwnedFd,
    events: Vec<libc::epoll_event>,
}

pub const READ: u32 = libc::EPOLLIN as u32;
pub const WRITE: u32 = libc::EPOLLOUT as u32;

impl Epoll {
    pub fn new() -> io::Result<Epoll> {
        // SAFETY: takes no pointers; the descriptor it returns is ours alone.
        let fd = unsafe { OwnedFd::from_raw_fd(check(libc::epoll_create1(libc::EPOLL_CLOEXEC))?) };
        Ok(Epoll {
            fd,
            events: Vec::with_capacity(1024),
        })
    }

    pub fn add(&self, fd: RawFd, interest: u32, token: usize) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, interest, token)
    }

    pub fn change(&self, fd: RawFd, interest: u32, token: usize) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, fd, interest, token)
    }

    fn control(&self, what: i32, fd: RawFd, interest: u32, token: usize) -> io::Result<()> {
        let mut event = libc::epoll_event {
            events: interest,
            u64: token as u64,
        };
        // SAFETY: `event` lives through the call, which copies it.
        check(unsafe { libc::epoll_ctl(self.fd.as_raw_fd(), what, fd, &mut event) })?;
        Ok(())
    }

    /// Waits for events, `timeout` at most; how many there are. [`Epoll::event`] has them.
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<usize> {
        let timeout = timeout.map_or(-1, |t| t.as_millis() as i32);
        // SAFETY: the kernel writes at most `capacity` events into the vector's own memory.
        let count = unsafe {
            libc::epoll_wait(
                self.fd.as_raw_fd(),
                self.events.as_mut_ptr(),
                self.events.capacity() as i32,
                timeout,
            )
        };
        let count = match check(count) {
            Ok(count) => count as usize,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            Err(error) => return Err(error),
        };
        // SAFETY: that many were written just now.
        unsafe { self.events.set_len(count) };
        Ok(count)
    }

    /// The token and the readiness of an event of the last [`Epoll::wait`].
    #[inline]
    pub fn event(&self, index: usize) -> (usize, u32) {
        let event = self.events[index];
        (event.u64 as usize, event.events)
    }
}

/// What was read, or None where nothing is there now. 0 is the end.
#[inline]
pub fn read(fd: RawFd, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    // SAFETY: the kernel writes into `buffer` only.
    again(unsafe { libc::recv(fd, buffer.as_mut_ptr().cast(), buffer.len(), 0) })
}

/// What was written, or None where the kernel takes nothing now.
#[inline]
pub fn write(fd: RawFd, bytes: &[u8]) -> io::Result<Option<usize>> {
    // SAFETY: the kernel reads `bytes` only.
    again(unsafe { libc::send(fd, bytes.as_ptr().cast(), bytes.len(), libc::MSG_NOSIGNAL) })
}

/// A TCP socket on its way to `to`. `from` spreads the sockets over the addresses of
/// 127.0.0.0/8, each of which has ports of its own.
pub fn connect(to: SocketAddrV4, from: u8) -> io::Result<OwnedFd> {
    let fd = tcp_socket()?;
    set_option(&fd, libc::IPPROTO_TCP, libc::TCP_NODELAY, 1)?;
    set_option(&fd, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, 1)?;
    let local = address(SocketAddrV4::new([127, 0, 0, from].into(), 0));
    // SAFETY: the address outlives the call and the length is its own.
    check(unsafe { libc::bind(fd.as_raw_fd(), (&raw const local).cast(), ADDRESS_LENGTH) })?;
    let to = address(to);
    // SAFETY: as above.
    match check(unsafe { libc::connect(fd.as_raw_fd(), (&raw const to).cast(), ADDRESS_LENGTH) }) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
        _ => Ok(fd),
    }
}

/// A listener on a free port of 127.0.0.1, and the port.
pub fn listen(port: u16) -> io::Result<(OwnedFd, u16)> {
    let fd = tcp_socket()?;
    set_option(&fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)?;
    // The sockets it accepts have this from it.
    set_option(&fd, libc::IPPROTO_TCP, libc::TCP_NODELAY, 1)?;
    let mut local = address(SocketAddrV4::new([127, 0, 0, 1].into(), port));
    let mut length = ADDRESS_LENGTH;
    // SAFETY: the addresses outlive the calls and the lengths are their own.
    unsafe {
        check(libc::bind(
            fd.as_raw_fd(),
            (&raw const local).cast(),
            length,
        ))?;
        check(libc::listen(fd.as_raw_fd(), 4096))?;
        check(libc::getsockname(
            fd.as_raw_fd(),
            (&raw mut local).cast(),
            &mut length,
        ))?;
    }
    Ok((fd, u16::from_be(local.sin_port)))
}

/// The next connection, or None where none waits.
pub fn accept(listener: &OwnedFd) -> io::Result<Option<OwnedFd>> {
    let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: without an address to write to; the descriptor it returns is ours alone.
    match check(unsafe {
        libc::accept4(
            listener.as_raw_fd(),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            flags,
        )
    }) {
        Ok(fd) => {
            // SAFETY: as above.
            Ok(Some(unsafe { OwnedFd::from_raw_fd(fd) }))
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

/// Readable only from so many bytes on (SO_RCVLOWAT).
pub fn set_low_water(fd: &OwnedFd, bytes: usize) -> io::Result<()> {
    set_option(fd, libc::SOL_SOCKET, libc::SO_RCVLOWAT, bytes as i32)
}

/// Lets this process, and what it starts, have 200,000 descriptors, or as many as it may;
/// says how many. More than the hard limit takes root.
pub fn raise_descriptor_limit() -> u64 {
    let mut limit = libc::rlimit {
        rlim_cur: 200_000,
        rlim_max: 200_000,
    };
    // SAFETY: `limit` outlives the calls.
    unsafe {
        if libc::setrlimit(libc::RLIMIT_NOFILE, &limit) < 0 {
            libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
        }
    }
    limit.rlim_cur
}

/// Binds the calling thread, and what it starts, to a core.
pub fn pin(core: usize) -> io::Result<()> {
    // SAFETY: a cpu_set_t is a plain bit set, and all zeroes are one.
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    // SAFETY: `set` is ours, and the call only reads it.
    unsafe {
        libc::CPU_SET(core, &mut set);
        check(libc::sched_setaffinity(
            0,
            size_of::<libc::cpu_set_t>(),
            &set,
        ))?;
    }
    Ok(())
}

/// Lets the calling process, and what it starts, go before others, where it may: that takes
/// root. Not for speed, but so that what else runs does not disturb.
/// In a session of its own that holds for the session beside others too (sched(7), autogroups).
pub fn go_first() {
    // SAFETY: none of them takes pointers.
    let leads = unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, -20);
        libc::getsid(0) == libc::getpid()
    };
    if leads {
        let _ = fs::write("/proc/self/autogroup", "-20");
    }
}

/// The time that all threads of a process have spent on a core, those that ended too.
pub fn cpu_time(pid: i32) -> io::Result<Duration> {
    let mut clock = 0;
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: both outlive the calls.
    unsafe {
        match libc::clock_getcpuclockid(pid, &mut clock) {
            0 => check(libc::clock_gettime(clock, &mut time))?,
            error => return Err(io::Error::from_raw_os_error(error)),
        };
    }
    Ok(Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
}

/// How much of a process's time went to the kernel, in the kernel's ticks: (user, system).
pub fn cpu_ticks(pid: i32) -> (u64, u64) {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let mut fields = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(11);
    let mut next = || fields.next().and_then(|f| f.parse().ok()).unwrap_or(0);
    (next(), next())
}

/// The resident memory of a process in bytes, or with `peak` the most it had.
pub fn resident(pid: i32, peak: bool) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let name = if peak { "VmHWM:" } else { "VmRSS:" };
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .unwrap_or_default();
    line.trim()
        .trim_end_matches("kB")
        .trim()
        .parse::<u64>()
        .unwrap_or(0)
        * 1024
}

const ADDRESS_LENGTH: libc::socklen_t = size_of::<libc::sockaddr_in>() as libc::socklen_t;

fn tcp_socket() -> io::Result<OwnedFd> {
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: takes no pointers; the descriptor it returns is ours alone.
    unsafe {
        Ok(OwnedFd::from_raw_fd(check(libc::socket(
            libc::AF_INET,
            kind,
            0,
        ))?))
    }
}

fn set_option(fd: &OwnedFd, level: i32, name: i32, value: i32) -> io::Result<()> {
    let length = size_of::<i32>() as libc::socklen_t;
    // SAFETY: `value` outlives the call and the length is its own.
    check(unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            length,
        )
    })?;
    Ok(())
}

fn address(of: SocketAddrV4) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: of.port().to_be(),
        sin_addr: libc::in_addr {
            s_addr: u32::from(*of.ip()).to_be(),
        },
        sin_zero: [0; 8],
    }
}

fn check(result: i32) -> io::Result<i32> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

#[inline]
fn again(result: isize) -> io::Result<Option<usize>> {
    if result >= 0 {
        return Ok(Some(result as usize));
    }
    let error = io::Error::last_os_error();
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(None),
        _ => Err(error),
    }
}
