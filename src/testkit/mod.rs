//! Simulated time, links and tabs, a faulty store, and the store conformance suite.

mod clock;
pub mod conformance;
mod entropy;
mod faulty;
mod link;
mod tabs;
