//! `cargo xtask test`: the one door. Every lane runs, then a table says how each went.

mod browser;
mod demo;
mod deny;
mod rust;
mod unit_wasm;

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;

use crate::{tidy, workspace::Workspace};

/// What `cargo xtask test` runs.
#[derive(Args)]
pub(crate) struct Options {
    /// Run this lane alone; may be given several times.
    #[arg(long, value_name = "LANE", value_parser = names())]
    only: Vec<String>,
    /// Leave out what needs a browser, npm packages or a release build.
    #[arg(long)]
    fast: bool,
    /// Stop at the first lane that fails.
    #[arg(long)]
    fail_fast: bool,
}

/// One thing that can be checked by itself.
struct Lane {
    name: &'static str,
    run: fn(&Workspace) -> Result<()>,
    /// Needs nothing but Rust.
    fast: bool,
}

const LANES: &[Lane] = &[
    Lane::fast("fmt", rust::fmt),
    Lane::fast("tidy", |workspace| tidy::run(workspace.root())),
    Lane::fast("clippy", rust::clippy),
    Lane::fast("clippy-wasm", rust::clippy_wasm),
    Lane::fast("features", rust::features),
    Lane::fast("native", rust::native),
    Lane::fast("doc", rust::doc),
    Lane::fast("deny", deny::run),
    Lane::slow("unit-wasm", unit_wasm::run),
    Lane::slow("wasm", browser::wasm),
    Lane::slow("package", browser::package),
    Lane::slow("size", browser::size),
    Lane::slow("types", browser::types),
    Lane::slow("scripts", browser::scripts),
    Lane::slow("install", browser::install),
    Lane::slow("demo", demo::run),
    Lane::slow("e2e", browser::e2e),
];

impl Lane {
    const fn fast(name: &'static str, run: fn(&Workspace) -> Result<()>) -> Self {
        Self {
            name,
            run,
            fast: true,
        }
    }

    const fn slow(name: &'static str, run: fn(&Workspace) -> Result<()>) -> Self {
        Self {
            name,
            run,
            fast: false,
        }
    }
}

fn names() -> Vec<&'static str> {
    LANES.iter().map(|lane| lane.name).collect()
}

impl Options {
    fn selects(&self, lane: &Lane) -> bool {
        let named = self.only.is_empty() || self.only.iter().any(|name| name == lane.name);
        named && (lane.fast || !self.fast)
    }
}

/// How a lane went.
struct Outcome {
    name: &'static str,
    took: Duration,
    failure: Option<String>,
}

/// Runs the selected lanes; fails if one of them does.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let mut outcomes = Vec::new();
    for lane in LANES.iter().filter(|lane| options.selects(lane)) {
        println!("\n=== {} ===", lane.name);
        let start = Instant::now();
        let failure = (lane.run)(workspace)
            .err()
            .map(|error| format!("{error:#}"));
        let took = start.elapsed();
        match &failure {
            None => println!("--- {}: passed in {}", lane.name, seconds(took)),
            Some(error) => println!("--- {}: FAILED in {}: {error}", lane.name, seconds(took)),
        }
        let stop = options.fail_fast && failure.is_some();
        outcomes.push(Outcome {
            name: lane.name,
            took,
            failure,
        });
        if stop {
            break;
        }
    }
    if outcomes.is_empty() {
        bail!("these options select no lane");
    }
    report(&outcomes)
}

fn report(outcomes: &[Outcome]) -> Result<()> {
    println!("\n{:<12} {:>8}", "lane", "took");
    for Outcome {
        name,
        took,
        failure,
    } in outcomes
    {
        let result = failure.as_ref().map_or("passed", |_| "FAILED");
        println!("{name:<12} {:>8}  {result}", seconds(*took));
    }
    let total: Duration = outcomes.iter().map(|outcome| outcome.took).sum();
    let failed = outcomes
        .iter()
        .filter(|outcome| outcome.failure.is_some())
        .count();
    println!("{:<12} {:>8}\n", "total", seconds(total));
    println!("lanes: {} passed, {failed} failed", outcomes.len() - failed);
    if failed == 0 {
        return Ok(());
    }
    let failures = outcomes.iter().filter_map(|outcome| {
        outcome
            .failure
            .as_ref()
            .map(|error| format!("{}: {error}", outcome.name))
    });
    bail!("{}", failures.collect::<Vec<_>>().join("\n"));
}

fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(only: &[&str], fast: bool) -> Vec<&'static str> {
        let only = only.iter().map(|&name| name.to_owned()).collect();
        let options = Options {
            only,
            fast,
            fail_fast: false,
        };
        LANES
            .iter()
            .filter(|lane| options.selects(lane))
            .map(|lane| lane.name)
            .collect()
    }

    fn outcome(failure: Option<&str>) -> Outcome {
        Outcome {
            name: "fmt",
            took: Duration::ZERO,
            failure: failure.map(str::to_owned),
        }
    }

    #[test]
    fn all_lanes_run_unless_told_otherwise() {
        assert_eq!(selected(&[], false), names());
        assert_eq!(selected(&["doc", "fmt"], false), ["fmt", "doc"]);
        assert!(selected(&[], true).contains(&"native"));
    }

    #[test]
    fn one_failed_lane_fails_the_whole() {
        assert!(report(&[outcome(None), outcome(None)]).is_ok());
        let error = report(&[outcome(None), outcome(Some("unformatted"))]).unwrap_err();
        assert_eq!(error.to_string(), "fmt: unformatted");
    }
}
