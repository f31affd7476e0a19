//! Giving up copies: by the app, and by what the feed says.

use super::{
    core::{Cache, Core, Open},
    writer::{Change, Mark},
};
use crate::{
    error::{Error, Result},
    kernel::{
        class::ClassId,
        crypto::BlindKey,
        invalidate::{Version, fence::Target},
        key::Key,
        protocol::{NAME_BYTES_MAX, Op, OpKind, OpMode},
        table::Row,
    },
    platform::Table as Rows,
};
use std::{fmt, sync::Arc};

/// What to give up. Its debug form shows the kind alone.
#[derive(Clone)]
#[non_exhaustive]
pub enum Invalidate {
    /// One entry.
    Key(Key),
    /// Every entry with a tag, such as `patient/123`.
    Tag(String),
    /// Every entry of a class.
    Class(ClassId),
    /// Everything.
    All,
}

impl fmt::Debug for Invalidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key(_) => "Key(..)",
            Self::Tag(_) => "Tag(..)",
            Self::Class(_) => "Class(..)",
            Self::All => "All",
        })
    }
}

impl Cache {
    /// Gives up copies in this vault, in all its tabs, in memory and on the disk. Fills that are
    /// under way are not stored. Nothing is published: that is the server's act.
    ///
    /// In memory it is done when the call returns its future; resolves when it is done on the
    /// disk. One transaction, one row a removed entry.
    ///
    /// # Errors
    /// [`Locked`](crate::ErrorKind::Locked), [`Closed`](crate::ErrorKind::Closed),
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) for a malformed tag, and those of
    /// the store.
    pub fn invalidate(&self, what: &Invalidate) -> impl Future<Output = Result<()>> + use<> {
        let begun = self.core.begin_invalidate(what);
        let core = self.core.clone();
        let all = matches!(what, Invalidate::All);
        async move {
            let (generation, change) = begun?;
            core.clone().change_marked(generation, change).await?;
            if all {
                // Rows that this tab never saw are unreadable already; they go too.
                core.sweep_store(generation, true).await?;
            }
            Ok(())
        }
    }
}

/// Checks a tag that a caller gives.
pub(super) fn check_tag(tag: &str) -> Result<()> {
    if tag.is_empty() || tag.len() > NAME_BYTES_MAX {
        return Err(Error::invalid("tag", "must be 1 to 2048 bytes long"));
    }
    if tag.chars().any(char::is_control) {
        return Err(Error::invalid("tag", "must not hold control characters"));
    }
    Ok(())
}

impl Core {
    fn begin_invalidate(&self, what: &Invalidate) -> Result<(u64, Change)> {
        let mut state = self.state();
        let generation = state.generation;
        let open = state.open()?;
        let (target, delete) = match what {
            Invalidate::Key(key) => {
                let key = open.ring.blind_key(key.as_str());
                (Target::Key(key), vec![key])
            }
            Invalidate::Tag(tag) => {
                check_tag(tag)?;
                open.tagged(tag)
            }
            Invalidate::Class(class) => open.tagged(&self.classes.get(*class).class_tag),
            Invalidate::All => (Target::All, open.table.keys().copied().collect()),
        };
        let marks = vec![Mark::Local(vec![target])];
        for mark in &marks {
            mark.apply(&mut open.fence);
        }
        for key in &delete {
            open.table.remove(key);
        }
        state.listeners.changed(&delete);
        let change = Change {
            marks,
            delete,
            ..Change::default()
        };
        Ok((generation, change))
    }

    /// As [`change`](Core::change), for marks that are in memory already.
    async fn change_marked(self: Arc<Self>, generation: u64, mut change: Change) -> Result<()> {
        let (ack, stored) = futures_channel::oneshot::channel();
        change.ack = Some(ack);
        {
            let mut state = self.state();
            let open = state.same(generation)?;
            self.enqueue(
                open,
                generation,
                super::writer::Job::Change(Box::new(change)),
            );
        }
        stored.await.unwrap_or_else(|_| Err(super::core::locked()))
    }

    /// Removes the rows of the store that are expired or given up for good, page by page.
    /// Looks only at what stands outside of the seal, and opens only rows that a mark names, or
    /// `every` one.
    pub(super) async fn sweep_store(self: &Arc<Self>, generation: u64, every: bool) -> Result<()> {
        let mut after: Option<Vec<u8>> = None;
        loop {
            let page = self
                .store
                .scan(Rows::Records, after.as_deref(), 256)
                .await?;
            let last = page.len() < 256;
            after = page.last().map(|(key, _)| key.clone());
            let erase = {
                let now = self.now();
                let mut state = self.state();
                let open = state.same(generation)?;
                let time = open.time.observe(now);
                let doomed = |(key, row): &(Vec<u8>, Row)| open.doomed(key, row, time, every);
                let erase: Vec<_> = page.iter().filter_map(doomed).collect();
                for (key, row) in &erase {
                    open.table.remove_exact(key, row);
                }
                erase
            };
            if !erase.is_empty() {
                let change = Change {
                    erase,
                    ..Change::default()
                };
                self.change(generation, change).await?;
            }
            if last {
                return Ok(());
            }
        }
    }
}

impl Open {
    fn tagged(&self, tag: &str) -> (Target, Vec<BlindKey>) {
        let tag = self.ring.blind_tag(tag);
        (Target::Tag(tag), self.table.tagged(&tag))
    }

    /// Whether a stored row has to go.
    fn doomed(&self, key: &[u8], row: &Row, time: u64, every: bool) -> Option<(BlindKey, Row)> {
        use crate::kernel::{envelope, invalidate::fence::Verdict};
        let key = BlindKey(key.try_into().ok()?);
        // A row that fails here or below is left for a reader to find and to report: what stands
        // outside of the seal, its end included, is believed only once the seal is checked.
        let outside = envelope::outside(row).ok()?;
        let overdue = outside.keep_until_max <= time;
        if !overdue && !every && !self.fence.names(&key, &outside.tags) {
            return None;
        }
        let (meta, _) = self.ring.open_record(&key, row).ok()?;
        let stands = self.verdict(&key, &outside.tags, &meta) == Verdict::Stands;
        (overdue || !stands).then(|| (key, row.clone()))
    }

    /// What operations of the feed mean in blind form: the fence's targets, the entries that
    /// must go, and those that only changed their standing.
    pub(super) fn blind_ops(&self, ops: &[Op]) -> BlindOps {
        let mut blind = BlindOps::default();
        for op in ops {
            let (target, keys) = match op.kind {
                OpKind::Key => {
                    let key = self.ring.blind_key(&op.id);
                    (Target::Key(key), vec![key])
                }
                OpKind::All if op.id.is_empty() => {
                    (Target::All, self.table.keys().copied().collect())
                }
                _ => self.tagged(&op.id),
            };
            let hard = matches!(op.mode, OpMode::Remove | OpMode::Purge);
            blind.targets.push((target, hard, op.ver.clone()));
            if hard {
                blind.gone.extend(keys);
            } else {
                blind.touched.extend(keys);
            }
        }
        blind
    }
}

/// See [`Open::blind_ops`].
#[derive(Default)]
pub(super) struct BlindOps {
    pub(super) targets: Vec<(Target, bool, Option<Version>)>,
    pub(super) gone: Vec<BlindKey>,
    pub(super) touched: Vec<BlindKey>,
}
