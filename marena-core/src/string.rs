//! A text that grows, and gives back the room that it does not need.

use core::fmt::{self, Write};
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;
use core::str;

use crate::boxed::ArenaBox;
use crate::claim::Claim;
use crate::error::AllocError;
use crate::vec::ArenaVec;

/// A growing `str` in an arena.
///
/// Made by [`Arena::alloc_string`](crate::Arena::alloc_string) and its namesakes.
/// [`finish`](Self::finish) returns the text and gives the unused room back. It grows as an
/// [`ArenaVec`] does.
///
/// `write!` works without an import, and its error is an [`AllocError`].
///
/// # Examples
///
/// ```
/// use core::mem::MaybeUninit;
/// use marena_core::Arena;
///
/// let mut bytes = [MaybeUninit::uninit(); 1024];
/// let arena = Arena::borrowed(&mut bytes)?;
/// let mut line = arena.alloc_string(0).unwrap();
/// for number in 1..4 {
///     write!(line, "{number}, ").unwrap();
/// }
/// line.push_str("4").unwrap();
/// let line: &mut str = line.finish();
/// assert_eq!((&*line, arena.used()), ("1, 2, 3, 4", 16));
/// # Ok::<(), marena_core::MemoryError>(())
/// ```
pub struct ArenaString<'a, A: Claim<'a>> {
    /// INVARIANT: its bytes are UTF-8.
    bytes: ArenaVec<'a, A, u8>,
}

impl<'a, A: Claim<'a>> ArenaString<'a, A> {
    /// Claims room for `capacity` bytes, if those are some.
    #[inline]
    pub(crate) fn with_capacity(memory: A, capacity: usize) -> Result<Self, AllocError> {
        // INVARIANT: no bytes are UTF-8.
        Ok(Self { bytes: ArenaVec::with_capacity(memory, capacity)? })
    }

    /// Returns how many bytes there is room for before the text grows.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Makes room for `additional` more bytes at least.
    ///
    /// # Errors
    ///
    /// Those of [`Arena::alloc`](crate::Arena::alloc). Nothing changes then.
    pub fn reserve(&mut self, additional: usize) -> Result<(), AllocError> {
        self.bytes.reserve(additional)
    }

    /// Appends a text.
    ///
    /// # Errors
    ///
    /// Those of [`Arena::alloc`](crate::Arena::alloc). Nothing changes then.
    #[inline]
    pub fn push_str(&mut self, text: &str) -> Result<(), AllocError> {
        // INVARIANT: UTF-8 behind UTF-8; all of it is appended, or nothing.
        self.bytes.extend_from_slice_copy(text.as_bytes())
    }

    /// Appends a character.
    ///
    /// # Errors
    ///
    /// Those of [`Arena::alloc`](crate::Arena::alloc). Nothing changes then.
    pub fn push(&mut self, character: char) -> Result<(), AllocError> {
        self.push_str(character.encode_utf8(&mut [0; 4]))
    }

    /// Appends formatted text: what `write!(string, …)` calls.
    ///
    /// # Errors
    ///
    /// Those of [`Arena::alloc`](crate::Arena::alloc), and [`AllocError::Format`] if a value
    /// reports an error. The text is then what it was before.
    pub fn write_fmt(&mut self, arguments: fmt::Arguments<'_>) -> Result<(), AllocError> {
        let before = self.bytes.len();
        let mut sink = Sink { text: self, error: None };
        let written = sink.write_fmt(arguments);
        // A value may go on after an error of the sink's, and report none itself.
        let written = match (sink.error, written) {
            (Some(error), _) => Err(error),
            (None, Err(fmt::Error)) => Err(AllocError::Format),
            (None, Ok(())) => return Ok(()),
        };
        // INVARIANT: the text that was there before.
        self.bytes.truncate(before);
        written
    }

    /// Removes the last character and returns it, or `None` if there is none. Keeps the capacity.
    ///
    /// ```
    /// # use core::mem::MaybeUninit;
    /// # use marena_core::Arena;
    /// # let mut bytes = [MaybeUninit::uninit(); 1024];
    /// # let arena = Arena::borrowed(&mut bytes)?;
    /// let mut list = arena.alloc_string(16).unwrap();
    /// for name in ["a", "b"] {
    ///     write!(list, "{name},").unwrap();
    /// }
    /// assert_eq!(list.pop(), Some(','));
    /// assert_eq!(list.finish(), "a,b");
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    pub fn pop(&mut self) -> Option<char> {
        let last = self.chars().next_back()?;
        self.truncate(self.len() - last.len_utf8());
        Some(last)
    }

    /// Shortens the text to `len` bytes, or to fewer if a character would be cut. Keeps the
    /// capacity.
    pub fn truncate(&mut self, len: usize) {
        let mut end = len.min(self.len());
        // Position 0 is a boundary.
        while !self.is_char_boundary(end) {
            end -= 1;
        }
        // INVARIANT: a text that ends between two characters.
        self.bytes.truncate(end);
    }

    /// Keeps the characters that `keep` returns `true` for, and removes the others. If `keep`
    /// panics, those that it kept before stay.
    ///
    /// ```
    /// # use core::mem::MaybeUninit;
    /// # use marena_core::Arena;
    /// # let mut bytes = [MaybeUninit::uninit(); 1024];
    /// # let arena = Arena::borrowed(&mut bytes)?;
    /// let mut text = arena.alloc_string(0).unwrap();
    /// text.push_str("1 000 €").unwrap();
    /// text.retain(|character| character != ' ');
    /// assert_eq!(text, "1000€");
    /// # Ok::<(), marena_core::MemoryError>(())
    /// ```
    pub fn retain(&mut self, mut keep: impl FnMut(char) -> bool) {
        // INVARIANT: an empty text. What is kept is appended to it.
        let bytes = self.bytes.take();
        let mut read = 0;
        while read < bytes.len() {
            // SAFETY: `read` is less than their number.
            let start = unsafe { bytes.cast::<u8>().add(read) };
            let rest = NonNull::slice_from_raw_parts(start, bytes.len() - read);
            // SAFETY: initialised bytes in the room that `self` has. What was appended is no longer
            // than what was read, so it lies before them, and nothing is written while this
            // reference is used.
            let rest = unsafe { rest.as_ref() };
            // SAFETY: a text's bytes, from the start of a character on.
            let rest = unsafe { str::from_utf8_unchecked(rest) };
            let Some(character) = rest.chars().next() else { break };
            read += character.len_utf8();
            if keep(character) {
                // There is room, so this is no error.
                let _ = self.push(character);
            }
        }
    }

    /// Gives the unused room back to the arena. If something was allocated behind the text, that
    /// room stays unused until the next reset.
    pub fn shrink_to_fit(&mut self) {
        self.bytes.shrink_to_fit();
    }

    /// Removes the text. Keeps the capacity.
    pub fn clear(&mut self) {
        // INVARIANT: no bytes are UTF-8.
        self.bytes.truncate(0);
    }

    /// Returns the text, and gives the unused room back to the arena if nothing was allocated
    /// behind it.
    #[inline]
    pub fn finish(self) -> &'a mut str {
        let bytes = self.bytes.finish();
        // SAFETY: the invariant of `bytes`.
        unsafe { str::from_utf8_unchecked_mut(bytes) }
    }

    /// Returns the text in a box, and gives the unused room back as [`finish`](Self::finish) does.
    pub fn into_box(self) -> ArenaBox<'a, str> {
        let text = NonNull::from(self.finish());
        // SAFETY: exclusively the caller's during `'a`.
        unsafe { ArenaBox::from_raw(text) }
    }
}

