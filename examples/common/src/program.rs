//! The frame of every program: parse the arguments, run, report an error, choose the exit code.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use crate::stdio::{Output, Unwritable};

/// The exit codes of every program, for its `--help`.
pub const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    the answer is no: not found, damaged, or not the kind of file it should be
  2    a wrong command line, an unreadable input, an unwritable output, too little memory
  141  standard output was closed before everything was written";

const NEGATIVE: u8 = 1;
const TROUBLE: u8 = 2;
/// 128 + SIGPIPE: what a shell reports for a program that the signal ended.
const BROKEN_PIPE: u8 = 141;

/// Any error. Its text is the message that the user reads.
pub type AnyError = Box<dyn Error + Send + Sync>;

/// The answer is no. The program worked, prints this message and exits with 1.
#[derive(Debug)]
pub struct Negative(pub String);

impl fmt::Display for Negative {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Negative {}

/// Shows a path with control characters escaped, so that no file name can disturb a message.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'p>(pub &'p Path);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in self.0.to_string_lossy().split_inclusive(char::is_control) {
            let text = part.trim_end_matches(char::is_control);
            write!(f, "{text}{}", part[text.len()..].escape_default())?;
        }
        Ok(())
    }
}

/// Runs a program: parses its arguments, calls `run`, flushes the output and reports an error.
pub fn main<C: Parser>(run: impl FnOnce(C, &mut Output) -> Result<(), AnyError>) -> ExitCode {
    let name = C::command().get_name().to_owned();
    let mut output = Output::stdout();
    let outcome = match C::try_parse() {
        Ok(arguments) => run(arguments, &mut output),
        Err(error) if error.use_stderr() => {
            let _ = write!(io::stderr(), "{error}");
            return ExitCode::from(TROUBLE);
        }
        Err(help) => write!(output, "{help}").map_err(AnyError::from),
    };
    match outcome.and_then(|()| Ok(output.flush()?)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            warn(&name, Chain(&*error));
            ExitCode::from(exit_code(&*error))
        }
    }
}

/// Writes a message to standard error, and does without it where that is closed or full.
pub fn warn(program: &str, message: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "{program}: {message}");
}

/// An error and its causes, one after the other. Messages of libraries leave their causes out.
#[derive(Clone, Copy, Debug)]
pub struct Chain<'e>(pub &'e (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

fn exit_code(error: &(dyn Error + 'static)) -> u8 {
    if error.is::<Negative>() {
        return NEGATIVE;
    }
    let output = error.downcast_ref::<io::Error>().filter(|error| error.kind() == ErrorKind::BrokenPipe);
    match output.and_then(io::Error::get_ref) {
        Some(inner) if inner.is::<Unwritable>() => BROKEN_PIPE,
        _ => TROUBLE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_of_a_path_are_escaped() {
        assert_eq!(Shown(Path::new("a\n\u{1b}[31m b\u{7f}é")).to_string(), "a\\n\\u{1b}[31m b\\u{7f}é");
    }
}
