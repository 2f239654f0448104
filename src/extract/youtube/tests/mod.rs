//! Tests against recorded answers. The recordings lie outside the project; without them these tests say so and pass.

mod chain;
mod errors;
mod facts;
mod lists;
mod mutations;
mod pages;
#[cfg(feature = "js")]
mod player_script;
mod recorded;
mod script;
mod twins;
mod wire;
