//! The contract of a store, as tests that every store runs.
//!
//! Implement [`Harness`] for a store and call [`store_conformance!`](crate::store_conformance)
//! in a module of its own; each property becomes a test there, natively and in a browser.

use crate::platform::Store;
use std::future::Future;

/// One fresh, empty database and the way to connect to it.
pub trait Harness {
    /// The store under test.
    type Store: Store;

    /// Opens another connection to the same database. The first call finds it empty. After
    /// every connection was closed, the next one finds what was committed.
    fn open(&self) -> impl Future<Output = Self::Store>;
}

/// Makes a test of each property of the store contract.
///
/// `native` takes an expression that gives a fresh [`Harness`](crate::testkit::conformance::Harness)
/// and a function that runs a future to its end; `wasm` takes the expression alone and needs
/// `wasm_bindgen_test` in the calling crate.
///
/// ```
/// use clinicache::{store::Memory, testkit::conformance::Harness};
///
/// struct Shared(Memory);
///
/// impl Harness for Shared {
///     type Store = Memory;
///     async fn open(&self) -> Memory {
///         self.0.clone()
///     }
/// }
///
/// mod memory {
///     use super::*;
///     clinicache::store_conformance!(native, Shared(Memory::new()), clinicache::testkit::block_on);
/// }
/// ```
#[macro_export]
macro_rules! store_conformance {
    (native, $harness:expr, $run:path) => {
        $crate::store_properties! { native $harness, $run }
    };
    (wasm, $harness:expr) => {
        $crate::store_properties! { wasm $harness }
    };
}

/// One test function; the target decides which kind.
#[doc(hidden)]
#[macro_export]
macro_rules! store_property {
    ($name:ident native $harness:expr, $run:path) => {
        #[test]
        fn $name() {
            $run(async { $crate::testkit::conformance::$name(&$harness).await });
        }
    };
    ($name:ident wasm $harness:expr) => {
        #[wasm_bindgen_test::wasm_bindgen_test]
        async fn $name() {
            $crate::testkit::conformance::$name(&$harness).await;
        }
    };
}

/// Defines the properties and the macro that names them all, so that none is forgotten.
macro_rules! properties {
    ($dollar:tt; $(
        $(#[doc = $doc:expr])+
        async fn $name:ident($harness:ident) $body:block
    )+) => {
        $(
            $(#[doc = $doc])+
            pub async fn $name<H: Harness>($harness: &H) $body
        )+

        #[doc(hidden)]
        #[macro_export]
        macro_rules! store_properties {
            ($dollar ($dollar call:tt)*) => {
                $( $crate::store_property! { $name $dollar ($dollar call)* } )+
            };
        }
    };
}

mod histories;
mod properties;

pub use histories::agrees_with_memory;
pub use properties::*;
