//! What other tests rely on: that a page which does something forbidden is noticed.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use danso_browser::{Browser, Page};
use serde_json::json;

fn open(browser: &Browser, folder: &tempfile::TempDir, html: &str) -> Page {
    let path = folder.path().join("page.html");
    std::fs::write(&path, format!("<!DOCTYPE html><meta charset=utf-8>{html}")).unwrap();
    browser.open(&format!("file://{}", path.display()))
}

#[test]
fn input_reaches_the_page() {
    let Some(browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut page = open(
        &browser,
        &folder,
        "<div style='height:3000px'></div><input id=i><button id=b>b</button>
         <script>
            const seen = [];
            for (const kind of ['click', 'keydown', 'wheel'])
                addEventListener(kind, e => seen.push(kind + (e.shiftKey ? '+' : '') + (e.key || '')));
            let way = 0;
            addEventListener('mousemove', e => { if (e.buttons) way += Math.abs(e.movementX) || 1 });
         </script>",
    );
    page.click("#i");
    page.press("x");
    page.type_text("yz");
    assert_eq!(page.eval("i.value"), "xyz");
    page.press("Shift+Tab");
    page.press("ArrowLeft");
    page.press("+");
    page.click("#b");
    page.drag((100.0, 100.0), (300.0, 100.0));
    page.wheel((100.0, 100.0), 0.0, -120.0);
    page.wait_for("seen.includes('wheel')");
    let expected = ["click", "keydownx", "keydown+Tab", "keydownArrowLeft", "keydown+", "click"];
    assert_eq!(page.eval("seen.slice(0, 6)"), json!(expected));
    assert!(page.eval("way").as_f64().unwrap() > 0.0);
    assert_eq!(page.console(), [""; 0]);
    assert_eq!(page.network(), [""; 0]);
}

#[test]
fn what_a_page_must_not_do_is_noticed() {
    let Some(browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let noticed = |html: &str, what: &str| {
        let mut page = open(&browser, &folder, html);
        let console = page.console();
        assert!(console.iter().any(|said| said.contains(what)), "{html}: {console:?}");
    };
    noticed("<script>console.error('on fire', 3)</script>", "error: on fire");
    noticed("<script>console.warn('smoke')</script>", "warning: smoke");
    noticed("<script>throw new Error('burnt')</script>", "burnt");
    noticed("<script>Promise.reject(new Error('promised'))</script>", "promised");
    noticed("<script>alert('hello')</script>", "dialog: \"hello\"");
    let policy = "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'\">";
    noticed(&format!("{policy}<script>let owned = 1</script>"), "Content Security Policy");

    let mut page = open(&browser, &folder, "<img src='missing.png'><img src='data:,x'>");
    let asked = page.network();
    assert!(asked.len() == 1 && asked[0].ends_with("missing.png"), "{asked:?}");
}

#[test]
fn a_page_is_seen_as_asked_for() {
    let Some(browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut page = open(&browser, &folder, "<p>tall</p><div style='height:2000px'></div>");
    let dark = "matchMedia('(prefers-color-scheme: dark)').matches";
    assert_eq!(page.eval(dark), false);
    page.dark(true);
    assert_eq!(page.eval(dark), true);
    page.size(390, 844);
    assert_eq!(page.eval("[innerWidth, innerHeight]"), json!([390, 844]));
    assert_eq!(page.eval("new Promise(go => setTimeout(() => go(7), 10))"), 7);
    let size = |name: &str| {
        let png = std::fs::read(folder.path().join(name)).unwrap();
        let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
        (number(16), number(20))
    };
    page.screenshot(&folder.path().join("window.png"));
    assert_eq!(size("window.png"), (390, 844));
    page.screenshot_whole(&folder.path().join("whole.png"));
    assert!(size("whole.png").1 > 2000);
    page.pdf(&folder.path().join("page.pdf"));
    assert!(std::fs::read(folder.path().join("page.pdf")).unwrap().starts_with(b"%PDF"));
}

#[test]
#[should_panic(expected = "is covered by")]
fn a_click_on_what_is_covered_fails() {
    let Some(browser) = Browser::start() else { panic!("is covered by nothing: no browser") };
    let folder = tempfile::tempdir().unwrap();
    let mut page = open(
        &browser,
        &folder,
        "<button>b</button><div style='position:fixed;inset:0;background:red'></div>",
    );
    page.click("button");
}

#[test]
#[should_panic(expected = "nonsense is not defined")]
fn an_exception_fails_the_test() {
    let Some(browser) = Browser::start() else { panic!("nonsense is not defined: no browser") };
    let folder = tempfile::tempdir().unwrap();
    open(&browser, &folder, "").eval("nonsense()");
}
