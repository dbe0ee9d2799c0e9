//! The terminal: its size and its modes.

use std::collections::HashMap;
use std::io::Error;
use std::io::stdin;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::sync::OnceLock;

use deno_core::OpState;
use deno_core::ResourceId;
use deno_core::error::ResourceError;
use deno_core::op2;
use rustix::termios::ControlModes;
use rustix::termios::InputModes;
use rustix::termios::LocalModes;
use rustix::termios::OptionalActions;
use rustix::termios::SpecialCodeIndex;
use rustix::termios::Termios;
use rustix::termios::tcgetattr;
use rustix::termios::tcgetwinsize;
use rustix::termios::tcsetattr;

/// The modes of terminals before the program made them raw.
#[derive(Default)]
pub(crate) struct TerminalModes(HashMap<ResourceId, Termios>);

/// Why an operation on a terminal failed.
#[derive(Debug, thiserror::Error, deno_error::JsError)]
pub(crate) enum TerminalError {
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
pub(crate) fn op_console_size(
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
        // SAFETY: the resource stays in the table, which has the descriptor open, to the end of
        // the call.
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
        if let Some(found) = window_size(fd) {
            (*columns, *rows) = (found.0.into(), found.1.into());
            return Ok(());
        }
    }
    Err(TerminalError::NoTerminal)
}

/// Turns raw mode on or off. With `cbreak` the keys that send signals still send them. The mode of
/// stdin is restored when the process exits.
#[op2(fast)]
pub(crate) fn op_set_raw(
    state: &mut OpState,
    #[smi] rid: ResourceId,
    raw: bool,
    cbreak: bool,
) -> Result<(), TerminalError> {
    let fd = state.resource_table.get_fd(rid)?;
    // SAFETY: the resource stays in the table, which has the descriptor open, to the end of the
    // call.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    restore_stdin_at_exit();
    let modes = &mut state.borrow_mut::<TerminalModes>().0;
    if !raw {
        if let Some(mode) = modes.remove(&rid) {
            set_mode(fd, &mode)?;
        }
        return Ok(());
    }
    let original = match modes.get(&rid) {
        Some(mode) => mode.clone(),
        None => tcgetattr(fd).map_err(Error::from)?,
    };
    set_mode(fd, &raw_mode(original.clone(), cbreak))?;
    modes.insert(rid, original);
    Ok(())
}

fn raw_mode(mut mode: Termios, cbreak: bool) -> Termios {
    mode.input_modes -= InputModes::BRKINT
        | InputModes::ICRNL
        | InputModes::INPCK
        | InputModes::ISTRIP
        | InputModes::IXON;
    mode.control_modes |= ControlModes::CS8;
    mode.local_modes -= LocalModes::ECHO | LocalModes::ICANON | LocalModes::IEXTEN;
    if !cbreak {
        mode.local_modes -= LocalModes::ISIG;
    }
    mode.special_codes[SpecialCodeIndex::VMIN] = 1;
    mode.special_codes[SpecialCodeIndex::VTIME] = 0;
    mode
}

fn set_mode(fd: impl AsFd, mode: &Termios) -> Result<(), Error> {
    Ok(tcsetattr(fd, OptionalActions::Drain, mode)?)
}

/// The columns and rows if this is a terminal.
pub(crate) fn window_size(fd: impl AsFd) -> Option<(u16, u16)> {
    let size = tcgetwinsize(fd).ok()?;
    Some((size.ws_col, size.ws_row))
}

fn restore_stdin_at_exit() {
    static ORIGINAL: OnceLock<Option<Termios>> = OnceLock::new();

    extern "C" fn restore() {
        if let Some(Some(mode)) = ORIGINAL.get() {
            let _ = set_mode(stdin(), mode);
        }
    }

    ORIGINAL.get_or_init(|| {
        let mode = tcgetattr(stdin()).ok()?;
        // SAFETY: `restore` touches nothing but a static that is never dropped.
        unsafe { libc::atexit(restore) };
        Some(mode)
    });
}
