//! WebSocket as a link to a hub.
