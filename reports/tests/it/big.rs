//! A long run: rendered while one waits, and small enough to send.

use std::time::Instant;

use crate::markup;
use crate::sample;

#[test]
fn two_hundred_thousand_operations() {
    let sample = sample::big(200_000);
    let started = Instant::now();
    let html = sample.html();
    let took = started.elapsed();
    println!("{} ops: {} bytes in {took:?}", sample.history.len(), html.len());
    assert!(html.len() < 5 << 20, "{} bytes", html.len());
    let page = markup::read(&html);
    assert!(page.text.contains("an even sample of the rest"));
    assert!(page.text.contains("operations left out here"), "the timeline says what it skips");
}
