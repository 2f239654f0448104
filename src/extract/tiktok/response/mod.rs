//! The two shapes in which posts are told: the web page's and the mobile app's. Serde only, no logic.

pub(in crate::extract) mod app;
pub(super) mod web;
