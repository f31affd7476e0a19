//! PBKDF2 in WebCrypto.
