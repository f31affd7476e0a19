//! A store in memory; also the oracle of the tests.
