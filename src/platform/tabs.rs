//! The other tabs and workers of the same vault on the same device.

use super::task::{BoxFuture, MaybeSend, MaybeSync};
use futures_channel::{mpsc, oneshot};
use std::fmt;

/// Messages a tab buffers before it reports [`TabEvent::Lagged`].
pub const TAB_MESSAGES_MAX: usize = 1024;

/// Sibling tabs: a lossy broadcast and one leader.
///
/// # Contract
/// `post` reaches every other live tab of the vault or is lost (a frozen tab misses it); a
/// sender never hears itself. At most one tab holds [`Leadership`] at a time, except for a
/// frozen tab that was robbed and has not noticed: the leader generation in the store guards
/// against that one.
pub trait Tabs: MaybeSend + MaybeSync {
    /// Sends a sealed message to the other tabs.
    fn post(&self, message: &[u8]);
    /// What arrives from them. Called once, when a cache opens.
    fn events(&self) -> mpsc::Receiver<TabEvent>;
    /// Resolves when this tab leads; with `steal`, takes the lead from a tab that no longer
    /// answers.
    fn lead(&self, steal: bool) -> BoxFuture<'static, Leadership>;
}

/// What a tab hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TabEvent {
    /// A message of another tab, sealed.
    Message(Vec<u8>),
    /// Messages were lost here: compare with the store.
    Lagged,
    /// This tab was frozen, suspended or in the back-forward cache and runs again.
    Resumed,
}

/// The lead of a vault, given up on drop.
pub struct Leadership {
    /// Resolves (either way) when another tab has taken the lead.
    pub lost: oneshot::Receiver<()>,
    /// Gives the lead up when dropped.
    pub release: Option<Box<dyn ReleaseGuard>>,
}

/// Something whose drop releases a lock.
pub trait ReleaseGuard: MaybeSend {}
impl<T: MaybeSend> ReleaseGuard for T {}

impl fmt::Debug for Leadership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Leadership")
    }
}

/// A vault without siblings: always the leader, hears nothing.
#[derive(Debug, Default, Clone, Copy)]
pub struct SoloTabs;

impl Tabs for SoloTabs {
    fn post(&self, _message: &[u8]) {}

    fn events(&self) -> mpsc::Receiver<TabEvent> {
        mpsc::channel(0).1
    }

    fn lead(&self, _steal: bool) -> BoxFuture<'static, Leadership> {
        // The sender lives as long as the leadership: dropping it would read as "lost".
        let (keep, lost) = oneshot::channel::<()>();
        Box::pin(async move {
            Leadership {
                lost,
                release: Some(Box::new(keep)),
            }
        })
    }
}
