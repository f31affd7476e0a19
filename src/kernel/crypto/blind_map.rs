//! Maps by blind names.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasherDefault, Hasher},
};

/// A map by blind keys or tags.
pub(crate) type BlindMap<K, V> = HashMap<K, V, BuildHasherDefault<BlindHasher>>;
/// A set of blind keys or tags.
pub(crate) type BlindSet<K> = HashSet<K, BuildHasherDefault<BlindHasher>>;

/// Takes the first bytes of a blind name for its hash: they come out of a keyed hash already,
/// and who has not the key cannot make names that meet.
#[derive(Debug, Default)]
pub(crate) struct BlindHasher(u64);

impl Hasher for BlindHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes.iter().take(8).rev() {
            self.0 = self.0 << 8 | u64::from(*byte);
        }
    }

    /// The length of an array, which is the same for all.
    fn write_usize(&mut self, _len: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::super::{BlindKey, BlindTag};
    use super::*;
    use std::hash::{BuildHasher, Hash};

    fn hash(name: impl Hash) -> u64 {
        BuildHasherDefault::<BlindHasher>::default().hash_one(name)
    }

    #[test]
    fn a_blind_name_is_its_own_hash() {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&7u64.to_le_bytes());
        assert_eq!(hash(BlindKey(key)), 7);
        let mut tag = [9; 16];
        tag[..8].copy_from_slice(&u64::MAX.to_le_bytes());
        assert_eq!(hash(BlindTag(tag)), u64::MAX);
    }
}
