//! A long run: small enough to send.

use crate::markup;
use crate::sample;

#[test]
fn two_hundred_thousand_operations() {
    let sample = sample::big(200_000);
    let html = sample.html();
    println!("{} ops: {} bytes", sample.history.len(), html.len());
    assert!(html.len() < 15_000_000, "{} bytes", html.len());
    let page = markup::read(&html);
    assert!(page.text.contains("an even sample of the rest"));
    assert!(page.text.contains("operations left out here"), "the timeline says what it skips");
}
