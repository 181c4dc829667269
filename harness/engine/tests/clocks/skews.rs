//! What can be done to a clock, seen from inside, and what must never be seen.
