//! Hand-written sagas for every anomaly, random ones against an oracle, simulated ones with bugs.

mod anomalies;
mod figures;
mod limits;
mod oracle;
mod random;
mod simulate;
mod story;
