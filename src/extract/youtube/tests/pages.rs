//! Recorded pages.

use super::recorded;
use crate::extract::youtube::page::read;

#[test]
fn recorded_embed_page_tells_visitor_and_flags() {
    let Some(exchange) = recorded::json("discovery/embed_page.json.gz") else {
        return;
    };
    let settings = read(exchange["response"]["text"].as_str().unwrap());
    let starts = |value: &Option<String>, with: &str| {
        value.as_deref().is_some_and(|text| text.starts_with(with))
    };
    assert!(
        starts(&settings.visitor, "CgswR1BTSUVHOXlY"),
        "{settings:?}"
    );
    assert!(
        starts(&settings.host_flags, "AD5ZzFQYsMyJJV6h"),
        "{settings:?}"
    );
    assert_eq!(settings.login.user.as_deref(), Some("V3b2842c0"));
    assert_eq!(settings.login.delegated, None);
}
