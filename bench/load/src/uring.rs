//! The echo server of [`crate::bare`] on io_uring: one multishot receive a connection into a
//! ring of provided buffers, echoes sent from the buffer they came in, and one system call
//! for all that is to be sent and to wait for more.

use std::alloc::Layout;
use std::alloc::alloc_zeroed;
use std::collections::VecDeque;
use std::io;
use std::os::fd::AsRawFd;
use std::ptr::NonNull;
use std::rc::Rc;
use std::slice;
use std::sync::atomic::AtomicU16;
use std::sync::atomic::Ordering;

use io_uring::IoUring;
use io_uring::cqueue;
use io_uring::opcode;
use io_uring::squeue;
use io_uring::types::BufRingEntry;
use io_uring::types::Fixed;

use crate::bare;
use crate::bare::Frame;
use crate::frame;
use crate::sys;

/// Serves with buffers of `size` bytes each; sends what comes back to where it came from,
/// or with `to_all` to everybody.
pub fn serve(size: u32, to_all: bool) -> io::Result<()> {
    let (listener, port) = sys::listen(0)?;
    let ring = IoUring::builder()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_submit_all()
        .setup_cqsize(16 * 1024)
        .build(4096)?;
    ring.submitter().register_files_sparse(CONNECTIONS)?;
    let mut server = Server {
        buffers: Buffers::register(&ring, size)?,
        ring,
        connections: Vec::new(),
        starved: Vec::new(),
        to_all,
    };
    println!("{port}");
    let accept = opcode::AcceptMulti::new(io_uring::types::Fd(listener.as_raw_fd()))
        .allocate_file_index(true);
    server.push(accept.build().user_data(ACCEPT));
    let mut completed = Vec::with_capacity(16 * 1024);
    loop {
        server.ring.submit_and_wait(1)?;
        completed.extend(
            server
                .ring
                .completion()
                .map(|entry| (entry.user_data(), entry.result(), entry.flags())),
        );
        for (data, result, flags) in completed.drain(..) {
            let slot = (data >> 2) as usize;
            match data & 3 {
                ACCEPT if result >= 0 => server.on_accept(result as usize),
                ACCEPT => return Err(io::Error::from_raw_os_error(-result)),
                RECEIVE => server.on_receive(slot, result, flags),
                SEND => server.on_send(slot, result),
                _ => {}
            }
        }
        for slot in std::mem::take(&mut server.starved) {
            server.receive(slot);
        }
    }
}

const CONNECTIONS: u32 = 4096;

/// What completed, in the low bits of what the kernel hands back; above it the slot.
const ACCEPT: u64 = 0;
const RECEIVE: u64 = 1;
const SEND: u64 = 2;
const FREE: u64 = 3;

struct Server {
    ring: IoUring,
    buffers: Buffers,
    connections: Vec<Option<Connection>>,
    /// Connections whose receive ended for want of a buffer.
    starved: Vec<usize>,
    to_all: bool,
}

#[derive(Default)]
struct Connection {
    switched: bool,
    closing: bool,
    receiving: bool,
    /// What is sent, the first now.
    sends: VecDeque<Chunk>,
    partial: Vec<u8>,
}

enum Chunk {
    Buffer { id: u16, at: usize, length: usize },
    Owned { bytes: Vec<u8>, at: usize },
    Shared(Rc<[u8]>),
}

impl Server {
    fn push(&mut self, entry: squeue::Entry) {
        loop {
            // SAFETY: what entries point to, buffers and chunks, stays until their completion.
            if unsafe { self.ring.submission().push(&entry) }.is_ok() {
                return;
            }
            self.ring.submit().expect("a full queue can be submitted");
        }
    }

    fn on_accept(&mut self, slot: usize) {
        if self.connections.len() <= slot {
            self.connections.resize_with(slot + 1, || None);
        }
        self.connections[slot] = Some(Connection::default());
        self.receive(slot);
    }

