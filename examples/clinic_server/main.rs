//! The back end of the tablet demo: a hospital database with the same cache in front of it, and
//! the invalidation hub that tells every open tab what changed.
//!
//! `cargo run --example clinic_server --features hub -- --help` says what it takes. It listens on
//! loopback only and prints `ready http://127.0.0.1:PORT` once it serves.

mod answer;
mod app;
mod args;
mod builtin;
mod database;
mod dicom_routes;
mod feed;
mod fhir_routes;
mod front;
mod hooks;
mod hospital;
mod imaging;
mod ndjson;
mod patient_routes;
mod records;
mod serve;
mod shield;
mod site;
mod state_dir;
mod summary;
#[cfg(test)]
mod tests;
mod time;

use clap::Parser as _;
use std::{io::Write as _, process::ExitCode};

/// Said where the state folder outlives the run, so that nobody looks for continuity in it.
const KEY_NOTE: &str = "note: the stores in the state folder are sealed with a key of this run \
                        alone; the next run begins anew";

fn main() -> ExitCode {
    match run(args::Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One line, whatever it was: whoever starts this from a script reads the last line.
            let _ = writeln!(std::io::stderr(), "clinic_server: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: args::Args) -> Result<(), serve::StartError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|_| serve::StartError::Runtime)?
        .block_on(async {
            // Installed before the ready line, so that whoever reads it may already stop us.
            let asked_to_stop = serve::stop_signal()?;
            let kept = args.state.is_some();
            let server = serve::Server::start(args).await?;
            if kept {
                let _ = writeln!(std::io::stderr(), "{KEY_NOTE}");
            }
            let mut out = std::io::stdout();
            // A closed standard output is no reason to stop serving.
            let _ = writeln!(out, "ready http://{}", server.address()).and_then(|()| out.flush());
            asked_to_stop.await;
            server.stop().await;
            Ok(())
        })
}
