//! What `memtable` does without a command.
use std::process::ExitCode;
use crate::error::Error;
pub(crate) fn run() -> Result<ExitCode, Error> { todo!() }
