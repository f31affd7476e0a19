//! The benchmarks, in Chromium, on the package as it is shipped.

use anyhow::Result;
use clap::Args;

use crate::{package, setup, shell, workspace::Workspace};

/// What the benchmarks are told.
#[derive(Args)]
pub(crate) struct Options {
    /// Passed on to `bench/run.mjs`, which lists them with `--help`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// Builds the package and measures it beside its peers, all in one run.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let browser = setup::browser()?;
    let folder = workspace.path("bench");
    setup::npm_packages(&folder, "the benchmarks drive a browser, and measure peers")?;
    let package = package::build(workspace)?;
    let mut node = workspace.command("node");
    node.arg(folder.join("run.mjs")).args(&options.rest);
    node.env("CLINICACHE_PKG", package)
        .env("CLINICACHE_CHROMIUM", browser.chromium);
    shell::run(&mut node)
}