/// Formatting's way into a text. It keeps the first error, and takes nothing after it, so that no
/// text has a gap.
struct Sink<'s, 'a, A: Claim<'a>> {
    text: &'s mut ArenaString<'a, A>,
    error: Option<AllocError>,
}

impl<'a, A: Claim<'a>> Write for Sink<'_, 'a, A> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.error.is_none() {
            self.error = self.text.push_str(text).err();
        }
        if self.error.is_none() { Ok(()) } else { Err(fmt::Error) }
    }
}

/// For code that is generic over [`fmt::Write`]; its error says nothing. The inherent methods
/// report an [`AllocError`].
impl<'a, A: Claim<'a>> Write for ArenaString<'a, A> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push_str(text).map_err(|_| fmt::Error)
    }
}

impl<'a, A: Claim<'a>> Deref for ArenaString<'a, A> {
    type Target = str;

    fn deref(&self) -> &str {
        // SAFETY: the invariant of `bytes`.
        unsafe { str::from_utf8_unchecked(&self.bytes) }
    }
}

impl<'a, A: Claim<'a>> DerefMut for ArenaString<'a, A> {
    fn deref_mut(&mut self) -> &mut str {
        // SAFETY: the invariant of `bytes`, which safe code keeps through a `&mut str`.
        unsafe { str::from_utf8_unchecked_mut(&mut self.bytes) }
    }
}

impl<'a, A: Claim<'a>> AsRef<str> for ArenaString<'a, A> {
    fn as_ref(&self) -> &str {
        self
    }
}

/// Compares the text with any other.
impl<'a, A: Claim<'a>, U: AsRef<str> + ?Sized> PartialEq<U> for ArenaString<'a, A> {
    fn eq(&self, other: &U) -> bool {
        **self == *other.as_ref()
    }
}

impl<'a, A: Claim<'a>> Eq for ArenaString<'a, A> {}

impl<'a, A: Claim<'a>> fmt::Display for ArenaString<'a, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<'a, A: Claim<'a>> fmt::Debug for ArenaString<'a, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
