//! What every test stands on: the simulated upstream, the server under test, and a plain client for it.

mod api;
mod canary;
pub(crate) mod film;
pub(crate) mod held;
pub(crate) mod ingest;
pub(crate) mod lateness;
mod panics;
mod raw;
mod refusal;
mod selftest;
mod server;
mod stage;
mod task;
mod tools;
pub(crate) mod upstream;

pub(crate) use api::{Api, Fetched, fetch, plain_client, tls_client, try_fetch};
pub(crate) use canary::{Canaries, assert_no_secret_in};
pub(crate) use panics::assert_no_panic_in;
pub(crate) use raw::{Raw, raw};
pub(crate) use refusal::{assert_bare_refusal, assert_refusal, without_request_id};
pub(crate) use server::{Builder, ENCODERS, KEY, TestServer};
pub(crate) use stage::{Stage, address, entry, eventually, link, text, token};
pub(crate) use task::spawn;
pub(crate) use tools::{
    PythonEnv, can_mount, chromium, has_tool, is_long_form, run, seen_of, skip,
};
