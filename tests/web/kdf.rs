//! Key stretching in WebCrypto equals the standard.

use crate::support::Replaced;
use clinicache::{
    ErrorKind, browser::WebCryptoKdf, kernel::crypto::Secret, platform::Kdf, testkit::SimKdf,
};
use wasm_bindgen::JsValue;
use wasm_bindgen_test::wasm_bindgen_test;

async fn stretch(secret: &[u8], salt: &[u8], rounds: u32) -> [u8; 32] {
    let out = WebCryptoKdf
        .pbkdf2_sha256(Secret::new(secret.to_vec()), salt.to_vec(), rounds)
        .await
        .unwrap();
    *out.expose()
}

#[wasm_bindgen_test]
async fn one_round_equals_rfc_7914() {
    let expected = [
        0x55, 0xac, 0x04, 0x6e, 0x56, 0xe3, 0x08, 0x9f, 0xec, 0x16, 0x91, 0xc2, 0x25, 0x44, 0xb6,
        0x05, 0xf9, 0x41, 0x85, 0x21, 0x6d, 0xde, 0x04, 0x65, 0xe6, 0x8b, 0x9d, 0x57, 0xc2, 0x0d,
        0xac, 0xbc,
    ];
    assert_eq!(stretch(b"passwd", b"salt", 1).await, expected);
}

#[wasm_bindgen_test]
async fn it_equals_the_independent_implementation() {
    for len in [0, 1, 63, 64, 65, 200] {
        let (secret, salt) = (vec![7; len], vec![9; 16]);
        let expected = SimKdf
            .pbkdf2_sha256(Secret::new(secret.clone()), salt.clone(), 1_000)
            .await
            .unwrap();
        assert_eq!(stretch(&secret, &salt, 1_000).await, *expected.expose());
    }
}

#[wasm_bindgen_test]
async fn no_rounds_are_refused_by_name() {
    let error = WebCryptoKdf
        .pbkdf2_sha256(Secret::new(vec![1]), vec![2], 0)
        .await
        .unwrap_err();
    assert_eq!(error.field(), Some("rounds"));
}

#[wasm_bindgen_test]
async fn an_insecure_context_is_named() {
    let crypto = js_sys::eval("crypto").unwrap();
    let _hidden = Replaced::new(crypto, "subtle", &JsValue::UNDEFINED);
    let error = WebCryptoKdf
        .pbkdf2_sha256(Secret::new(vec![1]), vec![2], 1)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().starts_with("insecure-context"));
}

#[wasm_bindgen_test]
async fn the_copy_that_the_browser_took_is_overwritten() {
    let seen = js_sys::eval(
        r#"(() => {
            const importKey = crypto.subtle.importKey;
            crypto.subtle.importKey = function (format, raw, ...rest) {
                globalThis.handedOver = raw;
                return importKey.call(crypto.subtle, format, raw, ...rest);
            };
        })()"#,
    );
    assert!(seen.is_ok());
    stretch(&[7; 20], b"salt", 1).await;
    let left = js_sys::eval(
        "delete crypto.subtle.importKey; globalThis.handedOver.length + ':' + \
         globalThis.handedOver.every((byte) => byte === 0)",
    );
    assert_eq!(left.unwrap().as_string().as_deref(), Some("20:true"));
}
