//! wasm-bindgen at exactly the version of the library, built from this workspace.

use std::path::PathBuf;

use anyhow::Result;

use super::announce;
use crate::{shell, workspace::Workspace};

/// The two programs of `tools/wasm-bindgen`.
#[derive(Debug)]
pub(crate) struct Bindgen {
    pub(crate) bindgen: PathBuf,
    pub(crate) test_runner: PathBuf,
}

/// Builds the tool; cargo finds it built the next time.
pub(crate) fn bindgen(workspace: &Workspace) -> Result<Bindgen> {
    let program = |name: &str| {
        workspace
            .target("tool")
            .join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
    };
    let tools = Bindgen {
        bindgen: program("wasm-bindgen"),
        test_runner: program("wasm-bindgen-test-runner"),
    };
    if !tools.bindgen.exists() {
        announce(
            "building wasm-bindgen at the pinned version (once)",
            "it makes the JavaScript glue",
        );
    }
    shell::run(workspace.cargo("build").args([
        "--package",
        "wasm-bindgen-tool",
        "--profile",
        "tool",
    ]))?;
    Ok(tools)
}
