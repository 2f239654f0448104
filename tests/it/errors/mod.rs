//! Every refusal of api.md §7: status, word, the one JSON shape, and a server that goes on.

mod addresses;
mod bodies;
mod links;
mod network;
mod pages;
mod protocol;
