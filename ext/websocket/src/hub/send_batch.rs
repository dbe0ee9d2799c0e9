//! Hands the bytes that one turn of the event loop wrote to many sockets to the kernel, with one
//! system call (io_uring, on Linux).
//!
//! A system call costs little compared with the work of TCP, but the cost is saved for each socket.
//! Containers and hardened kernels often forbid io_uring. Then each socket is written to by itself,
//! and nothing else changes.

use std::cell::RefCell;
use std::io;
use std::os::fd::RawFd;
use std::rc::Rc;

use io_uring::{IoUring, opcode, types};

use super::dirty_list::Dirty;
use crate::connection::Connection;

/// Writes to the sockets of one runtime.
#[derive(Default)]
pub(crate) struct SendBatch(RefCell<State>);

#[derive(Default)]
enum State {
    /// No batch was needed yet.
    #[default]
    New,
    Ready(Box<IoUring>),
    /// The kernel does not allow io_uring.
    Unavailable,
    #[cfg(test)]
    Simulated(Box<dyn SendQueue>),
}

/// Takes sends and returns the result of each.
pub(crate) trait SendQueue {
    /// Queues a send. Returns false if the queue is full.
    ///
    /// # Safety
    ///
    /// `bytes` and `socket` stay valid and unchanged until the send has completed, or until the
    /// queue will not submit it any more.
    unsafe fn push(&mut self, socket: RawFd, bytes: &[u8], index: u64) -> bool;

    /// Submits the queued sends, and waits until `count` sends have completed.
    fn submit_and_wait(&mut self, count: usize) -> io::Result<()>;

    /// The next send that has completed: its index, and how many bytes were written, or a negative
    /// error number.
    fn next_completion(&mut self) -> Option<(u64, i32)>;

    /// How many sends are queued and have not been submitted.
    fn unsubmitted(&mut self) -> usize;
}

impl SendQueue for IoUring {
    unsafe fn push(&mut self, socket: RawFd, bytes: &[u8], index: u64) -> bool {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let send = opcode::Send::new(types::Fd(socket), bytes.as_ptr(), length)
            .flags(libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL)
            .build()
            .user_data(index);
        // SAFETY: the caller keeps the bytes and the socket until the entry has completed.
        unsafe { self.submission().push(&send) }.is_ok()
    }

    fn submit_and_wait(&mut self, count: usize) -> io::Result<()> {
        IoUring::submit_and_wait(self, count).map(drop)
    }

    fn next_completion(&mut self) -> Option<(u64, i32)> {
        let completion = self.completion().next()?;
        Some((completion.user_data(), completion.result()))
    }

    fn unsubmitted(&mut self) -> usize {
        self.submission().len()
    }
}

impl SendBatch {
    /// A batch that hands its sends to `queue`.
    #[cfg(test)]
    pub(crate) fn simulated(queue: Box<dyn SendQueue>) -> Self {
        Self(RefCell::new(State::Simulated(queue)))
    }

    /// Writes the queued bytes of the connections, as far as the kernel takes them at once.
    /// [`Connection::flush`] handles the bytes that are left and the errors. Returns how many sends
    /// the kernel did or refused. The number is 0 if there are few connections, or if the kernel
    /// does not allow io_uring.
    pub(crate) fn write(&self, connections: &Dirty<Connection>) -> usize {
        if connections.len() < BATCH_FROM {
            return 0;
        }
        let mut state = self.0.borrow_mut();
        if matches!(*state, State::New) {
            *state = ring().map_or(State::Unavailable, |ring| State::Ready(Box::new(ring)));
        }
        let mut sends = 0;
        for batch in connections.chunks(ENTRIES as usize) {
            let written = match &mut *state {
                State::Ready(ring) => write(&mut **ring, batch),
                #[cfg(test)]
                State::Simulated(queue) => write(&mut **queue, batch),
                State::New | State::Unavailable => break,
            };
            match written {
                Ok(count) => sends += count,
                Err(_) => *state = State::Unavailable,
            }
        }
        sends
    }
}

fn ring() -> io::Result<IoUring> {
    IoUring::builder()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_submit_all()
        .build(ENTRIES)
}

