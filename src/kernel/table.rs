//! The memory tier: sealed rows under a byte budget.
