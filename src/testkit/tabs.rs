//! Sibling tabs in one process.
