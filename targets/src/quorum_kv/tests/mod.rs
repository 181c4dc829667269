//! Whole clusters in one thread: step by step here and in the files beside, under random trouble in
//! `random`.

mod net;
mod random;
mod steps;
