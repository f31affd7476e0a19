//! Control rows of a vault.
