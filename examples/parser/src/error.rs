//! What can be wrong with a program.

use marena_std::AllocError;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    #[error("byte {at}: {expected} expected")]
    Syntax { at: usize, expected: &'static str },

    #[error("byte {at}: the number is larger than {}", i64::MAX)]
    Number { at: usize },

    #[error("byte {at}: more than {limit} levels of brackets")]
    TooDeep { at: usize, limit: usize },

    #[error("`{0}` is not defined where it is used")]
    Undefined(String),

    #[error("no room for the tree")]
    Tree(#[from] AllocError),
}
