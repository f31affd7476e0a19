use super::*;
use crate::kernel::crypto::{Place, Secret};
use proptest::prelude::*;

fn ring_of(key: u8, user: &str, database: &str, key_gen: u32) -> KeyRing {
    let place = Place {
        tenant: "t".into(),
        user: user.into(),
        device: "d".into(),
        database: database.into(),
    };
    KeyRing::new(&Secret::new([key; 32]), &place, key_gen).unwrap()
}

fn ring() -> KeyRing {
    ring_of(7, "u", "db", 1)
}

fn nonce(byte: u8) -> Nonce {
    Nonce::from_entropy([byte; Nonce::LEN])
}

fn meta() -> Meta {
    Meta {
        key: "patient:123".into(),
        class: "patient".into(),
        schema: 0,
        write_seq: 9,
        position: Some((Epoch::from_bytes([1; 16]), 5)),
        tick: 2,
        stored_at: 1_000,
        fresh_until: 2_000,
        keep_until: 3_000_000,
        version: Some(Version::N(4)),
        tags: vec!["class/patient".into(), "patient/123".into()].into(),
    }
}

fn body() -> Body {
    Body::Json(format!("{{\"name\":\"{}\"}}", "abc ".repeat(100)))
}

fn sealed(ring: &KeyRing) -> (BlindKey, Vec<u8>) {
    let key = ring.blind_key("patient:123");
    let row = ring
        .seal_record(&key, &meta(), &body(), true, nonce(1))
        .unwrap();
    (key, row)
}

#[test]
fn a_record_opens_to_what_was_sealed() {
    let ring = ring();
    for body in [
        body(),
        Body::Bytes(vec![0, 1, 255]),
        Body::Absent,
        Body::Json(String::new()),
    ] {
        for compress in [true, false] {
            let key = ring.blind_key("patient:123");
            let row = ring
                .seal_record(&key, &meta(), &body, compress, nonce(1))
                .unwrap();
            assert!(ring.open_record(&key, &row).unwrap() == (meta(), body.clone()));
            assert!(ring.open_body(&key, &row).unwrap() == body);
        }
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    let ring = ring();
    let (key, row) = sealed(&ring);
    for at in 0..row.len() {
        for bit in [0x01, 0x80] {
            let mut row = row.clone();
            row[at] ^= bit;
            let kind = ring.open_record(&key, &row).unwrap_err().kind();
            assert_eq!(ring.open_body(&key, &row).unwrap_err().kind(), kind);
            let expected = if at < 8 {
                ErrorKind::Incompatible
            } else {
                ErrorKind::Tampered
            };
            // A known flag that is switched is not incompatible: authentication notices it.
            assert!(
                kind == expected || (at == 6 && kind == ErrorKind::Tampered),
                "byte {at}"
            );
        }
    }
    for len in 0..row.len() {
        assert!(ring.open_record(&key, &row[..len]).is_err());
    }
}

#[test]
fn a_row_opens_only_where_it_was_sealed() {
    let ring = ring();
    let (key, row) = sealed(&ring);
    let elsewhere = ring.blind_key("patient:124");
    assert_eq!(
        ring.open_record(&elsewhere, &row).unwrap_err().kind(),
        ErrorKind::Tampered
    );
    for other in [
        ring_of(8, "u", "db", 1),
        ring_of(7, "v", "db", 1),
        ring_of(7, "u", "db2", 1),
        ring_of(7, "u", "db", 2),
    ] {
        assert_eq!(
            other.open_record(&key, &row).unwrap_err().kind(),
            ErrorKind::Tampered
        );
    }
    assert!(
        ring.open_row("records", &key.0, &row)
            .is_ok_and(|plain| plain != row)
    );
    assert!(ring.open_row("control", &key.0, &row).is_err());
}

/// The place, table and key are in the associated data, not only in the derived keys: the same
/// key material with another place must fail too.
#[test]
fn the_associated_data_alone_binds_table_key_and_header() {
    let ring = ring();
    let row = ring
        .seal_row("control", b"head", b"plain", nonce(2))
        .unwrap();
    assert_eq!(ring.open_row("control", b"head", &row).unwrap(), b"plain");
    assert!(ring.open_row("control", b"fence", &row).is_err());
    assert!(ring.open_row("log", b"head", &row).is_err());
}

#[test]
fn nothing_readable_and_no_exact_size_stands_outside() {
    let ring = ring();
    let (_, row) = sealed(&ring);
    for text in ["patient", "123", "abc", "name"] {
        assert!(
            !row.windows(text.len())
                .any(|window| window == text.as_bytes())
        );
    }
    let key = ring.blind_key("patient:123");
    let len = |n: usize| {
        let body = Body::Bytes((0..n).map(|i| (i * 89) as u8).collect());
        ring.seal_record(&key, &meta(), &body, false, nonce(1))
            .unwrap()
            .len()
    };
    assert_eq!(len(1), len(20));
    let mut sizes: Vec<_> = (2000..2400).map(len).collect();
    sizes.dedup();
    assert!(sizes.len() <= 5, "400 lengths show as {}", sizes.len());
}

#[test]
fn the_outside_tells_bucket_and_tags() {
    let ring = ring();
    let (_, row) = sealed(&ring);
    let outside = outside(&row).unwrap();
    assert_eq!(outside.keep_until_max, 3_600_000);
    let mut tags = vec![
        ring.blind_tag("class/patient"),
        ring.blind_tag("patient/123"),
    ];
    tags.sort();
    assert_eq!(outside.tags, tags);
}

#[test]
fn too_many_tags_become_the_class_tag() {
    let ring = ring();
    let mut meta = meta();
    meta.tags = (0..33).map(|n| format!("patient/{n}").into()).collect();
    assert_eq!(ring.blind_tags(&meta), [ring.blind_tag("class/patient")]);
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), from in 0usize..60) {
        let ring = ring();
        let (key, mut row) = sealed(&ring);
        row.truncate(from);
        row.extend(bytes);
        prop_assert!(ring.open_record(&key, &row).is_err());
        let _ = outside(&row);
    }

    #[test]
    fn arbitrary_plaintext_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = read_record(&bytes, 0, |facts| facts.to_meta());
        let _ = read_record(&bytes, FLAG_COMPRESSED, |facts| facts.to_meta());
    }
}