/// Returns how many sends were completed. No connection occurs twice, so each connection's bytes
/// are in one entry.
fn write(
    queue: &mut (impl SendQueue + ?Sized),
    connections: &[Rc<Connection>],
) -> io::Result<usize> {
    let mut count = 0;
    for (index, connection) in connections.iter().enumerate() {
        connection.with_unwritten(|socket, bytes| {
            // SAFETY: this function returns after all sends have completed, or when the remaining
            // sends will not be submitted. Until then nothing else runs on this thread, which owns
            // the connection, its buffers and its socket.
            if unsafe { queue.push(socket, bytes, index as u64) } {
                count += 1;
            }
        });
    }
    let mut completed = 0;
    while completed < count {
        // With MSG_DONTWAIT the kernel does or refuses each send during the
        // submission.
        let submitted = queue.submit_and_wait(count - completed);
        while let Some((index, result)) = queue.next_completion() {
            completed += 1;
            if let Ok(written) = usize::try_from(result)
                && let Some(connection) = connections.get(index as usize)
            {
                connection.record_batch_written(written);
            }
        }
        if let Err(error) = submitted
            && error.kind() != io::ErrorKind::Interrupted
            && completed + queue.unsubmitted() == count
        {
            // The remaining sends will not be submitted, so the kernel reads no
            // bytes any more.
            return Err(error);
        }
    }
    Ok(completed)
}

/// How many sends the kernel takes at a time.
const ENTRIES: u32 = 256;
/// Fewer connections than this are written to one by one.
const BATCH_FROM: usize = 4;

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::net::UnixStream;

    use super::*;
    use crate::hub::dirty_list::DirtyList;
    use crate::transport::Transport;

    /// Connections, and the other ends of their sockets.
    fn connections(count: usize) -> (Vec<Rc<Connection>>, Vec<UnixStream>) {
        (0..count)
            .map(|_| {
                let (near, far) = UnixStream::pair().unwrap();
                let connection = Connection::for_test(Transport::Unix(near));
                (Rc::new(connection), far)
            })
            .unzip()
    }

    fn is_allowed() -> bool {
        let is_allowed = ring().is_ok();
        if !is_allowed {
            eprintln!("io_uring is forbidden here: nothing is tested");
        }
        is_allowed
    }

    #[tokio::test]
    async fn what_many_sent_leaves_by_one_call_and_once() {
        // Without this, tokio's sockets pause in a task that does not yield.
        tokio::task::unconstrained(send_to_many()).await;
    }

    async fn send_to_many() {
        if !is_allowed() {
            return;
        }
        let (connections, mut peers) = connections(300);
        let (list, batch) = (DirtyList::default(), SendBatch::default());
        let mut expected = Vec::new();
        for round in 0..3 {
            for connection in &connections {
                // Other connections may be written to in between, and the
                // connection may be marked again.
                connection.send_text(&format!("first {round}"));
                list.add(connection);
                connection.flush();
                connection.send_text(&format!("second {round}"));
                list.add(connection);
            }
            for text in ["first", "second"] {
                let text = format!("{text} {round}");
                expected.extend([0x81, text.len() as u8]);
                expected.extend(text.as_bytes());
            }
            let dirty = list.take();
            assert_eq!(batch.write(&dirty), connections.len());
            dirty
                .into_iter()
                .for_each(|connection| assert!(connection.flush()));
        }
        drop(connections);
        for peer in &mut peers {
            let mut arrived = Vec::new();
            peer.read_to_end(&mut arrived).await.unwrap();
            assert!(arrived == expected, "{}", String::from_utf8_lossy(&arrived));
        }
    }

    #[tokio::test]
    async fn those_that_are_blocked_or_have_nothing_are_left_out() {
        if !is_allowed() {
            return;
        }
        let (connections, _peers) = connections(5);
        let (list, batch) = (DirtyList::default(), SendBatch::default());
        connections[0].send_binary(&vec![0; 4 << 20]);
        assert!(!connections[0].flush() && connections[0].is_blocked());
        for connection in &connections {
            list.add(connection);
        }
        connections[1..4].iter().for_each(|it| {
            it.send_text("one");
        });
        let dirty = list.take();
        assert_eq!(batch.write(&dirty), 3);
        assert!(dirty.iter().skip(1).all(|connection| connection.flush()));
    }

    #[tokio::test]
    async fn few_are_written_one_by_one() {
        let (connections, _peers) = connections(BATCH_FROM - 1);
        let (list, batch) = (DirtyList::default(), SendBatch::default());
        for connection in &connections {
            connection.send_text("one");
            list.add(connection);
        }
        assert_eq!(batch.write(&list.take()), 0);
        assert!(matches!(*batch.0.borrow(), State::New));
    }
}
