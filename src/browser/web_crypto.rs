//! PBKDF2 in WebCrypto.

use super::js;
use crate::{
    error::{Error, ErrorKind, Result},
    kernel::crypto::Secret,
    platform::{BoxFuture, Kdf},
};
use js_sys::{Array, ArrayBuffer, Object, Promise, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{CryptoKey, SubtleCrypto};

/// PBKDF2 by `crypto.subtle`: a tenth of a second where wasm would take several.
///
/// What was copied to the JavaScript side is overwritten as soon as the browser has taken it.
#[derive(Debug, Default, Clone, Copy)]
pub struct WebCryptoKdf;

impl Kdf for WebCryptoKdf {
    fn pbkdf2_sha256(
        &self,
        secret: Secret<Vec<u8>>,
        salt: Vec<u8>,
        rounds: u32,
    ) -> BoxFuture<'static, Result<Secret<[u8; 32]>>> {
        Box::pin(async move {
            if rounds == 0 {
                return Err(Error::invalid("rounds", "must be at least 1"));
            }
            let subtle = subtle()?;
            let key = import(&subtle, &secret).await?;
            drop(secret);
            derive(&subtle, &key, &salt, rounds).await
        })
    }
}

fn subtle() -> Result<SubtleCrypto> {
    js::global("crypto")
        .and_then(|crypto| js::property(&crypto, "subtle"))
        .map(JsValue::unchecked_into)
        .ok_or_else(|| {
            Error::new(
                ErrorKind::Unavailable,
                "insecure-context: WebCrypto needs a page served over https or from localhost",
            )
        })
}

async fn import(subtle: &SubtleCrypto, secret: &Secret<Vec<u8>>) -> Result<CryptoKey> {
    // Exposed to hand it to the browser, which copies it before the call returns.
    let raw = js::array(secret.expose());
    let usages = Array::of1(&"deriveBits".into());
    let imported = subtle.import_key_with_str("raw", &raw, "PBKDF2", false, &usages);
    raw.fill(0, 0, raw.length());
    Ok(settled(imported).await?.unchecked_into())
}

async fn derive(
    subtle: &SubtleCrypto,
    key: &CryptoKey,
    salt: &[u8],
    rounds: u32,
) -> Result<Secret<[u8; 32]>> {
    let algorithm = Object::new();
    js::set(&algorithm, "name", &"PBKDF2".into());
    js::set(&algorithm, "hash", &"SHA-256".into());
    js::set(&algorithm, "salt", &js::array(salt));
    js::set(&algorithm, "iterations", &rounds.into());
    let derived = settled(subtle.derive_bits_with_object(&algorithm, key, 256)).await?;
    let derived = Uint8Array::new(derived.unchecked_ref::<ArrayBuffer>());
    let mut out = Secret::new([0; 32]);
    if derived.length() as usize != out.expose().len() {
        return Err(failed());
    }
    // Exposed to fill it.
    derived.copy_to(out.expose_mut());
    derived.fill(0, 0, derived.length());
    Ok(out)
}

async fn settled(promise: std::result::Result<Promise, JsValue>) -> Result<JsValue> {
    let promise = promise.map_err(|_| failed())?;
    JsFuture::from(promise).await.map_err(|_| failed())
}

fn failed() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "the browser refused to stretch the passphrase",
    )
}
