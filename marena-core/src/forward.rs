//! The allocating methods as inherent ones, so that users import no trait. Their bodies are those
//! of [`Allocate`].
//!
//! [`Allocate`]: crate::Allocate

use crate::arena::Arena;
use crate::memory::Memory;

/// Defines every allocating method as an inherent one, so that users import no trait.
///
/// This is for crates that implement [`Claim`](crate::Claim) for a reference to a type of their
/// own, and depend on the exact version of this one. `self` is borrowed for the first lifetime, and
/// results live for the second. [`Claim`](crate::Claim) has an example.
#[macro_export]
macro_rules! forward_allocate {
    ($own:lifetime => $out:lifetime) => {
        /// Returns `size` zeroed bytes at a multiple of 8. Takes `size` rounded up to a multiple of
        /// 8.
        ///
        /// An arena makes one compare-and-swap. A lease or a scope makes none, unless it needs
        /// another chunk of its arena. Zeroing takes time in proportion to `size`, except for bytes
        /// that are known to be zero. Lock-free. A zero-sized request always succeeds.
        ///
        /// # Errors
        ///
        /// - [`AllocError::TooLarge`](crate::AllocError::TooLarge) if no arena can have a block of
        ///   this size, which is more than 2^31 - 1 bytes.
        /// - [`AllocError::Full`](crate::AllocError::Full) if there is no room.
        ///
        /// Nothing changes then.
        ///
        /// # Examples
        ///
        /// ```
        /// # use core::mem::MaybeUninit;
        /// # use marena_core::Arena;
        /// # let mut bytes = [MaybeUninit::uninit(); 2048];
        /// # let arena = Arena::borrowed(&mut bytes)?;
        /// let mut block = arena.allocate(200).unwrap();
        /// block[199] = 1;
        /// assert_eq!(arena.used(), 200);
        /// # Ok::<(), marena_core::MemoryError>(())
        /// ```
        #[inline]
        pub fn allocate<$own>(
            &$own self,
            size: usize,
        ) -> ::core::result::Result<$crate::Block<$out>, $crate::AllocError> {
            $crate::Allocate::allocate(self, size)
        }

        /// Returns `size` zeroed bytes at a multiple of `align` bytes.
        ///
        /// `align` is any power of two in memory that stays at one address. In memory that does
        /// not, it is at most [`Memory::REMAP_ALIGN`](crate::Memory::REMAP_ALIGN). A block of no
        /// bytes lies nowhere: its own pointer is aligned, and what [`view`](crate::Arena::view)
        /// returns for its handle is not.
        ///
        /// # Errors
        ///
        /// As for [`allocate`](Self::allocate), and
        /// [`AllocError::Alignment`](crate::AllocError::Alignment).
        ///
        /// # Examples
        ///
        /// ```
        /// # use core::mem::MaybeUninit;
        /// # use marena_core::Arena;
        /// # let mut bytes = [MaybeUninit::uninit(); 2048];
        /// # let arena = Arena::borrowed(&mut bytes)?;
        /// let block = arena.allocate_aligned(10, 256).unwrap();
        /// assert!(block.as_ptr().addr().is_multiple_of(256));
        /// # Ok::<(), marena_core::MemoryError>(())
        /// ```
        #[inline]
        pub fn allocate_aligned<$own>(
            &$own self,
            size: usize,
            align: usize,
        ) -> ::core::result::Result<$crate::Block<$out>, $crate::AllocError> {
            $crate::Allocate::allocate_aligned(self, size, align)
        }

        /// Returns one zeroed block of each size, side by side in this order, or none of them. One
        /// compare-and-swap serves all.
        ///
        /// # Errors
        ///
        /// As for [`allocate`](Self::allocate). `requested` in
        /// [`AllocError::Full`](crate::AllocError::Full) is the sum of all sizes, each rounded up
        /// to a multiple of 8.
        ///
        /// # Examples
        ///
        /// ```
        /// # use core::mem::MaybeUninit;
        /// # use marena_core::Arena;
        /// # let mut bytes = [MaybeUninit::uninit(); 2048];
        /// # let arena = Arena::borrowed(&mut bytes)?;
        /// let [node, key, value] = arena.allocate_multiple([24, 5, 100]).unwrap();
        /// assert_eq!((node.len(), key.len(), value.len()), (24, 5, 100));
        /// assert!(arena.allocate_multiple([8, 1 << 20]).is_err());
        /// assert_eq!(arena.used(), 24 + 8 + 104);
        /// # Ok::<(), marena_core::MemoryError>(())
        /// ```
        #[inline]
        pub fn allocate_multiple<$own, const N: usize>(
            &$own self,
            sizes: [usize; N],
        ) -> ::core::result::Result<[$crate::Block<$out>; N], $crate::AllocError> {
            $crate::Allocate::allocate_multiple(self, sizes)
        }

        /// Allocates as [`allocate`](Self::allocate) does, with at most `retries` attempts after
        /// the first to claim from the arena. For interrupt handlers and real-time code.
        ///
        /// Each attempt is one strong compare-and-swap. It fails only if another thread or handler
        /// allocated or freed in between, so an arena that nobody else uses needs no retry. On an
        /// arena itself the call is wait-free, where the machine's compare-and-swap is.
        /// (Load-linked and store-conditional are repeated until nothing falls between.)
        ///
        /// A lease, and a scope of one, try once more before, to extend their chunk. Leases and
        /// scopes keep counts besides, in loops that are lock-free. The attempts are counted anew
        /// where the memory has to make more bytes usable first, and in each segment of a growing
        /// arena.
        ///
        /// # Errors
        ///
        /// As for [`allocate`](Self::allocate), and
        /// [`AllocError::Contended`](crate::AllocError::Contended) when all attempts failed.
        ///
        /// # Examples
        ///
        /// ```
        /// # use core::mem::MaybeUninit;
        /// # use marena_core::Arena;
        /// # let mut bytes = [MaybeUninit::uninit(); 2048];
        /// # let arena = Arena::borrowed(&mut bytes)?;
        /// let block = arena.allocate_bounded(16, 8).unwrap();
        /// assert_eq!(*block, [0; 16]);
        /// # Ok::<(), marena_core::MemoryError>(())
        /// ```
        #[inline]
        pub fn allocate_bounded<$own>(
            &$own self,
            size: usize,
            retries: u32,
        ) -> ::core::result::Result<$crate::Block<$out>, $crate::AllocError> {
            $crate::Allocate::allocate_bounded(self, size, retries)
        }

        /// Returns `size` uninitialised bytes at a multiple of `align`, a power of two.
        ///
        /// # Errors
        ///
        /// As for [`allocate_aligned`](Self::allocate_aligned).
        #[inline]
        #[allow(clippy::mut_from_ref, reason = "every call gives other bytes")]
        pub fn allocate_uninit<$own>(
            &$own self,
            size: usize,
            align: usize,
        ) -> ::core::result::Result<&$out mut [::core::mem::MaybeUninit<u8>], $crate::AllocError> {
            $crate::Allocate::allocate_uninit(self, size, align)
        }

        /// Returns uninitialised bytes for a layout, as a pointer: the cheapest form.
        ///
        /// The bytes are the caller's until the arena is reset or gone. Nothing watches that but
        /// the caller.
        ///
        /// # Errors
        ///
        /// As for [`allocate_aligned`](Self::allocate_aligned).
        ///
        /// # Examples
        ///
        /// ```
        /// # use core::mem::MaybeUninit;
        /// # use marena_core::Arena;
        /// # let mut bytes = [MaybeUninit::uninit(); 2048];
        /// # let arena = Arena::borrowed(&mut bytes)?;
        /// use core::alloc::Layout;
        /// let bytes = arena.allocate_layout(Layout::new::<[u64; 3]>()).unwrap();
        /// assert_eq!(bytes.len(), 24);
        /// # Ok::<(), marena_core::MemoryError>(())
        /// ```
        #[inline]
        pub fn allocate_layout<$own>(
            &$own self,
            layout: ::core::alloc::Layout,
        ) -> ::core::result::Result<::core::ptr::NonNull<[u8]>, $crate::AllocError> {
            $crate::Allocate::allocate_layout(self, layout)
        }

        /// Allocates as [`allocate`](Self::allocate) does, and returns the address alone. For
        /// structures that link by offsets, and read through
        /// [`Arena::view_ptr`](crate::Arena::view_ptr).
        ///
        /// # Errors
        ///
        /// As for [`allocate`](Self::allocate).
        ///
        /// # Examples
        ///
        /// ```
        /// # use core::mem::MaybeUninit;
        /// # use marena_core::Arena;
        /// # let mut bytes = [MaybeUninit::uninit(); 2048];
        /// # let arena = Arena::borrowed(&mut bytes)?;
        /// let address = arena.allocate_address(201).unwrap();
        /// assert_eq!((address.offset(), address.size()), (128, 201));
        /// # Ok::<(), marena_core::MemoryError>(())
        /// ```
        #[inline]
        pub fn allocate_address<$own>(
            &$own self,
            size: usize,
        ) -> ::core::result::Result<$crate::Address, $crate::AllocError> {
            $crate::Allocate::allocate_address(self, size)
        }

        /// Allocates as [`allocate_multiple`](Self::allocate_multiple) does, for any number of
        /// blocks. Replaces each size, in bytes, by the [raw address](crate::Address::to_raw) of
        /// its block.
        ///
        /// # Errors
        ///
        /// As for [`allocate_multiple`](Self::allocate_multiple). The sizes are unchanged then.
        ///
        /// # Examples
        ///
        /// ```
        /// # use core::mem::MaybeUninit;
        /// # use marena_core::Arena;
        /// # let mut bytes = [MaybeUninit::uninit(); 2048];
        /// # let arena = Arena::borrowed(&mut bytes)?;
        /// use marena_core::Address;
        /// let mut blocks = [24, 5, 100];
        /// arena.allocate_addresses(&mut blocks).unwrap();
        /// assert_eq!(blocks.map(|raw| Address::from_raw(raw).unwrap().size()), [24, 5, 100]);
        /// # Ok::<(), marena_core::MemoryError>(())
        /// ```
        #[inline]
        pub fn allocate_addresses<$own>(
            &$own self,
            sizes_in_addresses_out: &mut [u64],
        ) -> ::core::result::Result<(), $crate::AllocError> {
            $crate::Allocate::allocate_addresses(self, sizes_in_addresses_out)
        }

        /// Moves a value into the arena. **It is never dropped there.** A value of no bytes always
        /// has room.
        ///
        /// # Errors
        ///
        /// As for [`allocate`](Self::allocate). The value is dropped then;
        /// [`alloc_with`](Self::alloc_with) makes it only once there is room.
        ///
        /// # Examples
        ///
        /// ```
        /// # use core::mem::MaybeUninit;
        /// # use marena_core::Arena;
        /// # let mut bytes = [MaybeUninit::uninit(); 2048];
        /// # let arena = Arena::borrowed(&mut bytes)?;
        /// let number = arena.alloc(41).unwrap();
        /// *number += 1;
        /// assert_eq!(*number, 42);
        ///
        /// // Where there is no room, the text stays where it is.
        /// let mut text = Some(String::from("kept"));
        /// assert!(arena.alloc_with(|| (text.take(), [0_u8; 4096])).is_err());
        /// assert_eq!(text.as_deref(), Some("kept"));
        /// # Ok::<(), marena_core::MemoryError>(())
        /// ```
        #[inline]
        #[allow(clippy::mut_from_ref, reason = "every call gives other bytes")]
        pub fn alloc<$own, T>(&$own self, value: T) -> ::core::result::Result<&$out mut T, $crate::AllocError> {
            $crate::Allocate::alloc(self, value)
        }

        /// Allocates room for a value, and then makes the value, in place where the compiler can.
        ///
        /// `init` may allocate from the same arena. If it panics, the room goes back, if it is
        /// still the last.
        ///
        /// # Errors
        ///
        /// As for [`allocate`](Self::allocate). `init` is not called then.
        ///
        /// # Examples
        ///
        /// ```
        /// # use core::mem::MaybeUninit;
        /// # use marena_core::Arena;
        /// # let mut bytes = [MaybeUninit::uninit(); 2048];
        /// # let arena = Arena::borrowed(&mut bytes)?;
        /// let table = arena.alloc_with(|| [7_u8; 256]).unwrap();
        /// assert_eq!(table[255], 7);
        /// # Ok::<(), marena_core::MemoryError>(())
        /// ```
        #[inline]
        #[allow(clippy::mut_from_ref, reason = "every call gives other bytes")]
        pub fn alloc_with<$own, T>(
            &$own self,
            init: impl FnOnce() -> T,
        ) -> ::core::result::Result<&$out mut T, $crate::AllocError> {
            $crate::Allocate::alloc_with(self, init)
        }

        /// Allocates as [`alloc_with`](Self::alloc_with) does, for an `init` that can fail. If it
        /// does, the room goes back, if it is still the last.
        ///
        /// # Errors
        ///
        /// - [`TryAllocError::Alloc`](crate::TryAllocError::Alloc), as for
        ///   [`allocate`](Self::allocate).
        /// - [`TryAllocError::Init`](crate::TryAllocError::Init) with the error of `init`.
        ///
        /// # Examples
        ///
        /// ```
        /// # use core::mem::MaybeUninit;
        /// # use marena_core::Arena;
        /// # let mut bytes = [MaybeUninit::uninit(); 2048];
        /// # let arena = Arena::borrowed(&mut bytes)?;
        /// let number = arena.alloc_try_with(|| "42".parse::<u64>()).unwrap();
        /// assert_eq!(*number, 42);
        /// assert!(arena.alloc_try_with(|| "x".parse::<u64>()).is_err());
        /// assert_eq!(arena.used(), 8);
        /// # Ok::<(), marena_core::MemoryError>(())
        /// ```
        #[inline]
        #[allow(clippy::mut_from_ref, reason = "every call gives other bytes")]
        pub fn alloc_try_with<$own, T, E>(
            &$own self,
            init: impl FnOnce() -> ::core::result::Result<T, E>,
        ) -> ::core::result::Result<&$out mut T, $crate::TryAllocError<E>> {
            $crate::Allocate::alloc_try_with(self, init)
        }

        /// Allocates room for one value.
        ///
        /// # Errors
        ///
        /// As for [`allocate`](Self::allocate).
        #[inline]
        #[allow(clippy::mut_from_ref, reason = "every call gives other bytes")]
        pub fn alloc_uninit<$own, T>(
            &$own self,
        ) -> ::core::result::Result<&$out mut ::core::mem::MaybeUninit<T>, $crate::AllocError> {
            $crate::Allocate::alloc_uninit(self)
        }

        /// Allocates room for `len` values.
        ///
        /// # Errors
        ///
        /// As for [`allocate`](Self::allocate).
        #[inline]
        #[allow(clippy::mut_from_ref, reason = "every call gives other bytes")]
        pub fn alloc_slice_uninit<$own, T>(
            &$own self,
            len: usize,
        ) -> ::core::result::Result<&$out mut [::core::mem::MaybeUninit<T>], $crate::AllocError> {
            $crate::Allocate::alloc_slice_uninit(self, len)
        }

        /// Copies a slice into the arena.
        ///
        /// # Errors
        ///
        /// As for [`allocate`](Self::allocate).
        ///
        /// # Examples
        ///
        /// ```
        /// # use core::mem::MaybeUninit;
        /// # use marena_core::Arena;
        /// # let mut bytes = [MaybeUninit::uninit(); 2048];
        /// # let arena = Arena::borrowed(&mut bytes)?;
        /// assert_eq!(arena.alloc_slice_copy(&[1, 2, 3]).unwrap(), [1, 2, 3]);
        /// # Ok::<(), marena_core::MemoryError>(())
        /// ```
        #[inline]
        #[allow(clippy::mut_from_ref, reason = "every call gives other bytes")]
        pub fn alloc_slice_copy<$own, T: Copy>(
            &$own self,
            src: &[T],
        ) -> ::core::result::Result<&$out mut [T], $crate::AllocError> {
            $crate::Allocate::alloc_slice_copy(self, src)
        }

        /// Clones a slice's values into the arena. If a clone panics, those made before are
        /// dropped, and their room goes back, if it is still the last.
        ///
        /// # Errors
        ///
        /// As for [`allocate`](Self::allocate).
        #[inline]
        #[allow(clippy::mut_from_ref, reason = "every call gives other bytes")]
        pub fn alloc_slice_clone<$own, T: Clone>(
            &$own self,
            src: &[T],
        ) -> ::core::result::Result<&$out mut [T], $crate::AllocError> {
            $crate::Allocate::alloc_slice_clone(self, src)
        }

        /// Allocates a slice of `len` values, each made by `init` from its index. If `init` panics,
        /// the values made before are dropped, and their room goes back, if it is still the last.
        ///
        /// # Errors
        ///
        /// As for [`allocate`](Self::allocate). `init` is not called then.
        ///
        /// # Examples
        ///
        /// ```
        /// # use core::mem::MaybeUninit;
        /// # use marena_core::Arena;
        /// # let mut bytes = [MaybeUninit::uninit(); 2048];
        /// # let arena = Arena::borrowed(&mut bytes)?;
        /// assert_eq!(arena.alloc_slice_fill_with(4, |i| i * i).unwrap(), [0, 1, 4, 9]);
        /// # Ok::<(), marena_core::MemoryError>(())
        /// ```
        #[inline]
        #[allow(clippy::mut_from_ref, reason = "every call gives other bytes")]
        pub fn alloc_slice_fill_with<$own, T>(
            &$own self,
            len: usize,
            init: impl FnMut(usize) -> T,
        ) -> ::core::result::Result<&$out mut [T], $crate::AllocError> {
            $crate::Allocate::alloc_slice_fill_with(self, len, init)
        }

        /// Allocates a slice of an iterator's values.
        ///
        /// Room for as many values as the lower bound of its `size_hint` is claimed first. If there
        /// are more, the slice grows as an [`ArenaVec`](crate::ArenaVec) does; if there are fewer,
        /// the rest of the room goes back. If the iterator panics, the values taken before are
        /// dropped.
        ///
        /// # Errors
        ///
        /// As for [`allocate`](Self::allocate). The values taken before are dropped, and their room
        /// goes back.
        ///
        /// # Examples
        ///
        /// ```
        /// # use core::mem::MaybeUninit;
        /// # use marena_core::Arena;
        /// # let mut bytes = [MaybeUninit::uninit(); 2048];
        /// # let arena = Arena::borrowed(&mut bytes)?;
        /// assert_eq!(arena.alloc_slice_from_iter("abc".bytes()).unwrap(), b"abc");
        /// # Ok::<(), marena_core::MemoryError>(())
        /// ```
        #[inline]
        #[allow(clippy::mut_from_ref, reason = "every call gives other bytes")]
        pub fn alloc_slice_from_iter<$own, T>(
            &$own self,
            values: impl IntoIterator<Item = T>,
        ) -> ::core::result::Result<&$out mut [T], $crate::AllocError> {
            $crate::Allocate::alloc_slice_from_iter(self, values)
        }

        /// Copies text into the arena.
        ///
        /// # Errors
        ///
        /// As for [`allocate`](Self::allocate).
        #[inline]
        #[allow(clippy::mut_from_ref, reason = "every call gives other bytes")]
        pub fn alloc_str<$own>(&$own self, text: &str) -> ::core::result::Result<&$out mut str, $crate::AllocError> {
            $crate::Allocate::alloc_str(self, text)
        }

        /// Formats text into the arena, in two passes: one to measure, one to write. If a value
        /// writes more the second time, the text grows as an [`ArenaString`](crate::ArenaString)
        /// does.
        ///
        /// # Errors
        ///
        /// As for [`allocate`](Self::allocate), and
        /// [`AllocError::Format`](crate::AllocError::Format) if a value reports an error. Nothing
        /// changes then.
        ///
        /// # Examples
        ///
        /// ```
        /// # use core::mem::MaybeUninit;
        /// # use marena_core::Arena;
        /// # let mut bytes = [MaybeUninit::uninit(); 2048];
        /// # let arena = Arena::borrowed(&mut bytes)?;
        /// let text = arena.alloc_fmt(format_args!("{}-{:02}", "key", 7)).unwrap();
        /// assert_eq!(text, "key-07");
        /// # Ok::<(), marena_core::MemoryError>(())
        /// ```
        #[inline]
        #[allow(clippy::mut_from_ref, reason = "every call gives other bytes")]
        pub fn alloc_fmt<$own>(
            &$own self,
            arguments: ::core::fmt::Arguments<'_>,
        ) -> ::core::result::Result<&$out mut str, $crate::AllocError> {
            $crate::Allocate::alloc_fmt(self, arguments)
        }

        /// Moves a value into the arena for everyone to read through
        /// [`Arena::get`](crate::Arena::get). **It is never dropped there.**
        ///
        /// # Errors
        ///
        /// As for [`allocate`](Self::allocate). The value is dropped then.
        ///
        /// # Examples
        ///
        /// ```
        /// # use core::mem::MaybeUninit;
        /// # use marena_core::Arena;
        /// # let mut bytes = [MaybeUninit::uninit(); 2048];
        /// # let arena = Arena::borrowed(&mut bytes)?;
        /// let handle = arena.insert([1, 2, 3]).unwrap();
        /// assert_eq!(arena.get(handle), Some(&[1, 2, 3]));
        /// # Ok::<(), marena_core::MemoryError>(())
        /// ```
        #[inline]
        pub fn insert<$own, T>(&$own self, value: T) -> ::core::result::Result<$crate::Handle<T>, $crate::AllocError> {
            $crate::Allocate::insert(self, value)
        }

        $crate::forward_build!($own => $out);
    };
}

/// Allocating.
impl<M: Memory> Arena<M> {
    crate::forward_allocate!('s => 's);
}
