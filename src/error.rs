//! One opaque error with a stable, string-valued kind.
//!
//! No text in here ever holds a key, an identifier or a value: an error may travel to logs,
//! metrics and crash reports. Where an argument is at fault, [`Error::field`] names it.

use std::{borrow::Cow, error::Error as StdError, fmt, sync::Arc};

/// What went wrong, by who must act on it. The codes are part of the public API and equal the
/// `CacheErrorCode` union of the TypeScript package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The session may not do this.
    AccessDenied,
    /// The caller gave up: an `AbortSignal` fired, or nobody waited any more.
    Aborted,
    /// The app's fetcher or save failed; the cause is attached.
    OriginFailed,
    /// The vault is locked: unlock it first.
    Locked,
    /// The factor does not open this vault.
    WrongKey,
    /// The key of this vault cannot be had: the old bytes can never be read again.
    KeyUnavailable,
    /// A stored row failed authentication: edited, copied from elsewhere or damaged.
    Tampered,
    /// The bytes or frames come from a version this build does not know.
    Incompatible,
    /// The device's storage is full, even after eviction.
    QuotaExceeded,
    /// Another connection holds the database and does not let go.
    Blocked,
    /// The platform does not offer what is needed here.
    Unavailable,
    /// Another writer won; read again and retry.
    Conflict,
    /// Too much work is queued; retry later.
    Busy,
    /// No answer in time.
    Timeout,
    /// The cache was closed.
    Closed,
    /// An argument is wrong; the field is named.
    InvalidArgument,
    /// The package was used before it was initialised.
    NotInitialised,
    /// A bug in clinicache.
    Internal,
}

impl ErrorKind {
    /// Every kind, in documentation order.
    pub const ALL: &'static [ErrorKind] = &[
        Self::AccessDenied,
        Self::Aborted,
        Self::OriginFailed,
        Self::Locked,
        Self::WrongKey,
        Self::KeyUnavailable,
        Self::Tampered,
        Self::Incompatible,
        Self::QuotaExceeded,
        Self::Blocked,
        Self::Unavailable,
        Self::Conflict,
        Self::Busy,
        Self::Timeout,
        Self::Closed,
        Self::InvalidArgument,
        Self::NotInitialised,
        Self::Internal,
    ];

    /// The stable code, equal to the variant's name.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::AccessDenied => "AccessDenied",
            Self::Aborted => "Aborted",
            Self::OriginFailed => "OriginFailed",
            Self::Locked => "Locked",
            Self::WrongKey => "WrongKey",
            Self::KeyUnavailable => "KeyUnavailable",
            Self::Tampered => "Tampered",
            Self::Incompatible => "Incompatible",
            Self::QuotaExceeded => "QuotaExceeded",
            Self::Blocked => "Blocked",
            Self::Unavailable => "Unavailable",
            Self::Conflict => "Conflict",
            Self::Busy => "Busy",
            Self::Timeout => "Timeout",
            Self::Closed => "Closed",
            Self::InvalidArgument => "InvalidArgument",
            Self::NotInitialised => "NotInitialised",
            Self::Internal => "Internal",
        }
    }

    /// Whether the same call may succeed later without anybody changing anything.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::OriginFailed | Self::Blocked | Self::Conflict | Self::Busy | Self::Timeout
        )
    }
}

/// The error of every fallible call. Cheap to clone: one failure may reach many waiters.
#[derive(Clone)]
pub struct Error {
    kind: ErrorKind,
    field: Option<&'static str>,
    detail: Cow<'static, str>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

/// The result of every fallible call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of a kind, with a sentence for people. The sentence must hold no user data.
    #[must_use]
    pub fn new(kind: ErrorKind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            field: None,
            detail: detail.into(),
            source: None,
        }
    }

    /// As [`new`](Self::new), for constants.
    pub(crate) const fn fixed(kind: ErrorKind, detail: &'static str) -> Self {
        Self {
            kind,
            field: None,
            detail: Cow::Borrowed(detail),
            source: None,
        }
    }

    /// [`ErrorKind::InvalidArgument`] for a named field.
    #[must_use]
    pub fn invalid(field: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            field: Some(field),
            ..Self::new(ErrorKind::InvalidArgument, detail)
        }
    }

    /// Attaches the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Arc<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What went wrong.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The stable code of the kind.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.kind.code()
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        self.kind.is_retryable()
    }

    /// The argument or field at fault, for [`ErrorKind::InvalidArgument`].
    #[must_use]
    pub const fn field(&self) -> Option<&'static str> {
        self.field
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field {
            Some(field) => write!(f, "{field}: {}", self.detail),
            None => f.write_str(&self.detail),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.kind)
            .field("field", &self.field)
            .field("detail", &self.detail)
            .finish_non_exhaustive()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_of_a_kind_is_its_name() {
        for kind in ErrorKind::ALL {
            assert_eq!(kind.code(), format!("{kind:?}"));
        }
    }

    #[test]
    fn the_text_names_the_field_first() {
        let error = Error::invalid("patient", "must be 1 to 256 bytes long");
        assert_eq!(error.to_string(), "patient: must be 1 to 256 bytes long");
        assert_eq!(error.code(), "InvalidArgument");
    }
}
