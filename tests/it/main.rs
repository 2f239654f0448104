//! Black-box tests of the shipped binary, the harness they stand on, and the guards of the house.

#![cfg(test)]

mod admission;
mod broadcasts;
mod cli;
mod clients;
mod clients_gone;
mod config;
mod deploy;
mod docs;
mod egress;
mod environment;
mod errors;
mod faults;
mod forgeries;
mod fuzzer;
mod harness;
mod health;
mod hostile;
mod http2;
mod instances;
mod joined;
mod layers;
mod media;
mod observe;
mod openapi;
mod other_doors;
mod photos;
mod protect;
mod raw;
mod resolve;
mod rtmp;
mod scale;
mod secrets;
mod shutdown;
mod slow;
mod ssrf;
mod supply;
mod tls;
mod webm;
mod wire;
mod youtube;
mod youtube_referee;
mod youtube_ytdlp;
mod ytdlp;
mod ytdlp_differences;
