//! Where things are, and cargo as every command calls it.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

/// The target of the browser build.
pub(crate) const WASM: &str = "wasm32-unknown-unknown";

/// The features that a native build can have, all at once.
pub(crate) const NATIVE_FEATURES: &str = "testkit,server,hub";

/// The checkout that this command was built from.
#[derive(Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
    target: PathBuf,
    /// Known from the start: a lane may build this program anew under the feet of this run.
    program: PathBuf,
}

impl Workspace {
    pub(crate) fn find() -> Result<Self> {
        // Cargo names the package at run time; a build cache that moved between checkouts would
        // make the compiled-in path a lie.
        let package = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = package
            .parent()
            .context("xtask has no workspace above it")?
            .to_owned();
        // This program lies in `<target>/debug/`, wherever cargo was told to build.
        let program = env::current_exe().context("this program cannot find itself")?;
        let target = program
            .ancestors()
            .nth(2)
            .map_or_else(|| root.join("target"), Path::to_owned);
        Ok(Self {
            root,
            target,
            program,
        })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// This command itself.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// The path of a file of the tree, `/` between its parts.
    pub(crate) fn path(&self, inner: &str) -> PathBuf {
        self.root.join(inner)
    }

    /// The path of a built or cached file.
    pub(crate) fn target(&self, inner: &str) -> PathBuf {
        self.target.join(inner)
    }

    /// `cargo <subcommand>` on the dependencies that the lock file names.
    pub(crate) fn cargo(&self, subcommand: &str) -> Command {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command
            .args([subcommand, "--locked"])
            .current_dir(&self.root);
        command
    }

    /// Any other program, started at the root.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        command
    }
}
