//! The unit tests once more, as a browser's machine runs them: 32-bit addresses, wasm32 code.
//!
//! wasm-bindgen's test runner finds its own kind of test only. Rust's ordinary harness works on
//! wasm32 too, though it can print nothing there: it runs through, or the first failing test
//! traps and Node's stack trace names it.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::{
    setup, shell,
    workspace::{WASM, Workspace},
};

pub(super) fn run(workspace: &Workspace) -> Result<()> {
    setup::node()?;
    setup::wasm_target(workspace)?;
    let tools = setup::bindgen(workspace)?;
    let mut build = workspace.cargo("test");
    build.args(["--lib", "--no-run", "--target", WASM]);
    build.args(["--message-format", "json-render-diagnostics"]);
    let harness =
        executable(&shell::capture(&mut build)?).context("cargo built no test harness")?;
    let folder = workspace.target("unit-wasm");
    let mut bindgen = workspace.command(tools.bindgen);
    bindgen.arg(harness).args([
        "--target",
        "nodejs",
        "--no-typescript",
        "--out-name",
        "unit",
    ]);
    shell::run(bindgen.arg("--out-dir").arg(&folder))?;
    // The module starts the harness when it is loaded.
    let mut node = workspace.command("node");
    shell::run(
        node.arg("--stack-trace-limit=100")
            .arg(folder.join("unit.js")),
    )?;
    println!("the unit tests ran through on {WASM}");
    Ok(())
}

/// The program that cargo's messages name.
fn executable(messages: &str) -> Option<PathBuf> {
    let (_, tail) = messages.rsplit_once("\"executable\":\"")?;
    Some(tail.split('"').next()?.replace("\\\\", "\\").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_harness_is_found_in_cargos_messages() {
        let messages =
            "{\"executable\":null}\n{\"a\":1,\"executable\":\"/t/unit.wasm\",\"b\":2}\n{}";
        assert_eq!(executable(messages), Some("/t/unit.wasm".into()));
        assert_eq!(executable("{\"executable\":null}"), None);
    }
}
