//! Pages to read: empty modules, which cost a program nothing.
//!
//! - [`lock_free_structures`]: a list and a skip list whose links are addresses.
//! - [`coming_from`]: what a call of bumpalo, rarena-allocator or the Go package `marena` is here.
//! - [`mistakes`]: the likeliest ones, and what the compiler or the error message says.
//! - [`soundness`]: what is guaranteed, and what each `unsafe` function and trait asks of its
//!   caller.

#[doc = include_str!("../doc/lock_free_structures.md")]
pub mod lock_free_structures {}

#[doc = include_str!("../doc/coming_from.md")]
pub mod coming_from {}

#[doc = include_str!("../doc/mistakes.md")]
pub mod mistakes {}

#[doc = include_str!("../doc/soundness.md")]
pub mod soundness {}
