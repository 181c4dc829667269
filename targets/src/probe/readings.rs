//! The line of readings: what a node sees, once, as JSON. Times are ns; a reading that could not
//! be had is a text that says why.

use std::time::Duration;

use danso_vocab::Value;
use nix::time::{ClockId, clock_gettime};

use super::echo::Echoes;
use super::store::Store;

/// All readings of now. `started` tells one start of the node from another.
pub(super) fn take(node: &str, started: u64, store: &Store, echoes: &Echoes) -> Value {
    let clock = |id| match clock_gettime(id) {
        Ok(time) => ns(Duration::from(time)),
        Err(error) => error.desc().into(),
    };
    let count = |n: u64| Value::Int(i64::try_from(n).unwrap_or(i64::MAX));
    let echoes = echoes.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let echo = |echo: &Result<Duration, String>| match echo {
        Ok(took) => ns(*took),
        Err(why) => why.as_str().into(),
    };
    let echoes = echoes.iter().map(|(name, e)| (name.clone(), echo(e)));
    let (received, sent) = packets();
    Value::of([
        ("probe", node.into()),
        ("started", count(started)),
        ("realtime", clock(ClockId::CLOCK_REALTIME)),
        ("monotonic", clock(ClockId::CLOCK_MONOTONIC)),
        ("echo", Value::Map(echoes.collect())),
        ("written", count(store.written)),
        ("durable", count(store.durable)),
        ("refused", count(store.refused)),
        ("received", count(received)),
        ("sent", count(sent)),
    ])
}

fn ns(time: Duration) -> Value {
    Value::Int(i64::try_from(time.as_nanos()).unwrap_or(i64::MAX))
}

/// When this is asked, as nobody's skewed clock tells: ns since the machine started.
pub(super) fn uptime() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap_or_default();
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}

/// Packets received and sent by all interfaces but the loopback, as the node's kernel counts.
fn packets() -> (u64, u64) {
    let table = std::fs::read_to_string("/proc/net/dev").unwrap_or_default();
    let mut sum = (0, 0);
    for line in table.lines().skip(2) {
        let Some((name, counters)) = line.split_once(':') else { continue };
        let mut numbers = counters.split_whitespace().map(|n| n.parse::<u64>().unwrap_or(0));
        if name.trim() != "lo" {
            sum.0 += numbers.nth(1).unwrap_or(0);
            sum.1 += numbers.nth(7).unwrap_or(0);
        }
    }
    sum
}
