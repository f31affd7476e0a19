//! The sealed record, version 1. `docs/format.md` has its byte map.
//!
//! Outside stands only what a store needs: the expiry bucket and blind tags. Everything else,
//! the exact times, the class and the patient among it, is inside and authenticated, and bound
//! to the vault, the table and the key the row lies under.

use super::{
    codec::{Reader, padded_len, put_lp, put_u32, put_u64, sort_short},
    crypto::{BlindKey, BlindTag, KeyRing, Nonce, TAG_LEN},
    invalidate::{Epoch, Version},
};
use crate::error::{Error, ErrorKind, Result};
use std::sync::Arc;

const MAGIC: [u8; 4] = *b"clc\x01";
const VERSION: u8 = 1;
const SUITE_XAES_256_GCM: u8 = 1;
const FLAG_COMPRESSED: u16 = 1;
const FLAGS_KNOWN: u16 = FLAG_COMPRESSED;
/// Bytes before the tags.
const FIXED_LEN: usize = 58;
/// Most blind tags a row carries; an entry with more has only its class tag.
pub const TAGS_MAX: usize = 32;
/// Smallest padded plaintext: small records look alike.
const PAD_FLOOR: usize = 256;
/// The expiry bucket's width in minutes.
const BUCKET_MINUTES: u64 = 15;
/// Shortest body worth compressing.
const COMPRESS_MIN: usize = 128;
/// Longest body: far above any record, below what lengths can express.
pub const BODY_BYTES_MAX: usize = 64 << 20;
/// The table name that records are bound to.
const RECORDS: &str = "records";

/// What was kept.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Body {
    /// JSON text.
    Json(String),
    /// Bytes as they are.
    Bytes(Vec<u8>),
    /// The origin said: there is none.
    Absent,
}

// A body is the patient's data: its debug form shows its kind only.
impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Json(_) => "Json(..)",
            Self::Bytes(_) => "Bytes(..)",
            Self::Absent => "Absent",
        })
    }
}

impl Body {
    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Json(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
            Self::Absent => 0,
        }
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Everything known of an entry besides its body. Sealed with it.
#[derive(Clone, PartialEq, Eq)]
pub struct Meta {
    /// The logical key.
    pub key: Arc<str>,
    /// The class's name.
    pub class: Arc<str>,
    /// The shape of the value, as the class declares it; another one is a miss.
    pub schema: u32,
    /// Grows with every write of the vault.
    pub write_seq: u64,
    /// The log and sequence number captured before the origin was read, where known.
    pub position: Option<(Epoch, u64)>,
    /// The vault's local tick when the fill started.
    pub tick: u64,
    /// When it was stored, in Unix milliseconds.
    pub stored_at: u64,
    /// Fresh before this moment.
    pub fresh_until: u64,
    /// Erased from this moment on.
    pub keep_until: u64,
    /// The origin's version.
    pub version: Option<Version>,
    /// The compartments it belongs to, sorted.
    pub tags: Arc<[Arc<str>]>,
}

impl std::fmt::Debug for Meta {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Meta")
            .field("class", &self.class)
            .field("stored_at", &self.stored_at)
            .finish_non_exhaustive()
    }
}

/// The part of a row that is readable without the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outside {
    /// The key generation.
    pub key_gen: u32,
    /// The key's identity.
    pub key_id: [u8; 16],
    /// Erased from this moment on at the latest, in Unix milliseconds.
    pub keep_until_max: u64,
    /// Blind tags.
    pub tags: Vec<BlindTag>,
}

struct Header<'a> {
    flags: u16,
    key_gen: u32,
    key_id: [u8; 16],
    nonce: [u8; Nonce::LEN],
    bucket: u32,
    tags: &'a [u8],
    len: usize,
}

fn tampered(cause: &'static str) -> Error {
    Error::new(ErrorKind::Tampered, cause)
}

fn incompatible(cause: &'static str) -> Error {
    Error::new(ErrorKind::Incompatible, cause)
}

