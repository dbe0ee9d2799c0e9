//! Asks on the terminal for a permission that the program does not have.
//!
//! The rules are Deno's. Input that was typed before the question does not count. Nothing else is
//! written while the question is shown. Text that the program has put into the question cannot
//! control the terminal. An answer counts only if standard input is still the same terminal.

use std::fmt::Write as _;
use std::io::BufRead;
use std::io::IsTerminal;
use std::io::Write;
use std::io::stderr;
use std::io::stdin;
use std::io::stdout;
use std::os::fd::AsFd;
use std::time::Duration;

use deno_terminal::colors;
use duplex_runtime::deno_permissions::prompter::GetFormattedStackFn;
use duplex_runtime::deno_permissions::prompter::PermissionPrompter;
use duplex_runtime::deno_permissions::prompter::PromptResponse;
use duplex_runtime::deno_permissions::prompter::lock_terminal_input;
use duplex_runtime::deno_permissions::prompter::set_prompter;
use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::event::Timespec;
use rustix::event::poll;
use rustix::termios::LocalModes;
use rustix::termios::QueueSelector;
use rustix::termios::tcflush;
use rustix::termios::tcgetattr;

/// Makes duplex ask for permissions.
pub(crate) fn install() {
    set_prompter(Box::new(TerminalPrompter));
}

struct TerminalPrompter;

impl PermissionPrompter for TerminalPrompter {
    fn prompt(
        &mut self,
        message: &str,
        name: &str,
        api_name: Option<&str>,
        is_unary: bool,
        get_stack: Option<GetFormattedStackFn>,
    ) -> PromptResponse {
        let question = Question {
            message: printable(message),
            name: printable(name),
            api_name: api_name.map(printable),
            is_unary,
            stack: get_stack.map(|get_stack| get_stack()),
        };
        // If the question cannot be asked, the permission is denied.
        question.ask(message.len()).unwrap_or(PromptResponse::Deny)
    }
}

struct Question {
    message: String,
    name: String,
    api_name: Option<String>,
    /// Whether all permissions of this kind can be allowed at once.
    is_unary: bool,
    stack: Option<Vec<String>>,
}

impl Question {
    fn ask(&self, length: usize) -> std::io::Result<PromptResponse> {
        if !stdin().is_terminal() || !stderr().is_terminal() {
            return Ok(PromptResponse::Deny);
        }
        let refusal = if is_raw() {
            Some("standard input is in raw mode".to_string())
        } else if length > LONGEST {
            Some(format!("the question is longer than {LONGEST} bytes"))
        } else {
            None
        };
        if let Some(refusal) = refusal {
            let name = &self.name;
            log::error!(
                "Unable to ask for a permission: {refusal}. To allow it, use --allow-{name}"
            );
            return Ok(PromptResponse::Deny);
        }
        let terminal = Terminal::of_stdin()?;
        let _input = lock_terminal_input();
        let _stdout = stdout().lock();
        let mut stderr = stderr().lock();
        let mut stdin = stdin().lock();
        let text = self.text();
        stderr.write_all(text.as_bytes())?;
        let response = loop {
            discard_input()?;
            let mut line = String::new();
            if stdin.read_line(&mut line)? == 0 {
                break PromptResponse::Deny;
            }
            match line.trim_end_matches(['\r', '\n']) {
                "y" | "Y" | "yes" => break PromptResponse::Allow,
                "n" | "N" | "no" | "\x1b" => break PromptResponse::Deny,
                "A" if self.is_unary => break PromptResponse::AllowAll,
                _ => {
                    clear_lines(&mut stderr, 1)?;
                    let again = colors::bold("Please answer by one of these letters. Allow?");
                    write!(stderr, "└ {again} {} > ", self.choices())?;
                }
            }
        };
        if Terminal::of_stdin()? != terminal {
            return Ok(PromptResponse::Deny);
        }
        clear_lines(&mut stderr, text.lines().count())?;
        let (message, name) = (&self.message, &self.name);
        let answer = match response {
            PromptResponse::Allow => format!("✅ Allowed: {message}"),
            PromptResponse::AllowAll => format!("✅ Allowed: all of --allow-{name}"),
            PromptResponse::Deny => format!("❌ Denied: {message}"),
        };
        writeln!(stderr, "{}", colors::bold(answer))?;
        Ok(response)
    }

