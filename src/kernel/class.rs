//! The class table: what a hospital keeps, as data.
