//! A simulated kernel and network: sockets that take and give any number of bytes. Sockets refuse
//! bytes, stall, are reset or half-closed, and report their readiness late and in any order.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::os::fd::RawFd;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::random::Random;
use crate::hub::send_batch::SendQueue;
use crate::transport::SimulatedSocket;

/// All sockets of a simulation. Sockets `2 n` and `2 n + 1` are connected.
#[derive(Clone)]
pub(super) struct Network(Rc<RefCell<State>>);

struct State {
    random: Random,
    sockets: Vec<Socket>,
    /// The tasks that must be told later that a socket is ready.
    wakes: Vec<Waker>,
    /// Whether the network refuses nothing and takes everything at once.
    is_perfect: bool,
    now: Instant,
}

/// One socket, with the state of its kernel.
struct Socket {
    /// Bytes that were written and have not left.
    outgoing: VecDeque<u8>,
    /// Bytes that have come and were not read.
    incoming: VecDeque<u8>,
    /// How many bytes `outgoing` and the peer's `incoming` hold at most.
    room: usize,
    /// Whether the owner writes nothing more.
    is_shut_down: bool,
    /// Whether the end of the peer's stream has come.
    has_ended: bool,
    is_reset: bool,
    is_dropped: bool,
    /// Whether nothing leaves for now.
    is_stalled: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// How many bytes were written since it was opened.
    written: u64,
    /// When bytes were read last.
    heard: Instant,
}

impl Network {
    pub(super) fn new(random: Random, now: Instant) -> Self {
        Self(Rc::new(RefCell::new(State {
            random,
            sockets: Vec::new(),
            wakes: Vec::new(),
            is_perfect: false,
            now,
        })))
    }

    /// Two connected sockets, by their indices.
    pub(super) fn pair(&self) -> (usize, usize) {
        let mut state = self.0.borrow_mut();
        let index = state.sockets.len();
        for _ in 0..2 {
            let room = match state.random.below(4) {
                0 => state.random.part_of(200),
                1 => state.random.part_of(20_000),
                _ => state.random.part_of(400_000),
            };
            let heard = state.now;
            state.sockets.push(Socket {
                outgoing: VecDeque::new(),
                incoming: VecDeque::new(),
                room,
                is_shut_down: false,
                has_ended: false,
                is_reset: false,
                is_dropped: false,
                is_stalled: false,
                reader: None,
                writer: None,
                written: 0,
                heard,
            });
        }
        (index, index + 1)
    }

    /// The handle of a socket. Dropping the handle closes the socket.
    pub(super) fn handle(&self, index: usize) -> Handle {
        Handle {
            network: self.clone(),
            index,
        }
    }

    pub(super) fn set_now(&self, now: Instant) {
        self.0.borrow_mut().now = now;
    }

    /// From now on nothing is refused, and nothing stalls.
    pub(super) fn become_perfect(&self) {
        let mut state = self.0.borrow_mut();
        state.is_perfect = true;
        for index in 0..state.sockets.len() {
            state.sockets[index].is_stalled = false;
            state.sockets[index].room = 1 << 20;
            // Writers that were refused without a reason are woken.
            state.wake_writer(index);
        }
    }

    /// How many bytes socket `index` has taken.
    pub(super) fn written(&self, index: usize) -> u64 {
        self.0.borrow().sockets[index].written
    }

    /// When bytes were read from socket `index` last.
    pub(super) fn heard(&self, index: usize) -> Instant {
        self.0.borrow().sockets[index].heard
    }

    pub(super) fn is_reset(&self, index: usize) -> bool {
        self.0.borrow().sockets[index].is_reset
    }

    /// The network drops the connection of socket `index`.
    pub(super) fn reset(&self, index: usize) {
        let mut state = self.0.borrow_mut();
        state.reset(index);
        state.reset(index ^ 1);
    }

    /// Stalls the bytes that socket `index` writes, or lets them go on.
    pub(super) fn toggle_stall(&self, index: usize) {
        let mut state = self.0.borrow_mut();
        let socket = &mut state.sockets[index];
        socket.is_stalled = !socket.is_stalled;
    }

    /// Bytes that no end has sent come to the peer of socket `index`.
    pub(super) fn inject(&self, index: usize, bytes: &[u8]) {
        let mut state = self.0.borrow_mut();
        state.sockets[index].outgoing.extend(bytes);
    }

