//! Black-box tests of the shipped binary, the harness they stand on, and the guards of the house.

#![cfg(test)]

mod harness;
mod layers;
