//! Logical keys: a class and its parts, escaped.
