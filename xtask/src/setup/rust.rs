//! The standard library for the browser's target.

use std::{path::PathBuf, process::Command};

use anyhow::{Context as _, Result};

use super::announce;
use crate::{
    shell,
    workspace::{WASM, Workspace},
};

/// Adds the wasm target to the toolchain where it is missing.
pub(crate) fn wasm_target(workspace: &Workspace) -> Result<()> {
    let sysroot = shell::capture(workspace.command("rustc").args(["--print", "sysroot"]))?;
    if PathBuf::from(sysroot)
        .join("lib/rustlib")
        .join(WASM)
        .join("lib")
        .is_dir()
    {
        return Ok(());
    }
    announce(
        "adding the Rust target wasm32-unknown-unknown",
        "the browser build needs it",
    );
    let mut add: Command = workspace.command("rustup");
    shell::run(add.args(["target", "add", WASM])).with_context(|| {
        format!("the Rust target {WASM} is missing; install it with `rustup target add {WASM}`")
    })
}
