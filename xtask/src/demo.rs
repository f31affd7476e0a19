//! The demo: the package, the back end, and the page on top of both.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};
use clap::Args;

use crate::{package, shell, workspace::Workspace};

/// Where the demo listens and keeps things.
#[derive(Args)]
pub(crate) struct Options {
    /// Port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 8787)]
    port: u16,
    /// Folder of FHIR NDJSON files (Patient.ndjson, Condition.ndjson, …) that replace the
    /// built-in people.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Folder for the server's sealed stores; by default a temporary one, removed at the end.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

/// Builds everything, then becomes the back end: it prints `ready …`, and signals reach it.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    // Folders are named from where the command was called, not from the root.
    let data = options.data.as_deref().map(absolute).transpose()?;
    let state = options.state.as_deref().map(absolute).transpose()?;
    let package = package::build(workspace)?;
    let mut server = workspace.command(build_server(workspace)?);
    server.args(["--port", &options.port.to_string()]);
    server
        .arg("--www")
        .arg(workspace.path("www"))
        .arg("--pkg")
        .arg(package);
    if let Some(data) = data {
        server.arg("--data").arg(data);
    }
    if let Some(state) = state {
        server.arg("--state").arg(state);
    }
    become_command(server)
}

/// Builds the back end; returns its path.
pub(crate) fn build_server(workspace: &Workspace) -> Result<PathBuf> {
    let mut build = workspace.cargo("build");
    build.args([
        "--example",
        "clinic_server",
        "--features",
        "hub",
        "--profile",
        "demo",
    ]);
    shell::run(&mut build)?;
    Ok(workspace
        .target("demo/examples")
        .join(format!("clinic_server{}", std::env::consts::EXE_SUFFIX)))
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("{} is no folder", path.display()))
}

/// Replaces this process, so that nobody stands between a signal and the server, and no server
/// is left behind when this command is stopped.
#[cfg(unix)]
fn become_command(mut command: Command) -> Result<()> {
    use std::os::unix::process::CommandExt as _;
    Err(command.exec()).context("the back end did not start")
}

/// A console hands Ctrl-C to both processes; the server stops and this one follows.
#[cfg(not(unix))]
fn become_command(mut command: Command) -> Result<()> {
    let status = command.status().context("the back end did not start")?;
    anyhow::ensure!(status.success(), "the back end failed ({status})");
    Ok(())
}
