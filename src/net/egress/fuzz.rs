//! Lists of ways out, and what a VPN answers, for [`crate::fuzz`].

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::{config, gluetun};
use crate::config::Env;
use crate::net::ClientConfig;

static BASE: LazyLock<ClientConfig> = LazyLock::new(|| ClientConfig::from_env(&mut Env::default()));

/// `EGRESS`: each way has a name of its own that can stand in a link, and there aren't too many.
pub(in crate::net) fn list(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let ways = config::named(&mut Env::default(), &BASE, &text);
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let names: BTreeSet<_> = ways
        .iter()
        .map(|way| way.client.egress.as_deref())
        .collect();
    assert!(names.len() == ways.len() && ways.len() <= config::MAX_WAYS);
    for name in names {
        assert!(
            name.is_some_and(|name| !name.is_empty() && name.bytes().all(is_plain)),
            "{name:?}"
        );
    }
}

/// Answers of the control server.
pub(in crate::net) fn answer(data: &[u8]) {
    gluetun::read_anything(data);
}
