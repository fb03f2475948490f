//! How much of what a client sends is read as one.

use domain::frame::FRAME_BYTES_MAX;
use tungstenite::protocol::WebSocketConfig;

/// How much is read at once. Idle sockets keep this much, so it is the size of usual frames.
const READ_BYTES: usize = 1024;

/// How frames are read: nothing longer than the protocol has, and no compression, which the library
/// does not know.
pub(super) fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BYTES)
        .write_buffer_size(0)
        .max_message_size(Some(FRAME_BYTES_MAX))
        .max_frame_size(Some(FRAME_BYTES_MAX))
}
