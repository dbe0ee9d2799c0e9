//! `--watch`: runs the program in a process of its own, and restarts it when one of its files
//! changes. The process reports which files the program consists of.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use deno_terminal::colors;
use notify::EventKind;
use notify::RecommendedWatcher;
use notify::RecursiveMode;
use notify::Watcher;
use rustix::process::Pid;
use rustix::process::Signal;
use rustix::process::kill_process;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixListener;
use tokio::net::UnixStream;
use tokio::process::Child;
use tokio::process::Command;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio::time::timeout;

use crate::flags::Flags;
use crate::flags::WatchFlags;
use crate::stderr;

/// The environment variable with the path of the socket to which the program reports its files.
const SOCKET: &str = "DUPLEX_WATCH_SOCKET";

/// How long to wait after a change, because editors write a file in several steps, and several
/// files at once.
const SETTLE: Duration = Duration::from_millis(200);

/// How long a program may take to end before it is killed.
const PATIENCE: Duration = Duration::from_secs(1);

/// The longest path in a report. No system has longer paths.
const LONGEST_PATH: u32 = 1 << 16;

/// Makes this process report its files, if a process with `--watch` has started it.
pub(crate) fn report_to_watcher() {
    let Some(path) = std::env::var_os(SOCKET) else {
        return;
    };
    // SAFETY: no other thread of this process has started. The variable is removed so that
    // processes that the program starts do not report their files.
    unsafe { std::env::remove_var(SOCKET) };
    end_with_parent();
    if let Err(error) = duplex_runtime::report_files_to(Path::new(&path)) {
        log::warn!("Unable to report the program's files: {error}");
    }
}

/// Makes this process get SIGTERM when its parent process ends.
#[cfg(target_os = "linux")]
fn end_with_parent() {
    let _ = rustix::process::set_parent_process_death_signal(Some(Signal::TERM));
}

/// Does nothing, because this is a function of Linux.
#[cfg(not(target_os = "linux"))]
fn end_with_parent() {}

/// Runs the program, and restarts it after each change, until a signal comes.
///
/// # Errors
/// A message without `error: `, which says why nothing can be watched.
pub(crate) async fn supervise(flags: &Flags, watch: &WatchFlags) -> Result<i32, String> {
    let cwd = std::env::current_dir()
        .map_err(|error| format!("Unable to read the current directory: {error}"))?;
    let failed = |error: io::Error| format!("Unable to watch files: {error}");
    let folder = Folder::new().map_err(failed)?;
    let listener = UnixListener::bind(folder.socket()).map_err(failed)?;
    let (changes, mut changed) = mpsc::unbounded_channel();
    let mut files =
        Files::new(changes).map_err(|error| format!("Unable to watch files: {error}"))?;
    for path in &watch.paths {
        files.add_named(&cwd.join(path))?;
    }
    for path in &watch.excluded {
        files.excluded.push(cwd.join(path));
    }
    for path in flags.files() {
        files.add(&cwd.join(path));
    }
    let files = Arc::new(Mutex::new(files));
    let mut interrupted = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminated = signal(SignalKind::terminate()).map_err(failed)?;
    let arguments = own_arguments(flags.args.len());

    say("Process started.");
    loop {
        let mut child = Command::new(own_path()?)
            .args(&arguments)
            .env(SOCKET, folder.socket())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("Unable to start the program: {error}"))?;
        let mut is_running = true;
        loop {
            tokio::select! {
                status = child.wait(), if is_running => {
                    is_running = false;
                    say(match status.is_ok_and(|status| status.success()) {
                        true => "Process finished. Restarting on file change...",
                        false => "Process failed. Restarting on file change...",
                    });
                }
                Ok((stream, _)) = listener.accept() => {
                    tokio::spawn(read_report(stream, files.clone()));
                }
                Some(path) = changed.recv() => {
                    if lock(&files).concerns(&path) {
                        break;
                    }
                }
                _ = interrupted.recv() => return end(&mut child, Signal::INT).await,
                _ = terminated.recv() => return end(&mut child, Signal::TERM).await,
            }
        }
        sleep(SETTLE).await;
        while changed.try_recv().is_ok() {}
        if is_running {
            stop(&mut child).await;
        }
        if watch.clears_screen && deno_terminal::is_stderr_tty() {
            eprint!("\x1B[2J\x1B[1;1H");
        }
        say("File change detected! Restarting!");
    }
}

fn say(text: &str) {
    if stderr::is_coloured() {
        log::info!("{} {text}", colors::intense_blue("Watcher"));
    } else {
        log::info!("Watcher {text}");
    }
}

/// Ends the program because a signal has come, and returns its exit code.
async fn end(child: &mut Child, signal: Signal) -> Result<i32, String> {
    send(child, signal);
    let status = child
        .wait()
        .await
        .map_err(|error| format!("Unable to wait for the program: {error}"))?;
    Ok(status.code().unwrap_or(128 + signal.as_raw()))
}

