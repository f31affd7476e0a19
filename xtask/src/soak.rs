//! The long form of the tests: every property with many more cases, round after round.

use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;

use crate::{
    shell,
    workspace::{NATIVE_FEATURES, Workspace},
};

/// Cases of each property in one round; `cargo xtask test` runs 256.
const CASES: &str = "4096";

/// How long to soak.
#[derive(Args)]
pub(crate) struct Options {
    /// Minutes after which no new round begins.
    #[arg(long, default_value_t = 10)]
    minutes: u64,
}

/// Runs all native tests in rounds, each with fresh random cases. The first failure ends it: the
/// case is then written beside the test, as proptest does, and fails again in `cargo xtask test`.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let start = Instant::now();
    let limit = Duration::from_secs(options.minutes * 60);
    for round in 1.. {
        println!("\n=== round {round}, {} cases of each property ===", CASES);
        let mut test = workspace.cargo("test");
        test.args(["--lib", "--tests", "--features", NATIVE_FEATURES]);
        shell::run(test.env("PROPTEST_CASES", CASES))?;
        if start.elapsed() >= limit {
            println!(
                "soaked for {} minutes, {round} rounds",
                start.elapsed().as_secs() / 60
            );
            break;
        }
    }
    Ok(())
}
