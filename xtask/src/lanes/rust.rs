//! The lanes that need nothing but Rust.

use std::process::Command;

use anyhow::Result;

use crate::{
    setup, shell,
    workspace::{NATIVE_FEATURES, WASM, Workspace},
};

/// The members whose code is ours to check. The wasm-bindgen tool is two one-line programs, and
/// checking it would compile its hundred dependencies once more.
const MEMBERS: &[&str] = &["--workspace", "--exclude", "wasm-bindgen-tool"];

pub(super) fn fmt(workspace: &Workspace) -> Result<()> {
    // `cargo fmt` knows no `--locked`.
    shell::run(
        Command::new("cargo")
            .args(["fmt", "--all", "--check"])
            .current_dir(workspace.root()),
    )
}

pub(super) fn clippy(workspace: &Workspace) -> Result<()> {
    let mut clippy = workspace.cargo("clippy");
    clippy
        .args(MEMBERS)
        .args(["--all-targets", "--features", NATIVE_FEATURES]);
    shell::run(clippy.args(["--", "-D", "warnings"]))
}

pub(super) fn clippy_wasm(workspace: &Workspace) -> Result<()> {
    setup::wasm_target(workspace)?;
    let mut clippy = workspace.cargo("clippy");
    clippy.args(["--target", WASM, "--lib", "--tests"]);
    shell::run(clippy.args(["--", "-D", "warnings"]))
}

/// Each feature alone compiles without a warning: additive means alone as well.
pub(super) fn features(workspace: &Workspace) -> Result<()> {
    setup::wasm_target(workspace)?;
    for features in ["", "server", "hub", "testkit"] {
        let mut clippy = workspace.cargo("clippy");
        clippy.args(["--lib", "--no-default-features", "--features", features]);
        shell::run(clippy.args(["--", "-D", "warnings"]))?;
    }
    let mut clippy = workspace.cargo("clippy");
    clippy.args(["--lib", "--no-default-features", "--target", WASM]);
    shell::run(clippy.args(["--", "-D", "warnings"]))
}

pub(super) fn native(workspace: &Workspace) -> Result<()> {
    let mut test = workspace.cargo("test");
    shell::run(test.args(MEMBERS).args(["--features", NATIVE_FEATURES]))
}

pub(super) fn doc(workspace: &Workspace) -> Result<()> {
    setup::wasm_target(workspace)?;
    for target in [&["--features", NATIVE_FEATURES], &["--target", WASM]] {
        let mut doc = workspace.cargo("doc");
        doc.args(["--no-deps", "--lib"])
            .args(target)
            .env("RUSTDOCFLAGS", "-D warnings");
        shell::run(&mut doc)?;
    }
    Ok(())
}
