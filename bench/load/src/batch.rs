//! Many sends in one system call: io_uring as no more than that, beside epoll.

use std::io;
use std::ops::Range;
use std::os::fd::RawFd;

use io_uring::IoUring;
use io_uring::opcode;
use io_uring::types::Fd;

pub struct Batch {
    ring: IoUring,
    taken: Vec<i32>,
}

const ENTRIES: usize = 1024;

impl Batch {
    pub fn new() -> io::Result<Batch> {
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .build(ENTRIES as u32)?;
        Ok(Batch {
            ring,
            taken: Vec::new(),
        })
    }

    /// Sends to each socket its part of `bytes`; how much each has taken, or less than 0.
    pub fn send(&mut self, sends: &[(RawFd, Range<usize>)], bytes: &[u8]) -> io::Result<&[i32]> {
        self.taken.clear();
        self.taken.resize(sends.len(), 0);
        for (part, some) in sends.chunks(ENTRIES).enumerate() {
            for (index, (fd, range)) in some.iter().enumerate() {
                let bytes = &bytes[range.clone()];
                let send = opcode::Send::new(Fd(*fd), bytes.as_ptr(), bytes.len() as u32)
                    .flags(libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT)
                    .build()
                    .user_data((part * ENTRIES + index) as u64);
                // SAFETY: all are complete before this returns, and `bytes` outlives it.
                unsafe { self.ring.submission().push(&send) }.map_err(io::Error::other)?;
            }
            let mut left = some.len();
            while left > 0 {
                self.ring.submit_and_wait(left)?;
                for entry in self.ring.completion() {
                    self.taken[entry.user_data() as usize] = entry.result();
                    left -= 1;
                }
            }
        }
        Ok(&self.taken)
    }
}
