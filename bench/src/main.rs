//! Measurements on the machine itself; `run.mjs` measures in a browser. Run with `--release`.
//!
//! Candidates take turns in one run, medians are compared, and a budget is reported and never
//! asserted: the machine is not ours to promise.

#![expect(clippy::print_stdout, reason = "a report")]

mod sealed_get;
mod stampede;
mod stats;

use clap::Parser;
use std::error::Error;

/// Measures the core natively, beside its floors.
#[derive(Parser)]
struct Options {
    /// Turns of each candidate.
    #[arg(long, default_value_t = 200)]
    rounds: usize,
}

/// What a measurement may fail with.
type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let options = Options::parse();
    sealed_get::run(options.rounds).await?;
    stampede::run(options.rounds.div_ceil(10)).await
}
