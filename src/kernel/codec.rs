//! Little-endian fields with length prefixes: the plain side of every sealed row.
//!
//! Reading never panics and never allocates more than the input holds: every read is an
//! `Option`, and what is missing or too long is `None`.

/// Appends a length-prefixed part.
pub(crate) fn put_lp(out: &mut Vec<u8>, part: &[u8]) {
    // Parts are bounded far below 4 GiB; a saturated prefix would fail to read back.
    out.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(part);
}

/// Appends a number.
pub(crate) fn put_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends a number.
pub(crate) fn put_u32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// Reads fields front to back.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(len)?;
        self.0 = tail;
        Some(head)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn lp(&mut self) -> Option<&'a [u8]> {
        let len = self.u32()?;
        self.take(usize::try_from(len).ok()?)
    }

    pub(crate) fn str(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.lp()?).ok()
    }

    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.0
    }
}

/// The padded length of `len` bytes: PADMÉ (at most 12 % longer, leaks O(log log len) bits),
/// with a floor that hides which small records are which.
pub(crate) const fn padded_len(len: usize, floor: usize) -> usize {
    if len <= floor {
        return floor;
    }
    let exponent = len.ilog2();
    let kept = exponent.ilog2() + 1;
    let mask = (1usize << (exponent - kept)) - 1;
    match len.checked_add(mask) {
        Some(sum) => sum & !mask,
        None => len,
    }
}

/// Sorts a list of a few elements: tags, which are at most 32. The library's sort is the faster
/// one for long lists, and more code than all the rest of this module.
pub(crate) fn sort_short<T: Ord>(list: &mut [T]) {
    for end in 1..list.len() {
        for at in (1..=end).rev() {
            if list[at - 1] <= list[at] {
                break;
            }
            list.swap(at - 1, at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_follows_padme() {
        // Values of the PADMÉ definition, floor aside.
        for (len, padded) in [
            (9, 10),
            (100, 104),
            (256, 256),
            (257, 272),
            (1000, 1024),
            (5000, 5120),
        ] {
            assert_eq!(padded_len(len, 1), padded, "{len}");
        }
        assert_eq!(padded_len(3, 256), 256);
    }

    #[test]
    fn padding_never_shrinks_and_costs_at_most_an_eighth() {
        for len in 257..70_000 {
            let padded = padded_len(len, 256);
            assert!(padded >= len && padded <= len + len / 8);
        }
    }

    proptest::proptest! {
        #[test]
        fn short_lists_are_sorted_as_any_list_is(
            mut list in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..40),
        ) {
            let mut sorted = list.clone();
            sorted.sort_unstable();
            sort_short(&mut list);
            proptest::prop_assert_eq!(list, sorted);
        }
    }

    #[test]
    fn a_length_beyond_the_end_is_not_read() {
        let mut out = Vec::new();
        put_lp(&mut out, b"abc");
        out.truncate(5);
        assert_eq!(Reader::new(&out).lp(), None);
    }
}
