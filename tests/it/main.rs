//! Black-box tests of the shipped binary, the harness they stand on, and the guards of the house.

#![cfg(test)]

mod clients;
mod config;
mod errors;
mod faults;
mod harness;
mod health;
mod http2;
mod instances;
mod layers;
mod media;
mod other_doors;
mod resolve;
mod wire;
mod ytdlp;
mod ytdlp_differences;
