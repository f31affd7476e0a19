//! Single flight, as bookkeeping.
