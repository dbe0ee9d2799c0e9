//! What one turn of the event loop wrote to many sockets, handed to the kernel with one
//! system call (io_uring, on Linux).
//!
//! A send costs little beside what TCP does with it, but that little is saved for each
//! socket. Containers and hardened kernels often forbid io_uring; then each socket is
//! written to by itself, and nothing else changes.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use io_uring::{IoUring, opcode, types};

use crate::connection::Connection;

/// Writes to the sockets of one runtime.
#[derive(Default)]
pub(crate) struct SendBatch(RefCell<State>);

#[derive(Default)]
enum State {
    /// There was nothing to batch yet.
    #[default]
    New,
    Ready(Box<IoUring>),
    /// The kernel does not allow it.
    Unavailable,
}

impl SendBatch {
    /// Writes what the connections have queued as far as the kernel takes it at once.
    /// What is left, or failed, is for [`Connection::flush`] to find.
    pub fn write(&self, connections: &[Rc<Connection>]) {
        if connections.len() < BATCH_FROM {
            return;
        }
        let mut state = self.0.borrow_mut();
        if matches!(*state, State::New) {
            *state = ring().map_or(State::Unavailable, |ring| State::Ready(Box::new(ring)));
        }
        let State::Ready(ring) = &mut *state else {
            return;
        };
        for batch in connections.chunks(ENTRIES as usize) {
            if write(ring, batch).is_err() {
                *state = State::Unavailable;
                return;
            }
        }
    }
}

fn ring() -> io::Result<IoUring> {
    IoUring::builder()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_submit_all()
        .build(ENTRIES)
}

fn write(ring: &mut IoUring, connections: &[Rc<Connection>]) -> io::Result<()> {
    let mut count = 0;
    for (index, connection) in connections.iter().enumerate() {
        connection.with_unwritten(|socket, bytes| {
            let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            let send = opcode::Send::new(types::Fd(socket), bytes.as_ptr(), length)
                .flags(libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL)
                .build()
                .user_data(index as u64);
            // SAFETY: the kernel reads `bytes` until it has completed the entry, and this
            // function returns after all completions. Until then nothing else runs on this
            // thread, which owns the connection, its buffers and its socket.
            if unsafe { ring.submission().push(&send) }.is_ok() {
                count += 1;
            }
        });
    }
    let mut completed = 0;
    while completed < count {
        // With MSG_DONTWAIT each send is done, or refused, when it is submitted.
        let submitted = ring.submit_and_wait(count - completed);
        for completion in ring.completion() {
            completed += 1;
            if let Ok(written) = usize::try_from(completion.result())
                && let Some(connection) = connections.get(completion.user_data() as usize)
            {
                connection.note_batch_written(written);
            }
        }
        if let Err(error) = submitted
            && error.kind() != io::ErrorKind::Interrupted
            && completed + ring.submission().len() == count
        {
            // The others will not be submitted, so nothing is read any more.
            return Err(error);
        }
    }
    Ok(())
}

/// How many sends the kernel is handed at a time.
const ENTRIES: u32 = 256;
/// Fewer are written one by one.
const BATCH_FROM: usize = 4;
