//! Secrets as a type: zeroed on drop, silent in debug output, exposed by a named act.

use std::fmt;
use zeroize::Zeroize;

/// A secret value. Not `Clone` on purpose: every copy is an act.
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Takes ownership of a secret.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// Shows the secret. Every call site says why it may.
    pub const fn expose(&self) -> &T {
        &self.0
    }

    /// Shows the secret for filling it.
    pub const fn expose_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
