//! BroadcastChannel and Web Locks as sibling tabs.
