//! Position-independent addresses: an offset from the region's start and a size, packed into one
//! `u64`.

use core::error::Error;
use core::fmt;
use core::num::NonZeroU64;

use static_assertions::{assert_eq_size, const_assert};

/// The largest size of one allocation, in bytes: 2^31 - 1.
///
/// ```
/// assert_eq!(marena_core::ARENA_MAX_ALLOC_SIZE, 2_147_483_647);
/// ```
pub const ARENA_MAX_ALLOC_SIZE: usize = (1 << 31) - 1;

/// The page that `marena-std` aligns regions to and rounds capacities up to, in bytes: 2^16.
///
/// ```
/// assert_eq!(marena_core::ARENA_PAGESIZE, 65_536);
/// ```
pub const ARENA_PAGESIZE: usize = 1 << 16;

/// The raw form of "no address": 0.
///
/// ```
/// use marena_core::{ARENA_INVALID_ADDRESS, Address};
/// assert_eq!(Address::from_raw(ARENA_INVALID_ADDRESS), None);
/// ```
pub const ARENA_INVALID_ADDRESS: u64 = 0;

/// The smallest offset an address can have, in bytes from the region's start: 128. The header lies
/// below it.
///
/// ```
/// use marena_core::{ARENA_MIN_ADDRESS, Address};
/// assert!(Address::new(ARENA_MIN_ADDRESS, 1).is_some());
/// assert!(Address::new(ARENA_MIN_ADDRESS - 1, 1).is_none());
/// ```
pub const ARENA_MIN_ADDRESS: u32 = 128;

/// The largest size of a region, in bytes. No offset in a region is larger.
pub(crate) const REGION_MAX: u64 = 1 << 31;

const_assert!(ARENA_MAX_ALLOC_SIZE as u64 == REGION_MAX - 1);

/// Where a block lies: `offset << 32 | size`, both in bytes, the offset counted from the region's
/// start.
///
/// An address is a plain number. It means the same in every mapping of the region, fits a `u64`
/// field of a node, and proves nothing: reading through one is `unsafe`
/// ([`Arena::view_address`](crate::Arena::view_address)) or yields a raw pointer
/// ([`Arena::view_ptr`](crate::Arena::view_ptr)). For checked reads there is
/// [`Handle`](crate::Handle).
///
/// Every `Address` satisfies `128 <= offset`, `size <= 2^31 - 1` and `offset + size <= 2^31`, so no
/// sum of the two wraps. `Option<Address>` is 8 bytes, and `None` is 0. Addresses order by offset,
/// then by size.
///
/// With the feature `serde`, an address is the number [`to_raw`](Self::to_raw), checked when it is
/// read. With the feature `zerocopy`, nodes that hold addresses can derive `IntoBytes`, `Immutable`
/// and `KnownLayout`. To read one from bytes, read a `u64` and convert it.
///
/// # Examples
///
/// ```
/// use marena_core::Address;
///
/// let address = Address::new(128, 200).unwrap();
/// assert_eq!(address.to_raw(), 128 << 32 | 200);
/// assert_eq!(Address::from_raw(address.to_raw()), Some(address));
/// assert_eq!(size_of::<Option<Address>>(), 8);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "u64", into = "u64"))]
#[cfg_attr(feature = "zerocopy", derive(zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout))]
#[repr(transparent)]
pub struct Address(NonZeroU64);

assert_eq_size!(Option<Address>, u64);

impl Address {
    /// Returns the address of `size` bytes at `offset`, or `None` if no region can have such bytes:
    /// `offset < 128`, `size > 2^31 - 1` or `offset + size > 2^31`.
    ///
    /// ```
    /// use marena_core::Address;
    /// assert!(Address::new(0, 8).is_none());
    /// assert!(Address::new(128, u32::MAX).is_none());
    /// assert!(Address::new(1 << 31, 0).is_some());
    /// ```
    #[must_use]
    #[inline]
    pub const fn new(offset: u32, size: u32) -> Option<Self> {
        Self::from_raw(((offset as u64) << 32) | size as u64)
    }

