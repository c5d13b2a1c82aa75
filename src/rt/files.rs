//! Files as tensors and back: npy, safetensors, JSON. The only reader of bytes from disk besides the session.

/// An opened input: its bytes, and where they came from.
#[derive(Debug)]
pub struct FileHandle {
    /// The name of the `input` item, for messages.
    pub name: String,
    pub path: std::path::PathBuf,
    /// Lower-case hex of the sha256 of the bytes.
    pub sha256: String,
    pub bytes: memmap2::Mmap,
}
