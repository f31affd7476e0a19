//! Who may hear what.

use crate::platform::BoxFuture;
use std::{any::Any, fmt, sync::Arc};

/// The app's decisions about tokens and topics.
///
/// # Contract
/// `allows` is asked for every topic of a request and again at every delivery and replay, so a
/// policy may change its mind at any time: a topic that is no longer allowed is taken away and
/// the client is told to erase what it holds of it. It must be quick and must not block.
pub trait Authorise: Send + Sync + 'static {
    /// What a token grants. `None` where the client showed none.
    fn authenticate(&self, token: Option<String>) -> BoxFuture<'_, Result<Grant, Refusal>>;

    /// Whether a grant covers a topic.
    fn allows(&self, grant: &Grant, topic: &str) -> bool;
}

/// What a token grants, as the policy understood it.
#[derive(Clone)]
pub struct Grant {
    subject: Arc<str>,
    expires_at_ms: Option<u64>,
    claims: Option<Arc<dyn Any + Send + Sync>>,
}

impl Grant {
    /// A grant for somebody, without end.
    #[must_use]
    pub fn new(subject: impl Into<Arc<str>>) -> Self {
        Self {
            subject: subject.into(),
            expires_at_ms: None,
            claims: None,
        }
    }

    /// Ends at this wall time, in milliseconds since the Unix epoch. The client is warned
    /// before, and its connection ends then unless it has shown a new token.
    #[must_use]
    pub const fn expires_at_ms(mut self, at_ms: u64) -> Self {
        self.expires_at_ms = Some(at_ms);
        self
    }

    /// Attaches what [`Authorise::allows`] needs to decide.
    #[must_use]
    pub fn with_claims(mut self, claims: impl Any + Send + Sync) -> Self {
        self.claims = Some(Arc::new(claims));
        self
    }

    /// Who.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// What was attached, if it is of this type.
    #[must_use]
    pub fn claims<T: Any>(&self) -> Option<&T> {
        self.claims
            .as_deref()
            .and_then(|claims| claims.downcast_ref())
    }

    pub(super) const fn ends_ms(&self) -> Option<u64> {
        self.expires_at_ms
    }
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant")
            .field("expires_at_ms", &self.expires_at_ms)
            .finish_non_exhaustive()
    }
}

/// Why a token was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The token grants nothing; the client should not come back with it.
    Denied,
    /// Nobody could tell right now; the client may come back later.
    Unavailable,
}

/// Lets everybody hear everything: for demos, tests and hubs behind a gateway that decides.
#[derive(Clone, Copy, Debug, Default)]
pub struct AllowEveryone;

impl Authorise for AllowEveryone {
    fn authenticate(&self, _token: Option<String>) -> BoxFuture<'_, Result<Grant, Refusal>> {
        Box::pin(async { Ok(Grant::new("")) })
    }

    fn allows(&self, _grant: &Grant, _topic: &str) -> bool {
        true
    }
}