    fn receive(&mut self, slot: usize) {
        if let Some(connection) = &mut self.connections[slot] {
            connection.receiving = true;
            let receive = opcode::RecvMulti::new(Fixed(slot as u32), GROUP);
            self.push(receive.build().user_data((slot as u64) << 2 | RECEIVE));
        }
    }

    fn on_receive(&mut self, slot: usize, result: i32, flags: u32) {
        let connection = self.connections[slot].as_mut().expect("it receives");
        if !cqueue::more(flags) {
            connection.receiving = false;
        }
        if result == -libc::ENOBUFS {
            self.starved.push(slot);
            return;
        }
        if result <= 0 {
            connection.closing = true;
            return self.end(slot);
        }
        let id = cqueue::buffer_select(flags).expect("what was received is in a buffer");
        let again = !connection.receiving;
        self.on_bytes(slot, id, result as usize);
        if again {
            self.receive(slot);
        }
    }

    fn on_bytes(&mut self, slot: usize, id: u16, length: usize) {
        let connection = self.connections[slot].as_mut().expect("it receives");
        let bytes = &mut self.buffers.bytes(id)[..length];
        if !connection.switched || !connection.partial.is_empty() {
            connection.partial.extend_from_slice(bytes);
            self.buffers.provide(id);
            return self.on_partial(slot);
        }
        let echo = bare::turn(bytes);
        if echo.used < length {
            let rest = &bytes[echo.used..];
            let whole = Frame::parse(rest).map_or(0, |frame| frame.end());
            connection.partial.reserve_exact(whole.max(rest.len()));
            connection.partial.extend_from_slice(rest);
        }
        connection.closing |= !echo.open;
        if echo.frames.is_empty() {
            self.buffers.provide(id);
        } else if self.to_all && echo.open {
            let shared: Rc<[u8]> = Rc::from(&bytes[echo.frames]);
            self.buffers.provide(id);
            for slot in 0..self.connections.len() {
                if self.connections[slot]
                    .as_ref()
                    .is_some_and(|other| other.switched)
                {
                    self.send(slot, Chunk::Shared(shared.clone()));
                }
            }
        } else {
            self.send(
                slot,
                Chunk::Buffer {
                    id,
                    at: echo.frames.start,
                    length: echo.frames.len(),
                },
            );
        }
    }

    /// Goes on with what did not come in one buffer.
    fn on_partial(&mut self, slot: usize) {
        let connection = self.connections[slot].as_mut().expect("it receives");
        if !connection.switched {
            let Some((bytes, end)) = frame::switch(&connection.partial) else {
                return;
            };
            connection.partial.drain(..end);
            connection.switched = true;
            return self.send(slot, Chunk::Owned { bytes, at: 0 });
        }
        if Frame::parse(&connection.partial)
            .is_none_or(|frame| frame.end() > connection.partial.len())
        {
            return;
        }
        let mut bytes = std::mem::take(&mut connection.partial);
        let echo = bare::turn(&mut bytes);
        connection.partial = bytes[echo.used..].to_vec();
        connection.closing |= !echo.open;
        bytes.truncate(echo.frames.end);
        self.send(
            slot,
            Chunk::Owned {
                bytes,
                at: echo.frames.start,
            },
        );
    }

    fn send(&mut self, slot: usize, chunk: Chunk) {
        let connection = self.connections[slot].as_mut().expect("it is open");
        connection.sends.push_back(chunk);
        if connection.sends.len() == 1 {
            self.send_first(slot);
        }
    }

    fn send_first(&mut self, slot: usize) {
        let connection = self.connections[slot].as_ref().expect("it is open");
        let bytes = match &connection.sends[0] {
            Chunk::Buffer { id, at, length } => &self.buffers.bytes(*id)[*at..at + length],
            Chunk::Owned { bytes, at } => &bytes[*at..],
            Chunk::Shared(bytes) => bytes,
        };
        let send = opcode::Send::new(Fixed(slot as u32), bytes.as_ptr(), bytes.len() as u32);
        let send = send.flags(libc::MSG_NOSIGNAL | libc::MSG_WAITALL);
        self.push(send.build().user_data((slot as u64) << 2 | SEND));
    }

