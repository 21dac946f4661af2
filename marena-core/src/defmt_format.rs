//! Log formats over defmt for addresses, statistics and errors: the names and numbers that `Debug`
//! prints.
//!
//! The texts stay on the host; the target sends an index and the numbers.

use defmt::{Format, Formatter, write};

use crate::address::Address;
use crate::error::{AllocError, AttachError, MemoryError, TryAllocError};
use crate::stats::Stats;

impl Format for Address {
    fn format(&self, f: Formatter<'_>) {
        write!(f, "Address {{ offset: {=u32}, size: {=u32} }}", self.offset(), self.size());
    }
}

impl Format for Stats {
    fn format(&self, f: Formatter<'_>) {
        let Self { capacity, used, remaining, high_water, high_water_since_reset, stranded, leased, failed } = *self;
        write!(
            f,
            "Stats {{ capacity: {=usize}, used: {=usize}, remaining: {=usize}, high_water: {=usize}, \
             high_water_since_reset: {=usize}, stranded: {=usize}, leased: {=usize}, failed: {=usize} }}",
            capacity, used, remaining, high_water, high_water_since_reset, stranded, leased, failed
        );
    }
}

impl Format for AllocError {
    fn format(&self, f: Formatter<'_>) {
        match *self {
            Self::TooLarge { requested } => write!(f, "TooLarge {{ requested: {=usize} }}", requested),
            Self::Full { requested, remaining } => {
                write!(f, "Full {{ requested: {=usize}, remaining: {=usize} }}", requested, remaining);
            }
            Self::Alignment { requested, supported } => {
                write!(f, "Alignment {{ requested: {=usize}, supported: {=usize} }}", requested, supported);
            }
            Self::Contended { retries } => write!(f, "Contended {{ retries: {=u32} }}", retries),
            Self::Format => write!(f, "Format"),
        }
    }
}

impl<E: Format> Format for TryAllocError<E> {
    fn format(&self, f: Formatter<'_>) {
        match self {
            Self::Alloc(error) => write!(f, "Alloc({})", error),
            Self::Init(error) => write!(f, "Init({})", error),
        }
    }
}

impl Format for MemoryError {
    fn format(&self, f: Formatter<'_>) {
        match *self {
            Self::Misaligned { required, address } => {
                write!(f, "Misaligned {{ required: {=usize}, address: {=usize:#x} }}", required, address);
            }
            Self::TooSmall { required, len } => {
                write!(f, "TooSmall {{ required: {=usize}, len: {=usize} }}", required, len);
            }
            Self::TooLarge { limit, len } => write!(f, "TooLarge {{ limit: {=usize}, len: {=usize} }}", limit, len),
        }
    }
}

impl Format for AttachError {
    fn format(&self, f: Formatter<'_>) {
        match *self {
            Self::NotAnArena => write!(f, "NotAnArena"),
            Self::Version { found } => write!(f, "Version {{ found: {=u32} }}", found),
            Self::Endianness => write!(f, "Endianness"),
            Self::Capacity { header, region } => {
                write!(f, "Capacity {{ header: {=u64}, region: {=u64} }}", header, region);
            }
            Self::Cursor { found } => write!(f, "Cursor {{ found: {=u32} }}", found),
            Self::Root { slot, found } => write!(f, "Root {{ slot: {=usize}, found: {=u64:#x} }}", slot, found),
            Self::Memory(error) => write!(f, "Memory({})", error),
        }
    }
}
