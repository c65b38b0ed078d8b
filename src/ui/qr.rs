//! QR codes of checkpoint lines and invite codes, for pages and the command line.

use qrcode::{EcLevel, QrCode, Version};

/// Returns the QR code of a checkpoint line. Upper case selects the alphanumeric mode (5.5 bits per
/// character), and the version is fixed, so that all codes have the same size. `None` if the text is
/// too long.
pub fn checkpoint_code(line: &str) -> Option<QrCode> {
    let text = line.to_ascii_uppercase();
    QrCode::with_version(text, Version::Normal(8), EcLevel::L).ok()
}

/// Returns the QR code of an invite code, in upper case. `None` if the text is too long.
pub fn invite_code(code: &str) -> Option<QrCode> {
    QrCode::with_error_correction_level(code.to_ascii_uppercase(), EcLevel::L).ok()
}
