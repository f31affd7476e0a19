//! Async orchestration over the seams.
