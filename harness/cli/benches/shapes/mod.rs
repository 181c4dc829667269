//! What is measured: recorded histories' likes, made to order.

pub(crate) mod containers;
pub(crate) mod contended;
pub(crate) mod counter;
pub(crate) mod lock;
pub(crate) mod log;
pub(crate) mod register;
pub(crate) mod text;
pub(crate) mod turns;
