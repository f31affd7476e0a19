//! The commands of this workspace. `cargo xtask help` lists them.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command talks to a terminal"
)]

mod bench;
mod demo;
mod lanes;
mod package;
mod setup;
mod shell;
mod size;
mod soak;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use workspace::Workspace;

/// The commands of this workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build everything and serve the demo on loopback, until Ctrl-C.
    Demo(demo::Options),
    /// Check everything: what continuous integration runs.
    Test(lanes::Options),
    /// Build the npm package: `pkg/` and the `.tgz` in it.
    Package,
    /// Build the npm package and report its size against the budget.
    Size,
    /// Measure the package in Chromium, beside its peers.
    Bench(bench::Options),
    /// Run the native tests for long, with many random cases.
    Soak(soak::Options),
    /// Check the rules of the tree: imports, sizes, error codes, links, habits.
    Tidy,
}

fn main() -> ExitCode {
    let done = Workspace::find().and_then(|workspace| match Cli::parse().command {
        Command::Demo(options) => demo::run(&workspace, &options),
        Command::Test(options) => lanes::run(&workspace, &options),
        Command::Bench(options) => bench::run(&workspace, &options),
        Command::Soak(options) => soak::run(&workspace, &options),
        Command::Package => package::run(&workspace).map(drop),
        Command::Size => size::run(&workspace),
        Command::Tidy => tidy::run(workspace.root()),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One line: the causes are sentences, and a backtrace of a tool helps nobody.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