    fn on_send(&mut self, slot: usize, result: i32) {
        let connection = self.connections[slot].as_mut().expect("it sends");
        if let Some(Chunk::Buffer { id, .. }) = connection.sends.pop_front() {
            self.buffers.provide(id);
        }
        // With MSG_WAITALL the kernel sends all, or the connection is over.
        connection.closing |= result < 0;
        if connection.closing {
            if connection.sends.is_empty() {
                self.end(slot);
            } else {
                self.send_first(slot);
            }
        } else if !connection.sends.is_empty() {
            self.send_first(slot);
        }
    }

    /// Lets go of a connection, once nothing of it is in the kernel's hands.
    fn end(&mut self, slot: usize) {
        let connection = self.connections[slot].as_mut().expect("it is open");
        if !connection.sends.is_empty() {
            return;
        }
        if connection.receiving {
            let down = opcode::Shutdown::new(Fixed(slot as u32), libc::SHUT_RDWR);
            return self.push(down.build().user_data(FREE));
        }
        self.connections[slot] = None;
        self.push(
            opcode::Close::new(Fixed(slot as u32))
                .build()
                .user_data(FREE),
        );
    }
}

/// Buffers that the kernel chooses from when something has come.
struct Buffers {
    entries: NonNull<BufRingEntry>,
    memory: NonNull<u8>,
    size: usize,
    stride: usize,
    tail: u16,
}

const GROUP: u16 = 1;
const COUNT: u16 = 512;

impl Buffers {
    fn register(ring: &IoUring, size: u32) -> io::Result<Buffers> {
        // Not all at the same place of a page, which would put them into few lines of the cache.
        let stride = size as usize + 64;
        let entries = allocate(COUNT as usize * size_of::<BufRingEntry>()).cast();
        let memory = allocate(COUNT as usize * stride);
        // SAFETY: the ring of entries is on a page's start, of that many entries, and never freed.
        unsafe {
            ring.submitter().register_buf_ring_with_flags(
                entries.as_ptr() as u64,
                COUNT,
                GROUP,
                0,
            )?
        };
        let mut buffers = Buffers {
            entries,
            memory,
            size: size as usize,
            stride,
            tail: 0,
        };
        for id in 0..COUNT {
            buffers.provide(id);
        }
        Ok(buffers)
    }

    #[expect(clippy::mut_from_ref)]
    fn bytes(&self, id: u16) -> &mut [u8] {
        // SAFETY: buffer `id` lies there whole, and the kernel has given it to us, who have one
        // thread and look at one buffer at a time.
        unsafe {
            slice::from_raw_parts_mut(
                self.memory.as_ptr().add(id as usize * self.stride),
                self.size,
            )
        }
    }

    /// Gives a buffer back to the kernel.
    fn provide(&mut self, id: u16) {
        // SAFETY: the entry is within the ring, and the kernel does not read it before the tail
        // has moved behind it.
        unsafe {
            let entry = &mut *self
                .entries
                .as_ptr()
                .add((self.tail & (COUNT - 1)) as usize);
            entry.set_addr(self.memory.as_ptr().add(id as usize * self.stride) as u64);
            entry.set_len(self.size as u32);
            entry.set_bid(id);
            self.tail = self.tail.wrapping_add(1);
            let tail = BufRingEntry::tail(self.entries.as_ptr()).cast::<AtomicU16>();
            (*tail).store(self.tail, Ordering::Release);
        }
    }
}

/// Memory of whole pages, zeroed.
fn allocate(bytes: usize) -> NonNull<u8> {
    let layout = Layout::from_size_align(bytes, 4096).expect("a size like any other");
    // SAFETY: the layout is not empty.
    NonNull::new(unsafe { alloc_zeroed(layout) }).expect("there is memory")
}
