//! The folder of the server's stores.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

/// Folder of the hub's log.
pub(crate) const HUB: &str = "hub";
/// Folder of the cache in front of the database.
pub(crate) const CACHE: &str = "cache";

/// A folder that this process alone uses.
///
/// The stores of an earlier run are removed: they are sealed with a key that lived in that run's
/// memory, and they speak of a database that lived there too. A log that outlived its database
/// would promise a continuity that is not there; without it the hub starts a new epoch, and
/// clients revalidate what they hold.
#[derive(Debug)]
pub(crate) struct StateDir {
    path: PathBuf,
    /// Locked while we run: two servers in one folder would remove each other's stores.
    _lock: File,
    /// Removes a temporary folder at the end; declared last, so that the lock goes first.
    _temporary: Option<tempfile::TempDir>,
}

impl StateDir {
    /// Opens `folder`, or a temporary one.
    pub(crate) fn open(folder: Option<&Path>) -> io::Result<Self> {
        let temporary = match folder {
            Some(folder) => {
                create_private(folder)?;
                None
            }
            None => Some(
                tempfile::Builder::new()
                    .prefix("clinic-server-")
                    .tempdir()?,
            ),
        };
        let path = match (&temporary, folder) {
            (Some(temporary), _) => temporary.path().to_owned(),
            (None, Some(folder)) => folder.to_owned(),
            (None, None) => return Err(io::ErrorKind::NotFound.into()),
        };
        let lock = File::create(path.join("lock"))?;
        lock.try_lock().map_err(|_| io::ErrorKind::ResourceBusy)?;
        for store in [HUB, CACHE] {
            match fs::remove_dir_all(path.join(store)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(Self {
            path,
            _lock: lock,
            _temporary: temporary,
        })
    }

    /// Where a store lies.
    pub(crate) fn store(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

#[cfg(unix)]
fn create_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
}

#[cfg(not(unix))]
fn create_private(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_server_in_the_same_folder_is_refused_until_the_first_is_gone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state");
        let first = StateDir::open(Some(&path)).expect("free");
        fs::create_dir(first.store(HUB)).expect("made");
        let second = StateDir::open(Some(&path)).map(drop);
        assert_eq!(
            second.map_err(|error| error.kind()),
            Err(io::ErrorKind::ResourceBusy)
        );
        assert!(first.store(HUB).exists(), "a refused start removes nothing");
        drop(first);
        let next = StateDir::open(Some(&path)).expect("free again");
        assert!(!next.store(HUB).exists(), "an unreadable store is removed");
    }

    #[test]
    fn a_temporary_folder_goes_with_its_server() {
        let state = StateDir::open(None).expect("a folder");
        let path = state.path.clone();
        assert!(path.is_dir());
        drop(state);
        assert!(!path.exists());
    }
}
