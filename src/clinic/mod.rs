//! The hospital: typed access to the record classes.
