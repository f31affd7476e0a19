//! Predictable bytes for repeatable tests.
