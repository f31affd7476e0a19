//! The command line.

use std::path::PathBuf;

/// The demo back end of clinicache. Loopback only; synthetic people.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "clinic_server")]
pub(crate) struct Args {
    /// Port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 8787)]
    pub(crate) port: u16,

    /// Folder of FHIR NDJSON files (Patient.ndjson, Condition.ndjson, …) that replace the built-in
    /// people.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,

    /// Folder for the server's sealed stores; by default a temporary one, removed at the end.
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,

    /// Folder with the page.
    #[arg(long, value_name = "DIR", default_value = "www")]
    pub(crate) www: PathBuf,

    /// Folder with the built npm package, served under /pkg/.
    #[arg(long, value_name = "DIR", default_value = "pkg")]
    pub(crate) pkg: PathBuf,

    /// Time between two heartbeats of the invalidation feed, in milliseconds.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1_000..=60_000))]
    pub(crate) heartbeat_ms: u64,

    /// Adds POST /test/delay, POST /test/reset and GET /test/requests, for page tests only.
    #[arg(long, hide = true)]
    pub(crate) test_hooks: bool,
}