/// Ends the program before it is restarted.
async fn stop(child: &mut Child) {
    send(child, Signal::TERM);
    if timeout(PATIENCE, child.wait()).await.is_err() {
        let _ = child.kill().await;
    }
}

fn send(child: &Child, signal: Signal) {
    // There is no id if the process has ended and was waited for.
    let id = child.id().and_then(|id| i32::try_from(id).ok());
    if let Some(id) = id.and_then(Pid::from_raw) {
        let _ = kill_process(id, signal);
    }
}

fn own_path() -> Result<PathBuf, String> {
    std::env::current_exe().map_err(|error| format!("Unable to find this program: {error}"))
}

/// The arguments of this process without the flags of this module. The last `count` arguments are
/// the program's.
fn own_arguments(count: usize) -> Vec<OsString> {
    let all: Vec<OsString> = std::env::args_os().skip(1).collect();
    let (own, rest) = all.split_at(all.len() - count.min(all.len()));
    let is_kept = |argument: &&OsString| {
        let name = argument.as_bytes().split(|&byte| byte == b'=').next();
        !matches!(
            name,
            Some(b"--watch" | b"--watch-exclude" | b"--no-clear-screen")
        )
    };
    own.iter().filter(is_kept).chain(rest).cloned().collect()
}

/// Watches the files that a program reports, until it ends. The program waits for each answer, so
/// this goes on while the program is being stopped.
async fn read_report(mut stream: UnixStream, files: Arc<Mutex<Files>>) {
    while let Ok(length) = stream.read_u32_le().await {
        if length > LONGEST_PATH {
            return;
        }
        let mut path = vec![0; length as usize];
        if stream.read_exact(&mut path).await.is_err() {
            return;
        }
        lock(&files).add(Path::new(OsStr::from_bytes(&path)));
        if stream.write_all(&[1]).await.is_err() {
            return;
        }
    }
}

fn lock(files: &Mutex<Files>) -> MutexGuard<'_, Files> {
    files.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The folder of the socket. Only this user has access to it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        let name = format!("duplex-watch-{}-{:x}", std::process::id(), nanoseconds());
        let path = std::env::temp_dir().join(name);
        // This fails if something already has this name.
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    fn socket(&self) -> PathBuf {
        self.0.join("files")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn nanoseconds() -> u32 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| now.subsec_nanos())
}

/// The files that are watched.
struct Files {
    watcher: RecommendedWatcher,
    /// Files of the program. Their folders are watched, because editors replace files.
    known: HashSet<PathBuf>,
    folders: HashSet<PathBuf>,
    /// The folders that the user named, which are watched with all that is in them.
    named: Vec<PathBuf>,
    excluded: Vec<PathBuf>,
}

impl Files {
    fn new(changes: mpsc::UnboundedSender<PathBuf>) -> notify::Result<Self> {
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let Ok(event) = event else { return };
            if matches!(event.kind, EventKind::Access(_)) {
                return;
            }
            for path in event.paths {
                let _ = changes.send(path);
            }
        })?;
        Ok(Self {
            watcher,
            known: HashSet::new(),
            folders: HashSet::new(),
            named: Vec::new(),
            excluded: Vec::new(),
        })
    }

    /// Watches a file, which need not exist.
    fn add(&mut self, path: &Path) {
        let path = real(path);
        let Some(folder) = path.parent() else { return };
        if !self.folders.contains(folder)
            && self
                .watcher
                .watch(folder, RecursiveMode::NonRecursive)
                .is_ok()
        {
            self.folders.insert(folder.to_owned());
        }
        self.known.insert(path);
    }

    /// Watches a file that the user named, or a folder with all that is in it.
    fn add_named(&mut self, path: &Path) -> Result<(), String> {
        let path = path
            .canonicalize()
            .map_err(|error| format!("Unable to watch \"{}\": {error}", path.display()))?;
        if path.is_dir() {
            self.watcher
                .watch(&path, RecursiveMode::Recursive)
                .map_err(|error| format!("Unable to watch \"{}\": {error}", path.display()))?;
            self.named.push(path);
        } else {
            self.add(&path);
        }
        Ok(())
    }

    /// Whether a change of `path` must restart the program.
    fn concerns(&self, path: &Path) -> bool {
        let is_in = |folders: &[PathBuf]| folders.iter().any(|it| path.starts_with(real(it)));
        (self.known.contains(path) || is_in(&self.named)) && !is_in(&self.excluded)
    }
}

/// The path without links, as the kernel reports it. If the file does not exist, the path of its
/// folder is resolved.
fn real(path: &Path) -> PathBuf {
    if let Ok(path) = path.canonicalize() {
        return path;
    }
    match (path.parent().map(Path::canonicalize), path.file_name()) {
        (Some(Ok(folder)), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}
