//! The part of bumpalo's interface that `oxc_allocator` uses, over what a feature chooses of
//! marena.

mod bump;
mod source;

pub use bump::Bump;
