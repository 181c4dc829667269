//! Names, values and logs of a hostile target, in a real browser.

use std::path::Path;

use danso_browser::{Browser, Page};

use super::{Server, run_folder};

/// Each would do something if it were taken for more than text.
fn sharp() -> Vec<String> {
    let texts = [
        "<script>window.owned=1;alert(1)</script><img src=x onerror=\"window.owned=1\">",
        "</script></title></style><script src=\"/files/evil.js\"></script><!--",
        "]]></svg><svg onload='window.owned=1'>",
        "\"onmouseover=\"window.owned=1\" autofocus onfocus=window.owned=1 '",
        "javascript:window.owned=1",
        "a\u{0}b\u{1b}[2J\u{202e}evil\u{2066}\u{feff}\r\n",
        "../../../../etc/passwd?x=1&run=2#frag%2e%2e",
    ];
    let mut all: Vec<String> = texts.iter().map(ToString::to_string).collect();
    all.push("W".repeat(1 << 20));
    all.push("<b>&\"'".repeat(150_000));
    all
}

/// Fails if anything ran, was asked for, or sticks out of the page.
fn inert(page: &mut Page, what: &str) {
    for width in [1280, 390] {
        page.size(width, 844);
        let wide = page.eval("document.documentElement.scrollWidth").as_f64().unwrap();
        let culprit = "[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.scroller, nav, svg, pre')).slice(0, 3).map(e => e.outerHTML.slice(0, 200))";
        assert!(wide <= f64::from(width), "{what} at {width}: {wide} wide: {}", page.eval(culprit));
        assert_eq!(page.eval("!!document.querySelector('main') && document.querySelector('main').getBoundingClientRect().height > 40"), true, "{what}");
    }
    page.size(1280, 800);
    assert_eq!(page.eval("typeof window.owned"), "undefined", "{what}");
    assert_eq!(page.console(), [""; 0], "{what}");
}

fn shot(page: &mut Page, name: &str) {
    let Some(kept) = std::env::var_os("DANSO_KEEP_REPORTS") else { return };
    let file = |kind: &str| Path::new(&kept).join(format!("serve-{name}-{kind}.png"));
    page.screenshot(&file("light"));
    page.dark(true);
    page.screenshot(&file("dark"));
    page.size(390, 844);
    page.screenshot(&file("phone"));
    page.dark(false);
    page.size(1280, 800);
}

#[test]
fn hostile_content_is_inert_on_every_page() {
    let Some(browser) = Browser::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut paths = Vec::new();
    for (i, text) in sharp().iter().enumerate() {
        let run = run_folder(dir.path(), &format!("20260101T0000{i:02}Z-7"), text, "invalid");
        let evil = run.join("nodes/n1/data").join("<img src=x onerror=owned=1>\u{202e}.svg");
        std::fs::write(evil, "<svg xmlns='http://www.w3.org/2000/svg' onload='window.owned=1'/>")
            .unwrap();
        paths.push(format!("some/20260101T0000{i:02}Z-7"));
    }
    let server = Server::of(dir.path());
    let mut page = browser.open(&server.url("/"));
    inert(&mut page, "the list");
    shot(&mut page, "hostile");
    page.go(&server.url("/?q=%3Cscript%3Ewindow.owned=1%3C/script%3E%22%27&target=%22%3E%3Cimg+src=x+onerror=owned=1%3E"));
    inert(&mut page, "a search");
    // The browser itself complains of a page that is not there.
    let mut lost = browser.open(&server.url("/no/%3Cscript%3Ewindow.owned=1%3C/script%3E"));
    assert_eq!(lost.eval("document.querySelector('h2').textContent"), "404");
    assert_eq!(lost.eval("typeof window.owned"), "undefined");
    for (i, path) in paths.iter().enumerate() {
        for kind in ["run", "files"] {
            page.go(&server.url(&format!("/{kind}/{path}")));
            inert(&mut page, &format!("/{kind}/ of text {i}"));
        }
        page.go(&server.url(&format!("/files/{path}/nodes/n1/data")));
        inert(&mut page, &format!("a data folder, text {i}"));
        page.go(&server.url(&format!("/log/{path}/nodes/n1/stderr.log")));
        inert(&mut page, &format!("a log of text {i}"));
        page.go(&server.url(&format!("/compare?run={path}&run={}", paths[(i + 1) % paths.len()])));
        inert(&mut page, &format!("a comparison of text {i}"));
    }
    let asked = page.network();
    let foreign: Vec<_> = asked
        .iter()
        .filter(|url| !url.ends_with("/-/style.css") && !url.ends_with("/-/browse.js"))
        .collect();
    assert!(foreign.is_empty(), "{foreign:?}");
}

#[test]
fn people_find_their_way() {
    let Some(browser) = Browser::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    for (i, verdict) in ["valid", "invalid", "unknown", "valid", "invalid"].iter().enumerate() {
        run_folder(dir.path(), &format!("20260101T0000{i:02}Z-7"), &format!("test-{i}"), verdict);
    }
    let server = Server::of(dir.path());
    let mut page = browser.open(&server.url("/"));
    shot(&mut page, "list");
    let rows = "document.querySelectorAll('tbody tr').length";
    page.click("input[type=search]");
    page.type_text("invalid");
    page.press("Enter");
    page.wait_for(&format!("document.readyState === 'complete' && {rows} === 2"));
    page.eval("(() => { const s = document.querySelector('select[name=target]'); s.value = 'test-4'; setTimeout(() => s.dispatchEvent(new Event('change', { bubbles: true }))) })()");
    page.wait_for(&format!("{rows} === 1"));
    page.go(&server.url("/"));
    assert_eq!(page.eval("document.querySelector('.actions button').disabled"), true);
    page.click("tbody tr:nth-child(1) input");
    page.click("tbody tr:nth-child(3) input");
    page.click(".actions button");
    page.wait_for("document.querySelector('h1')?.textContent === 'Two runs'");
    shot(&mut page, "compare");
    page.go(&server.url("/"));
    // By keyboard alone: the first link of the table.
    page.eval("document.querySelector('tbody input').focus()");
    page.press("Tab");
    page.press("Enter");
    page.wait_for("document.querySelector('h1')?.textContent === 'invalid'");
    shot(&mut page, "run");
    page.click("a.button");
    page.wait_for("location.href.endsWith('report.html') && document.querySelector('h1')");
    assert_eq!(page.console(), [""; 0]);

    // Without its script it is the same.
    page.scripts(false);
    page.go(&server.url("/?verdict=invalid"));
    assert_eq!(page.eval(rows), 2);
}
