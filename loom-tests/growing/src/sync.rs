//! The file through which atomics enter, with loom's in place of the processor's.

use std::cell::UnsafeCell;
use std::sync::atomic::Ordering;

#[path = "../../../marena-core/src/sync.rs"]
mod real;

pub use real::{AtomicU32, Word};

/// Defines an atomic that a constant can hold. Loom's exists only inside a model, so it is made
/// when it is used first. A model uses each that two threads share before they start.
macro_rules! atomic {
    ($name:ident $(<$target:ident>)?, $value:ty) => {
        pub(crate) struct $name$(<$target>)? {
            plain: UnsafeCell<$value>,
            model: UnsafeCell<Option<loom::sync::atomic::$name$(<$target>)?>>,
        }

        // SAFETY: loom runs one thread at a time, and switches threads only inside its own calls.
        unsafe impl$(<$target>)? Send for $name$(<$target>)? {}
        // SAFETY: as above.
        unsafe impl$(<$target>)? Sync for $name$(<$target>)? {}

        impl$(<$target>)? $name$(<$target>)? {
            pub(crate) const fn new(value: $value) -> Self {
                Self { plain: UnsafeCell::new(value), model: UnsafeCell::new(None) }
            }

            fn model(&self) -> &loom::sync::atomic::$name$(<$target>)? {
                // SAFETY: while `self` is shared, it is written only below, before anyone has got
                // a reference to it.
                if let Some(model) = unsafe { &*self.model.get() } {
                    return model;
                }
                // SAFETY: one thread runs at a time, and it changes nothing here.
                let plain = unsafe { *self.plain.get() };
                // SAFETY: it is not made yet, so nobody has a reference to it. It is made once, and
                // stays while `self` is shared.
                let model = unsafe { &mut *self.model.get() };
                model.get_or_insert_with(|| loom::sync::atomic::$name::new(plain))
            }

            pub(crate) fn load(&self, order: Ordering) -> $value {
                self.model().load(order)
            }

            pub(crate) fn store(&self, value: $value, order: Ordering) {
                self.model().store(value, order);
            }

            pub(crate) fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.model().compare_exchange(current, new, success, failure)
            }

            pub(crate) fn get_mut(&mut self) -> &mut $value {
                if let Some(model) = self.model.get_mut().take() {
                    // SAFETY: `&mut self`. Loom reports an access that does not happen before this.
                    *self.plain.get_mut() = unsafe { model.unsync_load() };
                }
                self.plain.get_mut()
            }
        }
    };
}

atomic!(AtomicBool, bool);
atomic!(AtomicUsize, usize);
atomic!(AtomicPtr<T>, *mut T);
