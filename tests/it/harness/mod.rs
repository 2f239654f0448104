//! What every test stands on: the simulated upstream, the server under test, and a plain client for it.

mod api;
mod selftest;
mod server;
mod tools;
pub(crate) mod upstream;

pub(crate) use api::{Api, Fetched, plain_client, try_fetch};
pub(crate) use server::{Builder, TestServer};
pub(crate) use tools::{PythonEnv, has_tool, run, skip};
