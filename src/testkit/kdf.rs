//! PBKDF2 without threads or WebCrypto.

use crate::{
    error::Result,
    kernel::crypto::Secret,
    platform::{BoxFuture, Kdf},
};
use sha2::block_api::compress256;

const BLOCK: usize = 64;
const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// The real PBKDF2-HMAC-SHA256, done at the first poll. Works on the bare compression function,
/// so that an unoptimised test build spends its time in optimised code.
#[derive(Debug, Default, Clone, Copy)]
pub struct SimKdf;

impl Kdf for SimKdf {
    fn pbkdf2_sha256(
        &self,
        secret: Secret<Vec<u8>>,
        salt: Vec<u8>,
        rounds: u32,
    ) -> BoxFuture<'static, Result<Secret<[u8; 32]>>> {
        // Exposed to derive the key; the copy inside lives as long as the call.
        Box::pin(async move { Ok(Secret::new(derive(secret.expose(), &salt, rounds))) })
    }
}

fn derive(secret: &[u8], salt: &[u8], rounds: u32) -> [u8; 32] {
    let mut key = [0; BLOCK];
    if secret.len() > BLOCK {
        key[..32].copy_from_slice(&bytes_of(&hash(INITIAL, 0, secret)));
    } else {
        key[..secret.len()].copy_from_slice(secret);
    }
    let hmac = Hmac {
        inner: keyed(&key, 0x36),
        outer: keyed(&key, 0x5c),
    };
    // One block of output, whose index is 1.
    let mut message = salt.to_vec();
    message.extend_from_slice(&1u32.to_be_bytes());
    let mut round = hmac.of(&message);
    let mut out = round;
    for _ in 1..rounds {
        round = hmac.of_digest(&round);
        for (sum, part) in out.iter_mut().zip(round) {
            *sum ^= part;
        }
    }
    bytes_of(&out)
}

/// The two hash states after the padded key.
struct Hmac {
    inner: [u32; 8],
    outer: [u32; 8],
}

impl Hmac {
    fn of(&self, message: &[u8]) -> [u32; 8] {
        let inner = hash(self.inner, BLOCK, message);
        hash(self.outer, BLOCK, &bytes_of(&inner))
    }

    /// As `of`, for 32 bytes: one compression each.
    fn of_digest(&self, digest: &[u32; 8]) -> [u32; 8] {
        let inner = finish(self.inner, digest);
        finish(self.outer, &inner)
    }
}

fn keyed(key: &[u8; BLOCK], pad: u8) -> [u32; 8] {
    let mut state = INITIAL;
    compress256(&mut state, &[key.map(|byte| byte ^ pad)]);
    state
}

fn finish(mut state: [u32; 8], digest: &[u32; 8]) -> [u32; 8] {
    let mut block = [0; BLOCK];
    block[..32].copy_from_slice(&bytes_of(digest));
    block[32] = 0x80;
    block[56..].copy_from_slice(&((BLOCK as u64 + 32) * 8).to_be_bytes());
    compress256(&mut state, &[block]);
    state
}

/// SHA-256 of `message` from a state that already took `before` bytes (whole blocks).
fn hash(mut state: [u32; 8], before: usize, message: &[u8]) -> [u32; 8] {
    let mut padded = message.to_vec();
    padded.push(0x80);
    padded.resize((padded.len() + 8).next_multiple_of(BLOCK) - 8, 0);
    padded.extend_from_slice(&((before + message.len()) as u64 * 8).to_be_bytes());
    for chunk in padded.chunks_exact(BLOCK) {
        let mut block = [0; BLOCK];
        block.copy_from_slice(chunk);
        compress256(&mut state, &[block]);
    }
    state
}

fn bytes_of(state: &[u32; 8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (out, word) in bytes.chunks_exact_mut(4).zip(state) {
        out.copy_from_slice(&word.to_be_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_round_equals_rfc_7914() {
        // RFC 7914, section 11: the first 32 of 64 bytes.
        let expected = [
            0x55, 0xac, 0x04, 0x6e, 0x56, 0xe3, 0x08, 0x9f, 0xec, 0x16, 0x91, 0xc2, 0x25, 0x44,
            0xb6, 0x05, 0xf9, 0x41, 0x85, 0x21, 0x6d, 0xde, 0x04, 0x65, 0xe6, 0x8b, 0x9d, 0x57,
            0xc2, 0x0d, 0xac, 0xbc,
        ];
        assert_eq!(derive(b"passwd", b"salt", 1), expected);
    }

    #[cfg(not(target_arch = "wasm32"))]
    #[test]
    fn every_length_equals_the_independent_implementation() {
        for len in [0, 1, 31, 32, 55, 56, 63, 64, 65, 200] {
            let secret = vec![7; len];
            let salt = vec![9; 200 - len];
            for rounds in [1, 2, 1_000] {
                let mut expected = [0; 32];
                pbkdf2::pbkdf2_hmac::<sha2::Sha256>(&secret, &salt, rounds, &mut expected);
                assert_eq!(derive(&secret, &salt, rounds), expected);
            }
        }
    }
}
