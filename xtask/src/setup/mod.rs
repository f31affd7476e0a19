//! What a fresh machine lacks, installed where it is needed and said aloud. Nothing outside of
//! this module installs anything.

mod bindgen;
mod browser;
mod node;
mod rust;

pub(crate) use bindgen::bindgen;
pub(crate) use browser::{Browser, browser};
pub(crate) use node::{node, npm, npm_packages};
pub(crate) use rust::wasm_target;

/// Says what is being installed, and for what.
fn announce(what: &str, why: &str) {
    println!("set-up: {what}, {why}");
}
