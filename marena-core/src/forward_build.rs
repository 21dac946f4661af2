//! The inherent methods for what is built in place: slots, boxes, vectors, strings, slices, handles
//! to slices.

/// Defines the methods of [`forward_allocate!`](crate::forward_allocate) that build in place. That
/// macro includes this one.
#[macro_export]
macro_rules! forward_build {
    ($own:lifetime => $out:lifetime) => {
        /// Allocates room for one value that is not there yet.
        ///
        /// # Errors
        ///
        /// As for [`alloc`](Self::alloc).
        #[inline]
        pub fn alloc_slot<$own, T>(&$own self) -> ::core::result::Result<$crate::Slot<$out, &$own Self, T>, $crate::AllocError> {
            $crate::Allocate::alloc_slot(self)
        }

        /// Moves a value into the arena, and returns a box that drops it. Costs what
        /// [`alloc`](Self::alloc) costs.
        ///
        /// # Errors
        ///
        /// As for [`alloc`](Self::alloc); the value is dropped then.
        #[inline]
        pub fn alloc_box<$own, T>(&$own self, value: T) -> ::core::result::Result<$crate::ArenaBox<$out, T>, $crate::AllocError> {
            $crate::Allocate::alloc_box(self, value)
        }

        /// Moves an iterator's values into the arena, and returns a box that drops them. See
        /// [`alloc_slice_from_iter`](Self::alloc_slice_from_iter).
        ///
        /// # Errors
        ///
        /// As for [`alloc_slice_from_iter`](Self::alloc_slice_from_iter).
        #[inline]
        pub fn alloc_box_slice<$own, T>(
            &$own self,
            values: impl IntoIterator<Item = T>,
        ) -> ::core::result::Result<$crate::ArenaBox<$out, [T]>, $crate::AllocError> {
            $crate::Allocate::alloc_box_slice(self, values)
        }

        /// Creates a growing slice with room for `capacity` values, 0 or more. With 0, nothing is
        /// allocated yet.
        ///
        /// # Errors
        ///
        /// As for [`alloc`](Self::alloc).
        #[inline]
        pub fn alloc_vec<$own, T>(
            &$own self,
            capacity: usize,
        ) -> ::core::result::Result<$crate::ArenaVec<$out, &$own Self, T>, $crate::AllocError> {
            $crate::Allocate::alloc_vec(self, capacity)
        }

        /// Creates a growing text with room for `capacity` bytes, 0 or more. With 0, nothing is
        /// allocated yet.
        ///
        /// # Errors
        ///
        /// As for [`alloc`](Self::alloc).
        #[inline]
        pub fn alloc_string<$own>(
            &$own self,
            capacity: usize,
        ) -> ::core::result::Result<$crate::ArenaString<$out, &$own Self>, $crate::AllocError> {
            $crate::Allocate::alloc_string(self, capacity)
        }

        /// Allocates a slice of `len` copies of a value.
        ///
        /// # Errors
        ///
        /// As for [`alloc`](Self::alloc).
        #[inline]
        #[allow(clippy::mut_from_ref, reason = "every call gives other bytes")]
        pub fn alloc_slice_fill_copy<$own, T: Copy>(
            &$own self,
            len: usize,
            value: T,
        ) -> ::core::result::Result<&$out mut [T], $crate::AllocError> {
            $crate::Allocate::alloc_slice_fill_copy(self, len, value)
        }

        /// Allocates a slice of `len` clones of a value. If `clone` panics, the clones made before
        /// are dropped.
        ///
        /// # Errors
        ///
        /// As for [`alloc`](Self::alloc).
        #[inline]
        #[allow(clippy::mut_from_ref, reason = "every call gives other bytes")]
        pub fn alloc_slice_fill_clone<$own, T: Clone>(
            &$own self,
            len: usize,
            value: &T,
        ) -> ::core::result::Result<&$out mut [T], $crate::AllocError> {
            $crate::Allocate::alloc_slice_fill_clone(self, len, value)
        }

        /// Allocates a slice of `len` default values. If one panics, those made before are dropped.
        ///
        /// # Errors
        ///
        /// As for [`alloc`](Self::alloc).
        #[inline]
        #[allow(clippy::mut_from_ref, reason = "every call gives other bytes")]
        pub fn alloc_slice_fill_default<$own, T: Default>(
            &$own self,
            len: usize,
        ) -> ::core::result::Result<&$out mut [T], $crate::AllocError> {
            $crate::Allocate::alloc_slice_fill_default(self, len)
        }

        /// Allocates a slice of values computed from their index, until one fails. Then the values
        /// made before are dropped and their room goes back.
        ///
        /// # Errors
        ///
        /// As for [`alloc_try_with`](Self::alloc_try_with).
        #[inline]
        #[allow(clippy::mut_from_ref, reason = "every call gives other bytes")]
        pub fn alloc_slice_try_fill_with<$own, T, E>(
            &$own self,
            len: usize,
            init: impl FnMut(usize) -> ::core::result::Result<T, E>,
        ) -> ::core::result::Result<&$out mut [T], $crate::TryAllocError<E>> {
            $crate::Allocate::alloc_slice_try_fill_with(self, len, init)
        }

        /// Allocates a slice of an iterator's values, until one is an error. Then the values taken
        /// before are dropped and their room goes back.
        ///
        /// # Errors
        ///
        /// As for [`alloc_try_with`](Self::alloc_try_with).
        ///
        /// # Examples
        ///
        /// ```
        /// # use core::mem::MaybeUninit;
        /// # use marena_core::Arena;
        /// # let mut bytes = [MaybeUninit::uninit(); 2048];
        /// # let arena = Arena::borrowed(&mut bytes)?;
        /// let bytes = arena.alloc_slice_try_from_iter("1 2 3".split(' ').map(str::parse::<u8>));
        /// assert_eq!(bytes.unwrap(), [1, 2, 3]);
        /// let bytes = arena.alloc_slice_try_from_iter("1 2 x".split(' ').map(str::parse::<u8>));
        /// assert!(bytes.is_err());
        /// # Ok::<(), marena_core::MemoryError>(())
        /// ```
        #[inline]
        #[allow(clippy::mut_from_ref, reason = "every call gives other bytes")]
        pub fn alloc_slice_try_from_iter<$own, T, E>(
            &$own self,
            values: impl IntoIterator<Item = ::core::result::Result<T, E>>,
        ) -> ::core::result::Result<&$out mut [T], $crate::TryAllocError<E>> {
            $crate::Allocate::alloc_slice_try_from_iter(self, values)
        }

        /// Copies a C string into the arena.
        ///
        /// # Errors
        ///
        /// As for [`alloc`](Self::alloc).
        #[inline]
        pub fn alloc_cstr<$own>(
            &$own self,
            text: &::core::ffi::CStr,
        ) -> ::core::result::Result<&$out ::core::ffi::CStr, $crate::AllocError> {
            $crate::Allocate::alloc_cstr(self, text)
        }

        /// Copies text into the arena and puts a byte 0 behind it.
        ///
        /// # Errors
        ///
        /// As for [`alloc`](Self::alloc), and `TryAllocError::Init` if a byte of the text is 0.
        ///
        /// # Examples
        ///
        /// ```
        /// # use core::mem::MaybeUninit;
        /// # use marena_core::Arena;
        /// # let mut bytes = [MaybeUninit::uninit(); 2048];
        /// # let arena = Arena::borrowed(&mut bytes)?;
        /// assert_eq!(arena.alloc_cstr_from_str("name").unwrap(), c"name");
        /// assert!(arena.alloc_cstr_from_str("na\0me").is_err());
        /// # Ok::<(), marena_core::MemoryError>(())
        /// ```
        #[inline]
        pub fn alloc_cstr_from_str<$own>(
            &$own self,
            text: &str,
        ) -> ::core::result::Result<&$out ::core::ffi::CStr, $crate::TryAllocError<$crate::InteriorNul>> {
            $crate::Allocate::alloc_cstr_from_str(self, text)
        }

        /// Copies a slice into the arena for everyone to read through
        /// [`Arena::get`](crate::Arena::get). Slices of types without bytes do not compile: a
        /// handle has no place for their length.
        ///
        /// # Errors
        ///
        /// As for [`alloc`](Self::alloc).
        ///
        /// # Examples
        ///
        /// ```
        /// # use core::mem::MaybeUninit;
        /// # use marena_core::Arena;
        /// # let mut bytes = [MaybeUninit::uninit(); 2048];
        /// # let arena = Arena::borrowed(&mut bytes)?;
        /// let numbers = arena.insert_slice(&[1, 2, 3]).unwrap();
        /// let text = arena.insert_str("text").unwrap();
        /// assert_eq!((arena.get(numbers), arena.get(text)), (Some(&[1, 2, 3][..]), Some("text")));
        /// # Ok::<(), marena_core::MemoryError>(())
        /// ```
        #[inline]
        pub fn insert_slice<$own, T: Copy>(
            &$own self,
            values: &[T],
        ) -> ::core::result::Result<$crate::Handle<[T]>, $crate::AllocError> {
            $crate::Allocate::insert_slice(self, values)
        }

        /// Copies text into the arena for everyone to read through
        /// [`Arena::get`](crate::Arena::get).
        ///
        /// # Errors
        ///
        /// As for [`alloc`](Self::alloc).
        #[inline]
        pub fn insert_str<$own>(&$own self, text: &str) -> ::core::result::Result<$crate::Handle<str>, $crate::AllocError> {
            $crate::Allocate::insert_str(self, text)
        }
    };
}
