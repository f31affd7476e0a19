//! Starting and stopping.

use super::{
    app::{self, App},
    args::Args,
    builtin,
    database::Database,
    feed::Feed,
    front::Front,
    hooks::Hooks,
    hospital::Hospital,
    imaging::Imaging,
    ndjson::{self, LoadError},
    site::Site,
    state_dir::{self, StateDir},
};
use std::{
    fmt,
    future::{Future, IntoFuture as _},
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle, time::timeout};

/// How long open requests may take to end once the server was asked to stop.
const STOP_MAX: Duration = Duration::from_secs(3);

/// Why the server did not start. One line each.
#[derive(Debug)]
pub(crate) enum StartError {
    /// No async runtime, no signal handler.
    Runtime,
    /// The people could not be loaded.
    People(LoadError),
    /// The built-in archive is damaged.
    Archive,
    /// The state folder cannot be used.
    State(io::ErrorKind),
    /// A store in the state folder cannot be used.
    Store(clinicache::Error),
    /// The port cannot be had.
    Port(u16, io::ErrorKind),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Runtime => f.write_str("the runtime could not be started"),
            Self::People(error) => error.fmt(f),
            Self::Archive => f.write_str("the built-in imaging archive is damaged"),
            Self::State(io::ErrorKind::ResourceBusy) => {
                f.write_str("the state folder is in use by another server")
            }
            Self::State(kind) => write!(f, "the state folder cannot be used: {kind}"),
            Self::Store(error) => write!(f, "a store could not be opened: {error}"),
            Self::Port(port, io::ErrorKind::AddrInUse) => {
                write!(f, "port {port} is in use: choose another with --port")
            }
            Self::Port(port, kind) => write!(f, "port {port} cannot be used: {kind}"),
        }
    }
}

/// A server that is serving.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    hooks: Option<Arc<Hooks>>,
    stopping: watch::Sender<bool>,
    serving: JoinHandle<()>,
    hospital: Hospital,
    feed: Feed,
    _state: StateDir,
}

impl Server {
    /// Loads the people, opens the stores, and serves on loopback.
    pub(crate) async fn start(args: Args) -> Result<Self, StartError> {
        let people = match &args.data {
            Some(folder) => ndjson::read_folder(folder),
            None => builtin::people(),
        };
        let database = people.and_then(Database::new).map_err(StartError::People)?;
        let imaging = Imaging::open(&database.patient_ids()).map_err(|_| StartError::Archive)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, args.port))
            .await
            .map_err(|error| StartError::Port(args.port, error.kind()))?;
        let address = listener
            .local_addr()
            .map_err(|error| StartError::Port(args.port, error.kind()))?;
        let state = StateDir::open(args.state.as_deref())
            .map_err(|error| StartError::State(error.kind()))?;

        let feed = Feed::open(&state.store(state_dir::HUB), args.heartbeat_ms)
            .await
            .map_err(StartError::Store)?;
        let front = Front::open(&state.store(state_dir::CACHE), Arc::new(feed.link()))
            .await
            .map_err(StartError::Store)?;
        let hospital = Hospital::new(database, imaging, front, feed.clone());
        let hooks = args.test_hooks.then(Arc::<Hooks>::default);
        let app = Arc::new(App {
            hospital: hospital.clone(),
            heartbeat_ms: args.heartbeat_ms,
            hooks: hooks.clone(),
        });
        let site = Site {
            www: args.www,
            pkg: args.pkg,
        };
        let router = app::router(app, feed.router(), site, address.port());

        let (stopping, mut asked) = watch::channel(false);
        let serving = tokio::spawn(async move {
            let asked = async move {
                // An error means that the server is gone already.
                let _ = asked.wait_for(|stopping| *stopping).await;
            };
            let serve = axum::serve(listener, router).with_graceful_shutdown(asked);
            // `serve` only ends when asked to; a failed accept is retried inside.
            let _ = serve.into_future().await;
        });
        Ok(Self {
            address,
            hooks,
            stopping,
            serving,
            hospital,
            feed,
            _state: state,
        })
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Says good-bye to clients, lets open requests end, and closes the stores.
    pub(crate) async fn stop(self) {
        let Self {
            address: _,
            hooks,
            stopping,
            mut serving,
            hospital,
            feed,
            _state,
        } = self;
        if let Some(hooks) = hooks {
            hooks.release_all();
        }
        stopping.send_replace(true);
        // Clients are told before their sockets go, so that they come back later and not at once.
        feed.close().await;
        if timeout(STOP_MAX, &mut serving).await.is_err() {
            serving.abort();
        }
        hospital.close().await;
    }
}

/// A future that ends with SIGINT or SIGTERM; both are caught from this call on.
#[cfg(unix)]
pub(crate) fn stop_signal() -> Result<impl Future<Output = ()>, StartError> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|_| StartError::Runtime)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(|_| StartError::Runtime)?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// A future that ends with Ctrl-C.
#[cfg(not(unix))]
pub(crate) fn stop_signal() -> Result<impl Future<Output = ()>, StartError> {
    Ok(async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    })
}
