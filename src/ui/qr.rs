//! The QR code of a checkpoint line, for the page `/checkpoint` and the command line.

use qrcode::{EcLevel, QrCode, Version};

/// Returns the QR code of a checkpoint line: in upper case, so that each character takes 5.5 bits,
/// and of one size for every index. `None` if the text is too long.
pub fn checkpoint_code(line: &str) -> Option<QrCode> {
    let text = line.to_ascii_uppercase();
    QrCode::with_version(text, Version::Normal(8), EcLevel::L).ok()
}
