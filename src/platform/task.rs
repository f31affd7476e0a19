//! Tasks, and the `Send` that follows the target.

#[cfg(not(target_arch = "wasm32"))]
mod bounds {
    use std::{future::Future, pin::Pin};

    /// `Send` natively, nothing in a browser.
    pub trait MaybeSend: Send {}
    impl<T: Send + ?Sized> MaybeSend for T {}
    /// `Sync` natively, nothing in a browser.
    pub trait MaybeSync: Sync {}
    impl<T: Sync + ?Sized> MaybeSync for T {}
    /// A boxed future, `Send` natively.
    pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
}

#[cfg(target_arch = "wasm32")]
mod bounds {
    use std::{future::Future, pin::Pin};

    /// `Send` natively, nothing in a browser.
    pub trait MaybeSend {}
    impl<T: ?Sized> MaybeSend for T {}
    /// `Sync` natively, nothing in a browser.
    pub trait MaybeSync {}
    impl<T: ?Sized> MaybeSync for T {}
    /// A boxed future, `Send` natively.
    pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;
}

pub use bounds::{BoxFuture, MaybeSend, MaybeSync};

/// Starts background tasks.
///
/// # Contract
/// The task runs to its end or until the realm ends, whoever drops what. It is not started
/// inside the call.
pub trait Spawn: MaybeSend + MaybeSync {
    /// Starts `task`.
    fn spawn(&self, task: BoxFuture<'static, ()>);
}