fn parse_header(row: &[u8]) -> Result<Header<'_>> {
    let short = || tampered("a sealed row is cut short");
    let mut reader = Reader::new(row);
    if reader.array::<4>().ok_or_else(short)? != MAGIC {
        return Err(incompatible("a row is not a sealed row"));
    }
    if reader.u8().ok_or_else(short)? != VERSION {
        return Err(incompatible("a sealed row has an unknown version"));
    }
    if reader.u8().ok_or_else(short)? != SUITE_XAES_256_GCM {
        return Err(incompatible("a sealed row has an unknown cipher suite"));
    }
    let flags = reader.u16().ok_or_else(short)?;
    if flags & !FLAGS_KNOWN != 0 {
        return Err(incompatible("a sealed row has unknown flags"));
    }
    let key_gen = reader.u32().ok_or_else(short)?;
    let key_id = reader.array().ok_or_else(short)?;
    let nonce = reader.array().ok_or_else(short)?;
    let bucket = reader.u32().ok_or_else(short)?;
    let count = usize::from(reader.u16().ok_or_else(short)?);
    if count > TAGS_MAX {
        return Err(tampered("a sealed row has too many tags"));
    }
    let tags = reader.take(count * 16).ok_or_else(short)?;
    if reader.rest().len() < TAG_LEN {
        return Err(short());
    }
    Ok(Header {
        flags,
        key_gen,
        key_id,
        nonce,
        bucket,
        tags,
        len: FIXED_LEN + tags.len(),
    })
}

/// Reads what stands outside of the seal. It is authenticated only by opening the row.
///
/// # Errors
/// [`Tampered`](ErrorKind::Tampered) or [`Incompatible`](ErrorKind::Incompatible) when the row
/// has no such form.
pub fn outside(row: &[u8]) -> Result<Outside> {
    let header = parse_header(row)?;
    let (tags, _) = header.tags.as_chunks::<16>();
    Ok(Outside {
        key_gen: header.key_gen,
        key_id: header.key_id,
        keep_until_max: u64::from(header.bucket) * 60_000,
        tags: tags.iter().copied().map(BlindTag).collect(),
    })
}

struct Head<'a> {
    flags: u16,
    bucket: u32,
    tags: &'a [BlindTag],
}

/// Writes the header, lets `fill` append the plaintext, pads, seals.
fn seal(
    ring: &KeyRing,
    (table, key): (&str, &[u8]),
    head: Head<'_>,
    plain_len: usize,
    nonce: Nonce,
    fill: impl FnOnce(&mut Vec<u8>),
) -> Result<Vec<u8>> {
    let header_len = FIXED_LEN + head.tags.len() * 16;
    let mut row = Vec::with_capacity(header_len + padded_len(plain_len, PAD_FLOOR) + TAG_LEN);
    row.extend_from_slice(&MAGIC);
    row.extend_from_slice(&[VERSION, SUITE_XAES_256_GCM]);
    row.extend_from_slice(&head.flags.to_le_bytes());
    put_u32(&mut row, ring.key_gen());
    row.extend_from_slice(ring.key_id());
    row.extend_from_slice(nonce.bytes());
    put_u32(&mut row, head.bucket);
    row.extend_from_slice(&u16::try_from(head.tags.len()).unwrap_or(0).to_le_bytes());
    for tag in head.tags {
        row.extend_from_slice(&tag.0);
    }
    fill(&mut row);
    let padded = padded_len(row.len() - header_len, PAD_FLOOR);
    row.resize(header_len + padded, 0);
    ring.seal_after(table, key, header_len, &mut row, &nonce)?;
    Ok(row)
}

/// Checks and opens a row; gives its plaintext, padding included.
fn open(ring: &KeyRing, (table, key): (&str, &[u8]), row: &[u8]) -> Result<(u16, u32, Vec<u8>)> {
    let header = parse_header(row)?;
    if header.key_gen != ring.key_gen() {
        return Err(tampered("a row is sealed under another key generation"));
    }
    if !bool::from(subtle::ConstantTimeEq::ct_eq(
        &header.key_id[..],
        &ring.key_id()[..],
    )) {
        return Err(tampered("a row is sealed under another key"));
    }
    let (outside, sealed) = row.split_at(header.len);
    let (text, tag) = sealed
        .split_last_chunk::<TAG_LEN>()
        .ok_or_else(|| tampered("a sealed row is cut short"))?;
    let mut text = text.to_vec();
    ring.open_in_place(table, key, outside, &header.nonce, &mut text, tag)
        .ok_or_else(|| tampered("a sealed row failed authentication"))?;
    Ok((header.flags, header.bucket, text))
}

const fn bucket(keep_until: u64) -> u32 {
    let buckets = keep_until.div_ceil(BUCKET_MINUTES * 60_000);
    let minutes = buckets.saturating_mul(BUCKET_MINUTES);
    if minutes > u32::MAX as u64 {
        u32::MAX
    } else {
        minutes as u32
    }
}

