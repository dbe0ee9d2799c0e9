//! Shows downloads to the user. On a terminal they share one line, which disappears when they are
//! done. Otherwise each download is logged on one line.

use std::io::IsTerminal;
use std::io::Write;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use deno_terminal::colors;

/// The display, which all concurrent downloads share.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress(Arc<Mutex<Bar>>);

#[derive(Debug, Default)]
struct Bar {
    /// The tasks that run, the newest last.
    tasks: Vec<(u64, String)>,
    next: u64,
    done: u64,
    is_drawn: bool,
}

/// A task. It ends when this is dropped.
pub(super) struct Task {
    progress: Progress,
    /// `None` if nothing is drawn.
    id: Option<u64>,
}

impl Progress {
    /// Shows that a download begins.
    pub(super) fn download(&self, url: &str) -> Task {
        self.begin("Download", url)
    }

    fn begin(&self, what: &str, name: &str) -> Task {
        // The name may come from a registry, so control characters are removed before they reach
        // the terminal.
        let name: String = name.chars().filter(|it| !it.is_control()).collect();
        let text = format!("{} {name}", colors::green(what));
        if !log::log_enabled!(log::Level::Info) || !std::io::stderr().is_terminal() {
            log::info!("{text}");
            return Task {
                progress: self.clone(),
                id: None,
            };
        }
        let mut bar = self.lock();
        let id = bar.next;
        bar.next += 1;
        bar.tasks.push((id, text));
        bar.draw();
        Task {
            progress: self.clone(),
            id: Some(id),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Bar> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        let Some(id) = self.id else {
            return;
        };
        let mut bar = self.progress.lock();
        bar.tasks.retain(|(task, _)| *task != id);
        bar.done += 1;
        bar.draw();
    }
}

impl Bar {
    fn draw(&mut self) {
        let mut stderr = std::io::stderr().lock();
        // An error is ignored, because the download does not need the terminal.
        let _ = match self.tasks.last() {
            Some((_, text)) => {
                let count = self.done + self.tasks.len() as u64;
                let width = columns().saturating_sub(12);
                let text: String = text.chars().take(width).collect();
                self.is_drawn = true;
                write!(stderr, "\r\x1b[2K[{}/{count}] {text}\x1b[0m", self.done)
            }
            None if self.is_drawn => {
                self.is_drawn = false;
                write!(stderr, "\r\x1b[2K")
            }
            None => Ok(()),
        };
        let _ = stderr.flush();
    }
}

/// The columns of the terminal.
fn columns() -> usize {
    let size = crate::ops::tty::window_size(std::io::stderr());
    match size.map(|(columns, _)| columns) {
        None | Some(0) => 80,
        Some(columns) => columns.into(),
    }
}

impl deno_npm_installer::Reporter for Progress {
    type Guard = Task;
    type ClearGuard = ();

    fn on_blocking(&self, message: &str) -> Task {
        self.begin("Blocking", message)
    }

    fn on_initializing(&self, message: &str) -> Task {
        self.begin("Initialize", message)
    }

    fn clear_guard(&self) {}
}
