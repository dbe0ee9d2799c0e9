//! The terminal: its size and its modes.

use std::collections::HashMap;
use std::io::Error;
use std::os::fd::RawFd;
use std::sync::OnceLock;

use deno_core::OpState;
use deno_core::ResourceId;
use deno_core::error::ResourceError;
use deno_core::op2;

/// The modes that terminals had before a program made them raw.
#[derive(Default)]
pub struct TerminalModes(HashMap<ResourceId, libc::termios>);

/// Why a terminal did not do what it was asked.
#[derive(Debug, thiserror::Error, deno_error::JsError)]
pub enum TerminalError {
    #[class(inherit)]
    #[error(transparent)]
    Resource(
        #[from]
        #[inherit]
        ResourceError,
    ),
    #[class(inherit)]
    #[error(transparent)]
    Io(
        #[from]
        #[inherit]
        Error,
    ),
    #[class(generic)]
    #[error(
        "Could not get console size: stdin, stdout, and stderr are not connected to a terminal"
    )]
    NoTerminal,
}

/// Writes columns and rows of the first of stdin, stdout and stderr that is a
/// terminal.
#[op2(fast)]
pub fn op_console_size(
    state: &mut OpState,
    #[buffer] size: &mut [u32],
) -> Result<(), TerminalError> {
    let [columns, rows] = size else {
        return Err(TerminalError::NoTerminal);
    };
    for rid in 0..=2 {
        let Ok(fd) = state.resource_table.get_fd(rid) else {
            continue;
        };
        if let Some(found) = window_size(fd) {
            (*columns, *rows) = (found.ws_col.into(), found.ws_row.into());
            return Ok(());
        }
    }
    Err(TerminalError::NoTerminal)
}

/// Turns raw mode on or off; with `cbreak` the keys that send signals keep
/// doing so. The mode of stdin is restored when the process exits.
#[op2(fast)]
pub fn op_set_raw(
    state: &mut OpState,
    #[smi] rid: ResourceId,
    raw: bool,
    cbreak: bool,
) -> Result<(), TerminalError> {
    let fd = state.resource_table.get_fd(rid)?;
    restore_stdin_at_exit();
    let modes = &mut state.borrow_mut::<TerminalModes>().0;
    if !raw {
        if let Some(mode) = modes.remove(&rid) {
            set_mode(fd, &mode)?;
        }
        return Ok(());
    }
    let original = match modes.get(&rid) {
        Some(mode) => *mode,
        None => mode(fd)?,
    };
    set_mode(fd, &raw_mode(original, cbreak))?;
    modes.insert(rid, original);
    Ok(())
}

fn raw_mode(mut mode: libc::termios, cbreak: bool) -> libc::termios {
    mode.c_iflag &= !(libc::BRKINT | libc::ICRNL | libc::INPCK | libc::ISTRIP | libc::IXON);
    mode.c_cflag |= libc::CS8;
    mode.c_lflag &= !(libc::ECHO | libc::ICANON | libc::IEXTEN);
    if !cbreak {
        mode.c_lflag &= !libc::ISIG;
    }
    mode.c_cc[libc::VMIN] = 1;
    mode.c_cc[libc::VTIME] = 0;
    mode
}

fn mode(fd: RawFd) -> Result<libc::termios, Error> {
    let mut mode = std::mem::MaybeUninit::<libc::termios>::uninit();
    // SAFETY: the pointer is to memory of the size of a termios.
    if unsafe { libc::tcgetattr(fd, mode.as_mut_ptr()) } != 0 {
        return Err(Error::last_os_error());
    }
    // SAFETY: tcgetattr returned 0, so it filled the structure.
    Ok(unsafe { mode.assume_init() })
}

fn set_mode(fd: RawFd, mode: &libc::termios) -> Result<(), Error> {
    // SAFETY: `mode` is a termios that came from tcgetattr.
    if unsafe { libc::tcsetattr(fd, libc::TCSADRAIN, mode) } != 0 {
        return Err(Error::last_os_error());
    }
    Ok(())
}

pub fn window_size(fd: RawFd) -> Option<libc::winsize> {
    let mut size = std::mem::MaybeUninit::<libc::winsize>::uninit();
    // SAFETY: TIOCGWINSZ writes one winsize to the pointer.
    if unsafe { libc::ioctl(fd, libc::TIOCGWINSZ, size.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: the ioctl returned 0, so it filled the structure.
    Some(unsafe { size.assume_init() })
}

fn restore_stdin_at_exit() {
    static ORIGINAL: OnceLock<Option<libc::termios>> = OnceLock::new();

    extern "C" fn restore() {
        if let Some(Some(mode)) = ORIGINAL.get() {
            let _ = set_mode(libc::STDIN_FILENO, mode);
        }
    }

    ORIGINAL.get_or_init(|| {
        let mode = mode(libc::STDIN_FILENO).ok()?;
        // SAFETY: `restore` touches nothing but a static that is never dropped.
        unsafe { libc::atexit(restore) };
        Some(mode)
    });
}
