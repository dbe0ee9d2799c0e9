//! Snapshots of V8's heap, which show what is in the memory of an engine. One is written each time
//! that the process gets a signal (`--heapsnapshot-signal`), in the format that Chrome's DevTools
//! read.

use std::env;
use std::io;
use std::task::Context;
use std::task::Poll;

use deno_core::v8;
use tokio::signal::unix::Signal;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;

use crate::written_file::WrittenFile;

/// Writes the snapshots of one engine.
pub(crate) struct HeapSnapshots {
    asked: Signal,
    file: WrittenFile,
}

impl HeapSnapshots {
    /// Waits for the signal with this number. The files are written to the folder that is the
    /// current folder now.
    ///
    /// # Errors
    /// If a process cannot handle this signal, or there is no current folder.
    pub(crate) fn on(number: i32) -> io::Result<Self> {
        Ok(Self {
            asked: signal(SignalKind::from_raw(number))?,
            file: WrittenFile::new(env::current_dir()?, "Heap", "heapsnapshot"),
        })
    }

    /// Writes a snapshot if the signal has come. If it has not come, the task is woken when it
    /// comes. This must be called while no script runs, between two turns of the event loop.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, isolate: &mut v8::Isolate) {
        while let Poll::Ready(Some(())) = self.asked.poll_recv(cx) {
            self.write(isolate);
        }
    }

    fn write(&self, isolate: &mut v8::Isolate) {
        let written = self.file.write(None, |file| {
            let mut result = Ok(());
            isolate.take_heap_snapshot(|chunk| {
                result = file.write_all(chunk);
                result.is_ok()
            });
            result
        });
        match written {
            Ok(path) => log::info!("Heap snapshot written to {}", path.display()),
            Err(error) => log::warn!("Unable to write a heap snapshot: {error}"),
        }
    }
}
