//! What is built in place, in serde's formats: as the standard library's `Box`, `Vec` and `String`.

use serde::{Serialize, Serializer};

use crate::boxed::ArenaBox;
use crate::claim::Claim;
use crate::string::ArenaString;
use crate::vec::ArenaVec;

/// As the value. With the feature `serde`.
impl<T: ?Sized + Serialize> Serialize for ArenaBox<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}

/// As a slice. With the feature `serde`.
impl<'a, A: Claim<'a>, T: Serialize> Serialize for ArenaVec<'a, A, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}

/// As a `str`. With the feature `serde`.
impl<'a, A: Claim<'a>> Serialize for ArenaString<'a, A> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}