impl KeyRing {
    /// Seals any row of `table` under `key`: for control rows, logs and messages.
    ///
    /// # Errors
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) above the cipher's length limit.
    pub fn seal_row(&self, table: &str, key: &[u8], plain: &[u8], nonce: Nonce) -> Result<Vec<u8>> {
        let head = Head {
            flags: 0,
            bucket: 0,
            tags: &[],
        };
        seal(self, (table, key), head, plain.len() + 4, nonce, |row| {
            put_lp(row, plain);
        })
    }

    /// Opens a row of [`KeyRing::seal_row`].
    ///
    /// # Errors
    /// [`Tampered`](ErrorKind::Tampered), [`Incompatible`](ErrorKind::Incompatible).
    pub fn open_row(&self, table: &str, key: &[u8], row: &[u8]) -> Result<Vec<u8>> {
        let (_, _, text) = open(self, (table, key), row)?;
        Reader::new(&text)
            .lp()
            .map(<[u8]>::to_vec)
            .ok_or_else(|| tampered("a sealed row is malformed"))
    }

    /// Seals a record under the blind form of its key. Bodies that shrink are compressed first
    /// when `compress` says so.
    ///
    /// # Errors
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) for a body above [`BODY_BYTES_MAX`].
    pub fn seal_record(
        &self,
        key: &BlindKey,
        meta: &Meta,
        body: &Body,
        compress: bool,
        nonce: Nonce,
    ) -> Result<Vec<u8>> {
        self.seal_tagged(key, &self.blind_tags(meta), meta, body, compress, nonce)
    }

    /// As [`seal_record`](Self::seal_record), for a caller that has the entry's
    /// [blind tags](Self::blind_tags) already.
    pub(crate) fn seal_tagged(
        &self,
        key: &BlindKey,
        tags: &[BlindTag],
        meta: &Meta,
        body: &Body,
        compress: bool,
        nonce: Nonce,
    ) -> Result<Vec<u8>> {
        let (kind, raw) = match body {
            Body::Json(text) => (0, text.as_bytes()),
            Body::Bytes(bytes) => (1, bytes.as_slice()),
            Body::Absent => (2, &[][..]),
        };
        if raw.len() > BODY_BYTES_MAX {
            return Err(Error::invalid("value", "is larger than 64 MiB"));
        }
        let packed = (compress && raw.len() >= COMPRESS_MIN)
            .then(|| lz4_flex::block::compress(raw))
            .filter(|packed| packed.len() < raw.len() - raw.len() / 16);
        let head = Head {
            flags: if packed.is_some() { FLAG_COMPRESSED } else { 0 },
            bucket: bucket(meta.keep_until),
            tags,
        };
        let stored = packed.as_deref().unwrap_or(raw);
        let row = seal(
            self,
            (RECORDS, &key.0),
            head,
            meta_len(meta) + 9 + stored.len(),
            nonce,
            |row| {
                put_meta(row, meta);
                row.push(kind);
                put_u32(row, u32::try_from(raw.len()).unwrap_or(u32::MAX));
                put_lp(row, stored);
            },
        );
        if let Some(mut packed) = packed {
            zeroize::Zeroize::zeroize(&mut packed);
        }
        row
    }

    /// Opens a record: authenticates it, then checks that it belongs under this key and that
    /// what stands outside agrees with what is sealed.
    ///
    /// # Errors
    /// [`Tampered`](ErrorKind::Tampered), [`Incompatible`](ErrorKind::Incompatible).
    pub fn open_record(&self, key: &BlindKey, row: &[u8]) -> Result<(Meta, Body)> {
        let (flags, outer_bucket, mut text) = open(self, (RECORDS, &key.0), row)?;
        let read = read_record(&text, flags, |facts| facts.to_meta());
        zeroize::Zeroize::zeroize(&mut text[..]);
        let (meta, body) = read.ok_or_else(|| tampered("a record is malformed"))?;
        if self.blind_key(&meta.key) != *key {
            return Err(tampered("a record lies under another key"));
        }
        if bucket(meta.keep_until) != outer_bucket {
            return Err(tampered("a record's expiry was changed"));
        }
        Ok((meta, body))
    }

    /// The body of a record that [`open_record`](Self::open_record) has opened before, from the
    /// same bytes: authenticates it again, and spares what follows from the bytes alone.
    ///
    /// # Errors
    /// [`Tampered`](ErrorKind::Tampered), [`Incompatible`](ErrorKind::Incompatible).
    pub fn open_body(&self, key: &BlindKey, row: &[u8]) -> Result<Body> {
        let (flags, _, mut text) = open(self, (RECORDS, &key.0), row)?;
        let read = read_record(&text, flags, |_| Some(()));
        zeroize::Zeroize::zeroize(&mut text[..]);
        let ((), body) = read.ok_or_else(|| tampered("a record is malformed"))?;
        Ok(body)
    }

    /// The blind tags of an entry, sorted; only the class's tag when there are too many.
    #[must_use]
    pub fn blind_tags(&self, meta: &Meta) -> Vec<BlindTag> {
        let mut tags: Vec<_> = if meta.tags.len() > TAGS_MAX {
            vec![self.blind_tag(&format!("class/{}", meta.class))]
        } else {
            meta.tags.iter().map(|tag| self.blind_tag(tag)).collect()
        };
        sort_short(&mut tags);
        tags
    }
}

