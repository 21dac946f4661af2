//! Output: standard output, or a file that appears under its name only when it is complete.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::Error;
use crate::record::Record;

const BUFFER_BYTES: usize = 256 << 10;

/// Where lines go.
#[derive(Debug)]
pub(crate) struct Output {
    writer: BufWriter<Sink>,
    /// For messages.
    name: String,
}

#[derive(Debug)]
enum Sink {
    Stdout(io::Stdout),
    /// What cannot be replaced: a device, a named pipe.
    Special(File),
    /// Lies beside `target`, and takes its name at the end.
    Replacement {
        file: NamedTempFile,
        target: PathBuf,
    },
}

impl Output {
    /// Opens a file, or standard output. What is wrong with the path is found here, before any work is done.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, Error> {
        let name = path.map_or_else(|| "standard output".into(), |path| path.display().to_string());
        let sink = match path {
            None => Ok(Sink::Stdout(io::stdout())),
            Some(path) => Sink::open(path),
        };
        match sink {
            Ok(sink) => Ok(Self { writer: BufWriter::with_capacity(BUFFER_BYTES, sink), name }),
            Err(source) => Err(Error::Write { name, source }),
        }
    }

    /// Writes a record's line.
    pub(crate) fn write(&mut self, record: Record<'_>) -> Result<(), Error> {
        let written = self
            .writer
            .write_all(record.key)
            .and_then(|()| self.writer.write_all(record.tail))
            .and_then(|()| self.writer.write_all(b"\n"));
        written.map_err(|source| failure(&self.name, source))
    }

    /// Writes what is left, and gives a file its name.
    pub(crate) fn finish(self) -> Result<(), Error> {
        let Self { writer, name } = self;
        let finished = writer.into_inner().map_err(io::IntoInnerError::into_error).and_then(Sink::finish);
        finished.map_err(|source| failure(&name, source))
    }
}

/// The error for what went wrong with writing to something of this name.
pub(crate) fn failure(name: &str, source: io::Error) -> Error {
    match source.kind() {
        ErrorKind::BrokenPipe => Error::BrokenPipe { name: name.into() },
        _ => Error::Write { name: name.into(), source },
    }
}

impl Sink {
    fn open(path: &Path) -> io::Result<Self> {
        // What exists is opened, though not to be written yet: a file that may not be written is not to be replaced either.
        let existing = match OpenOptions::new().write(true).open(path) {
            Ok(file) => Some(file.metadata().map(|metadata| (file, metadata))?),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let (target, permissions) = match existing {
            Some((file, metadata)) if !metadata.is_file() => return Ok(Self::Special(file)),
            // If the path is a symbolic link, what it leads to is replaced.
            Some((_, metadata)) => (fs::canonicalize(path)?, Some(metadata.permissions())),
            None => (path.to_path_buf(), None),
        };
        let dir = match target.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => dir,
            _ => Path::new("."),
        };
        let mut builder = tempfile::Builder::new();
        builder.prefix(".memtable-");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // As for any new file; the process's umask takes its share.
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        let file = builder.tempfile_in(dir)?;
        if let Some(permissions) = permissions {
            file.as_file().set_permissions(permissions)?;
        }
        Ok(Self::Replacement { file, target })
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Self::Stdout(mut stdout) => stdout.flush(),
            Self::Special(mut file) => file.flush(),
            Self::Replacement { file, target } => {
                // Before the name: a crash of the system must not leave the name with a part of the bytes.
                file.as_file().sync_all()?;
                file.persist(target)?;
                Ok(())
            }
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(stdout) => stdout.write(bytes),
            Self::Special(file) => file.write(bytes),
            Self::Replacement { file, .. } => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(stdout) => stdout.flush(),
            Self::Special(file) => file.flush(),
            Self::Replacement { file, .. } => file.flush(),
        }
    }
}
