//! What clients send, and names of files made of what sites say, for [`crate::fuzz`].

use bytes::Bytes;

use super::{fields, headers};

/// A posted body, as JSON and as a form.
pub(crate) fn fields(data: &[u8]) {
    let body = Bytes::copy_from_slice(data);
    for is_form in [false, true] {
        if let Ok(fields) = fields::read(&body, is_form) {
            let _url = fields::url(&fields);
        }
    }
}

/// `Content-Disposition`: one line, one name, no path.
pub(crate) fn disposition(data: &[u8]) {
    let name = headers::disposition_of(&String::from_utf8_lossy(data));
    assert!(http::HeaderValue::from_str(&name).is_ok(), "{name:?}");
    assert!(!name.contains(['/', '\\']), "{name:?}");
    assert_eq!(name.matches('"').count(), 2, "{name:?}");
}
