//! Why bytes could not be read or written.

use marena_core::Address;

/// Why bytes of a mapped arena could not be read or written. The call read and wrote nothing.
///
/// # Examples
///
/// ```
/// # if cfg!(miri) { return Ok(()) } // Miri maps no files.
/// use marena_std::{AccessError, Address, MappedArena};
///
/// let path = std::env::temp_dir().join(format!("access-error-{}.arena", std::process::id()));
/// // SAFETY: the file is new, and nobody else knows it.
/// let arena = unsafe { MappedArena::create(&path, 65_536) }?;
/// let nothing = Address::new(4096, 8).unwrap();
/// assert!(matches!(arena.read_value::<u64>(nothing), Err(AccessError::Unused { used: 0, .. })));
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// The address reaches past the bytes that were handed out.
    #[error(
        "{address:?} reaches past the {used} bytes that the arena has handed out; \
         the address is damaged or of another arena"
    )]
    Unused {
        /// The address.
        address: Address,
        /// The number of bytes that were handed out, counted from offset 128.
        used: usize,
    },
    /// The address names fewer bytes than were requested.
    #[error(
        "{requested} bytes were requested of {address:?}, which names fewer; \
         pass a shorter buffer or the whole block's address"
    )]
    Size {
        /// The address.
        address: Address,
        /// The number of bytes that were requested.
        requested: usize,
    },
    /// The address is not aligned enough.
    #[error(
        "{address:?} is not aligned to {required}; \
         use the start of a block, or an offset in it that is a multiple of {required}"
    )]
    Misaligned {
        /// The address.
        address: Address,
        /// The required alignment, in bytes.
        required: usize,
    },
}
