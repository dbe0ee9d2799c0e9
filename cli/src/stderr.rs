//! Standard error, where everything is told that is not the program's output.

use std::io::IsTerminal;
use std::io::Write;
use std::sync::Mutex;
use std::sync::PoisonError;

use deno_terminal::colors;

/// Turns colours off unless standard error shows them: it is a terminal, or the
/// user forces them. `NO_COLOR` is heeded where colours are made.
///
/// Colours are one switch for the whole process, which the program's own output
/// heeds too; hence this is for when the program is over.
pub(crate) fn choose_colours() {
    if !is_coloured() {
        colors::set_use_color(false);
    }
}

/// The same for as long as `format` takes, while the program goes on.
pub(crate) fn with_its_colours<T>(format: impl FnOnce() -> T) -> T {
    static SWITCH: Mutex<()> = Mutex::new(());

    let _held = SWITCH.lock().unwrap_or_else(PoisonError::into_inner);
    let before = colors::use_color();
    choose_colours();
    let formatted = format();
    colors::set_use_color(before);
    formatted
}

/// Whether what is written to standard error now may have colours.
pub(crate) fn is_coloured() -> bool {
    let is_forced = std::env::var_os("FORCE_COLOR").is_some_and(|value| !value.is_empty());
    is_forced || std::io::stderr().is_terminal()
}

/// Writes a line. Whoever reads standard error may be gone, which is no reason
/// to stop.
pub(crate) fn write_line(text: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