    /// Moves some or all bytes that socket `index` has written. Returns whether something happened.
    pub(super) fn carry(&self, index: usize) -> bool {
        self.0.borrow_mut().carry(index)
    }

    /// Carries all bytes that can be carried, and wakes all tasks. Returns whether something
    /// happened.
    pub(super) fn settle(&self) -> bool {
        let mut has_moved = false;
        for index in 0..self.len() {
            has_moved |= self.carry(index);
        }
        while self.wake_one() {
            has_moved = true;
        }
        has_moved
    }

    pub(super) fn len(&self) -> usize {
        self.0.borrow().sockets.len()
    }

    /// Wakes one task, because a socket is ready. Returns whether there was a task to wake.
    pub(super) fn wake_one(&self) -> bool {
        let mut state = self.0.borrow_mut();
        if state.wakes.is_empty() {
            return false;
        }
        let at = state.random.below(state.wakes.len());
        let waker = state.wakes.swap_remove(at);
        drop(state);
        waker.wake();
        true
    }
}

impl State {
    fn wake_reader(&mut self, index: usize) {
        let waker = self.sockets[index].reader.take();
        self.wakes.extend(waker);
    }

    fn wake_writer(&mut self, index: usize) {
        let waker = self.sockets[index].writer.take();
        self.wakes.extend(waker);
    }

    fn reset(&mut self, index: usize) {
        let socket = &mut self.sockets[index];
        socket.is_reset = true;
        socket.outgoing.clear();
        self.wake_reader(index);
        self.wake_writer(index);
    }

    fn carry(&mut self, index: usize) -> bool {
        let peer = index ^ 1;
        let room = self.sockets[index].room;
        let free = room.saturating_sub(self.sockets[peer].incoming.len());
        let socket = &mut self.sockets[index];
        if socket.is_stalled || socket.is_reset {
            return false;
        }
        let most = socket.outgoing.len().min(free);
        if most > 0 {
            let count = match self.is_perfect || self.random.one_in(2) {
                true => most,
                false => self.random.part_of(most),
            };
            let bytes: Vec<u8> = socket.outgoing.drain(..count).collect();
            if self.sockets[peer].is_dropped {
                // The peer is gone.
                self.reset(index);
                return true;
            }
            self.sockets[peer].incoming.extend(bytes);
            self.wake_reader(peer);
            self.wake_writer(index);
            return true;
        }
        let ends = socket.outgoing.is_empty() && socket.is_shut_down;
        if ends && !self.sockets[peer].has_ended {
            self.sockets[peer].has_ended = true;
            self.wake_reader(peer);
            return true;
        }
        false
    }

    /// How many of `length` bytes are taken now.
    fn accept(&mut self, index: usize, length: usize) -> io::Result<usize> {
        let socket = &self.sockets[index];
        if socket.is_reset || socket.is_shut_down {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let free = socket.room.saturating_sub(socket.outgoing.len());
        let most = length.min(free);
        match most {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            most if self.is_perfect || self.random.one_in(2) => Ok(most),
            most => Ok(self.random.part_of(most)),
        }
    }

    fn write(&mut self, index: usize, bytes: &[u8]) -> io::Result<usize> {
        let count = self.accept(index, bytes.len())?;
        let socket = &mut self.sockets[index];
        socket.outgoing.extend(&bytes[..count]);
        socket.written += count as u64;
        Ok(count)
    }
}

/// The owner of a socket.
pub(super) struct Handle {
    network: Network,
    index: usize,
}

impl Handle {
    fn pending(&self, error: &io::Error, cx: &Context<'_>) -> bool {
        let is_pending = error.kind() == io::ErrorKind::WouldBlock;
        if is_pending {
            let mut state = self.network.0.borrow_mut();
            state.sockets[self.index].writer = Some(cx.waker().clone());
        }
        is_pending
    }
}

impl SimulatedSocket for Handle {
    fn number(&self) -> RawFd {
        FIRST_NUMBER + self.index as RawFd
    }

    fn bytes_in_kernel(&self) -> u64 {
        let state = self.network.0.borrow();
        state.sockets[self.index].outgoing.len() as u64
    }

