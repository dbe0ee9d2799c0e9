//! Standard error, which gets all text that is not the output of the program.

use std::io::IsTerminal;
use std::io::Write;
use std::sync::Mutex;
use std::sync::PoisonError;

use deno_terminal::colors;

/// Turns colours off unless standard error shows them, because it is a terminal or the user forces
/// them. The code that makes colours obeys `NO_COLOR`.
///
/// Colours have one switch for the whole process, which also applies to the program's own output.
/// So this is for the time after the program has ended.
pub(crate) fn choose_colours() {
    if !is_coloured() {
        colors::set_use_color(false);
    }
}

/// Like [`choose_colours`], but only while `format` runs, so that the program can go on.
pub(crate) fn with_its_colours<T>(format: impl FnOnce() -> T) -> T {
    static SWITCH: Mutex<()> = Mutex::new(());

    let _held = SWITCH.lock().unwrap_or_else(PoisonError::into_inner);
    let before = colors::use_color();
    choose_colours();
    let formatted = format();
    colors::set_use_color(before);
    formatted
}

/// Whether text on standard error may have colours.
pub(crate) fn is_coloured() -> bool {
    let is_forced = std::env::var_os("FORCE_COLOR").is_some_and(|value| !value.is_empty());
    is_forced || std::io::stderr().is_terminal()
}

/// Writes a line. An error is ignored, because a reader that has gone is no reason to stop.
pub(crate) fn write_line(text: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