    /// Returns the address with this [raw form](Self::to_raw), or `None` for 0 and for every other
    /// number that is the address of no block.
    ///
    /// ```
    /// use marena_core::Address;
    /// assert!(Address::from_raw(0).is_none());
    /// assert!(Address::from_raw(u64::MAX).is_none());
    /// assert!(Address::from_raw(128 << 32).is_some());
    /// ```
    #[must_use]
    #[inline]
    pub const fn from_raw(raw: u64) -> Option<Self> {
        let offset = raw >> 32;
        let size = raw & u32::MAX as u64;
        // Both are below 2^32, so the sum cannot wrap. An offset of at least 128 makes
        // `size <= MAX` follow from the sum.
        if offset < ARENA_MIN_ADDRESS as u64 || offset + size > REGION_MAX {
            return None;
        }
        match NonZeroU64::new(raw) {
            Some(raw) => Some(Self(raw)),
            None => None,
        }
    }

    /// Returns `offset << 32 | size`, which is never 0.
    ///
    /// ```
    /// use marena_core::Address;
    /// assert_eq!(Address::new(136, 3).unwrap().to_raw(), 0x88_0000_0003);
    /// ```
    #[must_use]
    #[inline]
    pub const fn to_raw(self) -> u64 {
        self.0.get()
    }

    /// Returns the offset from the region's start in bytes, 128 to 2^31.
    ///
    /// ```
    /// use marena_core::Address;
    /// assert_eq!(Address::new(136, 3).unwrap().offset(), 136);
    /// ```
    #[must_use]
    #[inline]
    pub const fn offset(self) -> u32 {
        (self.0.get() >> 32) as u32
    }

    /// Returns the size in bytes, 0 to 2^31 - 1, as it was requested and not rounded.
    ///
    /// ```
    /// use marena_core::Address;
    /// assert_eq!(Address::new(136, 3).unwrap().size(), 3);
    /// ```
    #[must_use]
    #[inline]
    pub const fn size(self) -> u32 {
        self.0.get() as u32
    }

    /// Returns the address of a block that the arena handed out.
    ///
    /// The caller passes the offset and the size of bytes inside a region of at most 2^31 bytes,
    /// past its header. If a damaged cursor breaks that, the result is some other address, and
    /// never 0.
    #[inline]
    pub(crate) const fn of_block(offset: usize, size: usize) -> Self {
        debug_assert!(Self::new(offset as u32, size as u32).is_some());
        match NonZeroU64::new(((offset as u64) << 32) | size as u64) {
            Some(raw) => Self(raw),
            None => Self::EMPTY,
        }
    }

    /// The address of every block of no bytes, which takes no room.
    pub(crate) const EMPTY: Self = match Self::new(ARENA_MIN_ADDRESS, 0) {
        Some(address) => address,
        None => panic!("128 is a valid offset"),
    };
}

/// Prints `offset+size`, both in bytes.
///
/// ```
/// use marena_core::Address;
/// assert_eq!(Address::new(136, 3).unwrap().to_string(), "136+3");
/// ```
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}", self.offset(), self.size())
    }
}

/// Prints the [raw form](Address::to_raw): eight digits of the offset, then eight of the size.
///
/// ```
/// use marena_core::Address;
/// assert_eq!(format!("{:#018x}", Address::new(136, 3).unwrap()), "0x0000008800000003");
/// ```
impl fmt::LowerHex for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::LowerHex::fmt(&self.to_raw(), f)
    }
}

/// Returns the [raw form](Address::to_raw).
impl From<Address> for u64 {
    #[inline]
    fn from(address: Address) -> Self {
        address.to_raw()
    }
}

/// Checks the number, as [`Address::from_raw`] does.
///
/// ```
/// use marena_core::Address;
/// assert_eq!(Address::try_from(128 << 32).unwrap().offset(), 128);
/// assert_eq!(Address::try_from(7).unwrap_err().to_string(), "0x7 is the address of no block");
/// ```
impl TryFrom<u64> for Address {
    type Error = AddressError;

    #[inline]
    fn try_from(raw: u64) -> Result<Self, AddressError> {
        Self::from_raw(raw).ok_or(AddressError { raw })
    }
}

/// The error for a number that is the address of no block: see [`Address::from_raw`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressError {
    raw: u64,
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x} is the address of no block", self.raw)
    }
}

impl Error for AddressError {}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address").field("offset", &self.offset()).field("size", &self.size()).finish()
    }
}
