//! Under random trouble.