    fn text(&self) -> String {
        let (message, name) = (&self.message, &self.name);
        let title = colors::bold(format!("duplex: the program asks for {message}"));
        let mut text = format!("┌ ⚠️  {title}\n");
        // Writing to a string cannot fail.
        if let Some(api_name) = &self.api_name {
            let _ = writeln!(text, "│ It called {}.", colors::bold(api_name));
        }
        match &self.stack {
            Some(frames) => {
                for frame in frames {
                    let _ = writeln!(text, "│   {}", colors::gray(printable(frame)));
                }
            }
            None => text.push_str("│ DENO_TRACE_PERMISSIONS=1 shows from where.\n"),
        }
        let _ = writeln!(text, "│ To allow it without a question: --allow-{name}");
        let _ = writeln!(text, "│ More: {}", colors::cyan(GUIDE));
        let _ = write!(text, "└ {} {} > ", colors::bold("Allow?"), self.choices());
        text
    }

    fn choices(&self) -> String {
        let name = &self.name;
        match self.is_unary {
            true => format!("[y/n/A] (y: yes, n: no, A: all of --allow-{name})"),
            false => "[y/n] (y: yes, n: no)".to_string(),
        }
    }
}

/// The properties that identify a terminal.
#[derive(PartialEq, Eq)]
struct Terminal {
    device: u64,
    inode: u64,
    number: u64,
    mode: u32,
    owner: (u32, u32),
}

impl Terminal {
    /// Returns an error if standard input or standard error is not a terminal.
    fn of_stdin() -> std::io::Result<Self> {
        if !stdin().is_terminal() || !stderr().is_terminal() {
            return Err(std::io::ErrorKind::Unsupported.into());
        }
        let stat = rustix::fs::fstat(stdin())?;
        Ok(Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            number: stat.st_rdev,
            mode: stat.st_mode,
            owner: (stat.st_uid, stat.st_gid),
        })
    }
}

/// Whether the terminal is in raw mode, in which a program gets single keys, not lines.
fn is_raw() -> bool {
    let modes = tcgetattr(stdin()).map(|mode| mode.local_modes);
    modes.is_ok_and(|modes| !modes.intersects(LocalModes::ICANON | LocalModes::ECHO))
}

/// Discards the input that was typed, until nothing has come for a while.
fn discard_input() -> std::io::Result<()> {
    let stdin = stdin();
    let quiet = Timespec::try_from(QUIET).map_err(std::io::Error::other)?;
    loop {
        tcflush(&stdin, QueueSelector::IFlush)?;
        let mut waiting = [PollFd::from_borrowed_fd(stdin.as_fd(), PollFlags::IN)];
        if poll(&mut waiting, Some(&quiet))? == 0 {
            return Ok(());
        }
        if waiting[0]
            .revents()
            .intersects(PollFlags::HUP | PollFlags::ERR)
        {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Clears the last lines of the terminal.
fn clear_lines(stderr: &mut impl Write, count: usize) -> std::io::Result<()> {
    write!(stderr, "\x1b[{count}A\x1b[0J")
}

/// Escapes the characters that would control the terminal or would be invisible.
fn printable(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' | '\'' | '\\' => result.push(character),
            _ => {
                let escaped = character.escape_debug();
                match escaped.len() {
                    1 => result.push(character),
                    _ => {
                        result.push_str(&colors::white_bold_on_red(escaped.to_string()).to_string())
                    }
                }
            }
        }
    }
    result
}

/// The longest question, in bytes. A longer question could hide something.
const LONGEST: usize = 10 << 10;
/// How long there must be no input before an answer is read.
const QUIET: Duration = Duration::from_millis(100);
const GUIDE: &str =
    "https://github.com/duplex-rs/duplex/blob/main/docs/manual/guide/permissions.md";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_acts_on_is_shown() {
        for hidden in [
            "\x1b[2J", "\r", "\n", "\u{202e}", "\u{200b}", "\u{feff}", "\u{9b}",
        ] {
            let shown = printable(&format!("read access to \"a{hidden}b\""));
            for character in hidden.chars().filter(|it| it.escape_debug().len() > 1) {
                // The colours are escape sequences of duplex itself.
                let colourless: String = shown.split("\x1b[").collect();
                assert!(!colourless.contains(character), "{hidden:?}: {shown:?}");
            }
        }
        assert_eq!(
            printable("read access to \"文件 ü.txt\""),
            "read access to \"文件 ü.txt\""
        );
    }
}
