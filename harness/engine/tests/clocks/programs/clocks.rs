// For every line read: the time, on this thread and on one that was there from the start.
use std::sync::mpsc;
use std::time::{Duration, SystemTime};

fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

fn main() {
    let (ask, asked) = mpsc::channel();
    let (answer, answered) = mpsc::channel();
    std::thread::spawn(move || asked.iter().for_each(|()| answer.send(now()).unwrap()));
    for _ in std::io::stdin().lines() {
        ask.send(()).unwrap();
        let (here, there) = (now(), answered.recv().unwrap());
        println!(
            "rust={}.{:09} thread={}.{:09}",
            here.as_secs(),
            here.subsec_nanos(),
            there.as_secs(),
            there.subsec_nanos()
        );
    }
}