fn meta_len(meta: &Meta) -> usize {
    let tags: usize = meta.tags.iter().map(|tag| tag.len() + 4).sum();
    128 + meta.key.len() + meta.class.len() + tags
}

fn put_meta(out: &mut Vec<u8>, meta: &Meta) {
    put_lp(out, meta.key.as_bytes());
    put_lp(out, meta.class.as_bytes());
    put_u32(out, meta.schema);
    put_u64(out, meta.write_seq);
    match &meta.position {
        None => out.push(0),
        Some((epoch, seq)) => {
            out.push(1);
            put_lp(out, epoch.as_str().as_bytes());
            put_u64(out, *seq);
        }
    }
    put_u64(out, meta.tick);
    put_u64(out, meta.stored_at);
    put_u64(out, meta.fresh_until);
    put_u64(out, meta.keep_until);
    Version::put(meta.version.as_ref(), out);
    put_u32(out, u32::try_from(meta.tags.len()).unwrap_or(u32::MAX));
    for tag in meta.tags.iter() {
        put_lp(out, tag.as_bytes());
    }
}

/// The facts of a record, still in its plaintext.
struct Facts<'a> {
    key: &'a str,
    class: &'a str,
    schema: u32,
    write_seq: u64,
    position: Option<(&'a str, u64)>,
    tick: u64,
    stored_at: u64,
    fresh_until: u64,
    keep_until: u64,
    version: Option<Version>,
    /// So many texts.
    tags: (u32, Reader<'a>),
}

impl Facts<'_> {
    fn to_meta(&self) -> Option<Meta> {
        let position = match self.position {
            None => None,
            Some((epoch, seq)) => Some((Epoch::try_from(epoch.to_owned()).ok()?, seq)),
        };
        let (count, mut reader) = self.tags.clone();
        let mut tags = Vec::new();
        for _ in 0..count {
            tags.push(Arc::from(reader.str()?));
        }
        Some(Meta {
            key: self.key.into(),
            class: self.class.into(),
            schema: self.schema,
            write_seq: self.write_seq,
            position,
            tick: self.tick,
            stored_at: self.stored_at,
            fresh_until: self.fresh_until,
            keep_until: self.keep_until,
            version: self.version.clone(),
            tags: tags.into(),
        })
    }
}

fn read_facts<'a>(reader: &mut Reader<'a>) -> Option<Facts<'a>> {
    let key = reader.str()?;
    let class = reader.str()?;
    let schema = reader.u32()?;
    let write_seq = reader.u64()?;
    let position = match reader.u8()? {
        0 => None,
        1 => Some((reader.str()?, reader.u64()?)),
        _ => return None,
    };
    let tick = reader.u64()?;
    let stored_at = reader.u64()?;
    let fresh_until = reader.u64()?;
    let keep_until = reader.u64()?;
    let version = Version::read(reader)?;
    let count = reader.u32()?;
    let tags = (count, reader.clone());
    for _ in 0..count {
        reader.lp()?;
    }
    Some(Facts {
        key,
        class,
        schema,
        write_seq,
        position,
        tick,
        stored_at,
        fresh_until,
        keep_until,
        version,
        tags,
    })
}

/// What `take` makes of the facts, and the body.
fn read_record<T>(
    text: &[u8],
    flags: u16,
    take: impl FnOnce(&Facts<'_>) -> Option<T>,
) -> Option<(T, Body)> {
    let mut reader = Reader::new(text);
    let taken = take(&read_facts(&mut reader)?)?;
    let kind = reader.u8()?;
    let len = usize::try_from(reader.u32()?).ok()?;
    if len > BODY_BYTES_MAX {
        return None;
    }
    let stored = reader.lp()?;
    let raw = if flags & FLAG_COMPRESSED == 0 {
        (stored.len() == len).then(|| stored.to_vec())?
    } else {
        let raw = lz4_flex::block::decompress(stored, len).ok()?;
        (raw.len() == len).then_some(raw)?
    };
    let body = match kind {
        0 => Body::Json(String::from_utf8(raw).ok()?),
        1 => Body::Bytes(raw),
        2 if len == 0 => Body::Absent,
        _ => return None,
    };
    Some((taken, body))
}

#[cfg(test)]
#[path = "envelope_tests.rs"]
mod tests;
