//! Little-endian fields with length prefixes: the plain side of every sealed row.