    fn try_write(&self, bytes: &[u8]) -> usize {
        let mut state = self.network.0.borrow_mut();
        state.write(self.index, bytes).unwrap_or(0)
    }
}

impl AsyncRead for Handle {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let state = &mut *self.network.0.borrow_mut();
        let most = (state.sockets[self.index].incoming.len()).min(buf.remaining());
        if most > 0 {
            let count = match state.is_perfect || state.random.one_in(2) {
                true => most,
                false => state.random.part_of(most),
            };
            let socket = &mut state.sockets[self.index];
            let bytes: Vec<u8> = socket.incoming.drain(..count).collect();
            buf.put_slice(&bytes);
            socket.heard = state.now;
            return Poll::Ready(Ok(()));
        }
        let socket = &mut state.sockets[self.index];
        if socket.is_reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if socket.has_ended {
            return Poll::Ready(Ok(()));
        }
        socket.reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl AsyncWrite for Handle {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = self.network.0.borrow_mut().write(self.index, buf);
        match written {
            Err(error) if self.pending(&error, cx) => Poll::Pending,
            result => Poll::Ready(result),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let bytes: Vec<u8> = bufs.iter().flat_map(|buf| buf.iter()).copied().collect();
        self.poll_write(cx, &bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.network.0.borrow_mut();
        state.sockets[self.index].is_shut_down = true;
        Poll::Ready(Ok(()))
    }
}

/// Closing a socket with unread bytes resets the connection, as kernels do.
impl Drop for Handle {
    fn drop(&mut self) {
        let mut state = self.network.0.borrow_mut();
        let socket = &mut state.sockets[self.index];
        socket.is_dropped = true;
        socket.is_shut_down = true;
        let was_unread = !socket.incoming.is_empty();
        socket.incoming.clear();
        if was_unread {
            state.reset(self.index);
            state.reset(self.index ^ 1);
        }
    }
}

/// The kernel's side of batched sends. Sends complete in any order and in parts. They are refused
/// or interrupted, or the queue stops working.
pub(super) struct Sends {
    network: Network,
    /// The socket, the bytes and the index of each queued send.
    queued: Vec<(usize, Vec<u8>, u64)>,
    completed: VecDeque<(u64, i32)>,
}

impl Sends {
    pub(super) fn new(network: Network) -> Self {
        Self {
            network,
            queued: Vec::new(),
            completed: VecDeque::new(),
        }
    }
}

impl SendQueue for Sends {
    unsafe fn push(&mut self, socket: RawFd, bytes: &[u8], index: u64) -> bool {
        let state = self.network.0.borrow();
        if !state.is_perfect && state.random.one_in(40) {
            return false;
        }
        let socket = (socket - FIRST_NUMBER) as usize;
        self.queued.push((socket, bytes.to_vec(), index));
        true
    }

    fn submit_and_wait(&mut self, _count: usize) -> io::Result<()> {
        let state = &mut *self.network.0.borrow_mut();
        let random = state.random.clone();
        if !state.is_perfect && random.one_in(50) {
            // Nothing is submitted. This happens once, because the hub then gives the queue up.
            return Err(io::ErrorKind::ResourceBusy.into());
        }
        let mut count = match random.one_in(3) {
            true => random.part_of(self.queued.len().max(1)),
            false => self.queued.len(),
        };
        while count > 0 && !self.queued.is_empty() {
            count -= 1;
            let (socket, bytes, index) = self.queued.swap_remove(random.below(self.queued.len()));
            let result = match state.is_perfect || !random.one_in(20) {
                true => state.write(socket, &bytes),
                false => Err(io::ErrorKind::WouldBlock.into()),
            };
            let result = match result {
                Ok(written) => written as i32,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => -libc::EAGAIN,
                Err(_) => -libc::EPIPE,
            };
            self.completed.push_back((index, result));
        }
        match random.one_in(10) {
            true => Err(io::ErrorKind::Interrupted.into()),
            false => Ok(()),
        }
    }

    fn next_completion(&mut self) -> Option<(u64, i32)> {
        self.completed.pop_front()
    }

    fn unsubmitted(&mut self) -> usize {
        self.queued.len()
    }
}

/// The number of the first simulated socket. No process has so many real
/// sockets.
const FIRST_NUMBER: RawFd = 1 << 29;
