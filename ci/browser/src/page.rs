//! [`Page`]: one page, from outside.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::pipe::{Event, Pipe};
use crate::{keys, lock};

/// How long a condition may take to come true.
const PATIENCE: Duration = Duration::from_secs(60);

/// A page in a browser.
#[derive(Debug)]
pub struct Page {
    pipe: Arc<Mutex<Pipe>>,
    session: String,
    complaints: Vec<String>,
    requests: Vec<String>,
}

impl Page {
    #[track_caller]
    pub(crate) fn open(pipe: Arc<Mutex<Pipe>>, target: &Value, url: &str) -> Page {
        let attach = json!({ "targetId": target, "flatten": true });
        let attached = lock(&pipe).call(None, "Target.attachToTarget", attach);
        let session = attached["sessionId"].as_str().unwrap().to_owned();
        let mut page = Page { pipe, session, complaints: Vec::new(), requests: Vec::new() };
        for domain in ["Page", "Runtime", "Log", "Network"] {
            page.call(&format!("{domain}.enable"), json!({}));
        }
        page.size(1280, 800);
        page.go(url);
        page
    }

    /// Goes to `url` and waits until it has loaded.
    #[track_caller]
    pub fn go(&mut self, url: &str) {
        self.listen();
        let answer = self.call("Page.navigate", json!({ "url": url }));
        assert!(answer["errorText"].is_null(), "{url}: {}", answer["errorText"]);
        lock(&self.pipe).await_event(&self.session, "Page.loadEventFired");
        self.wait_for("document.readyState === 'complete'");
    }

    /// The value of a JavaScript expression; a promise is waited for. An exception fails the
    /// test. It is nothing the page's policy could forbid.
    #[track_caller]
    pub fn eval(&mut self, expression: &str) -> Value {
        self.try_eval(expression).unwrap_or_else(|said| panic!("{expression}: {said}"))
    }

    #[track_caller]
    fn try_eval(&mut self, expression: &str) -> Result<Value, String> {
        let asked = json!({
            "expression": expression,
            "awaitPromise": true,
            "returnByValue": true,
            "userGesture": true,
        });
        // A page that is just being left for another refuses.
        let session = Some(self.session.as_str());
        let mut answer = lock(&self.pipe).ask(session, "Runtime.evaluate", asked)?;
        match thrown(&answer["exceptionDetails"]) {
            Some(said) => Err(said),
            None => Ok(answer["result"]["value"].take()),
        }
    }

    /// Waits until an expression is true (or anything that counts as true) and gives its value.
    #[track_caller]
    pub fn wait_for(&mut self, expression: &str) -> Value {
        let since = Instant::now();
        loop {
            // Between two pages there may be nothing to ask.
            let last = self.try_eval(expression);
            let is_so = match &last {
                Ok(Value::Null | Value::Bool(false)) | Err(_) => false,
                Ok(Value::String(text)) => !text.is_empty(),
                Ok(Value::Number(number)) => number.as_f64() != Some(0.0),
                Ok(_) => true,
            };
            match last {
                Ok(value) if is_so => return value,
                last if since.elapsed() > PATIENCE => {
                    let console = self.console();
                    panic!("{expression}: still {last:?} after {PATIENCE:?}; console: {console:?}");
                }
                _ => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// Clicks on the middle of the first element that matches, after scrolling to it. Fails if
    /// something else lies there.
    #[track_caller]
    pub fn click(&mut self, selector: &str) {
        let (x, y) = self.place(selector);
        self.click_at(x, y);
    }

    /// Clicks at a place of the window.
    #[track_caller]
    pub fn click_at(&mut self, x: f64, y: f64) {
        self.mouse("mouseMoved", (x, y), "none");
        self.mouse("mousePressed", (x, y), "left");
        self.mouse("mouseReleased", (x, y), "left");
    }

    /// The middle of the first element that matches, once it is in the window and stands still.
    /// Fails if something else lies there.
    #[track_caller]
    pub fn place(&mut self, selector: &str) -> (f64, f64) {
        let place = self.eval(&format!(
            "(async () => {{
                const selector = {};
                const element = document.querySelector(selector);
                if (!element) throw new Error('nothing matches ' + selector);
                // A link over several lines has a middle that is not its own.
                const box = () => element.getClientRects()[0];
                if (!box()) throw new Error(selector + ' is not shown');
                // The page may still be scrolling on from what was done before.
                // A loaded machine lays it out late.
                for (let was = null, still = 0; still < 3; still = was === box().y ? still + 1 : 0) {{
                    const options = {{ block: 'center', inline: 'center', behavior: 'instant' }};
                    element.scrollIntoView(options);
                    was = box().y;
                    await new Promise((go) => setTimeout(go, 50));
                }}
                const [x, y] = [box().x + box().width / 2, box().y + box().height / 2];
                const there = document.elementFromPoint(x, y);
                if (!element.contains(there))
                    throw new Error(selector + ' is covered by ' + (there && there.outerHTML.slice(0, 200)));
                return [x, y];
            }})()",
            Value::from(selector)
        ));
        (place[0].as_f64().unwrap(), place[1].as_f64().unwrap())
    }

    /// Moves the pointer to the middle of the first element that matches.
    #[track_caller]
    pub fn hover(&mut self, selector: &str) {
        let (x, y) = self.place(selector);
        self.hover_at(x, y);
    }

    /// Moves the pointer to a place of the window.
    #[track_caller]
    pub fn hover_at(&mut self, x: f64, y: f64) {
        self.mouse("mouseMoved", (x, y), "none");
    }

    /// Drags from one place of the window to another, with the left button.
    #[track_caller]
    pub fn drag(&mut self, from: (f64, f64), to: (f64, f64)) {
        self.mouse("mouseMoved", from, "none");
        self.mouse("mousePressed", from, "left");
        let middle = ((from.0 + to.0) / 2.0, (from.1 + to.1) / 2.0);
        self.mouse("mouseMoved", middle, "left");
        self.mouse("mouseMoved", to, "left");
        self.mouse("mouseReleased", to, "left");
    }

    /// Turns the wheel at a place of the window; a positive `dy` scrolls down.
    #[track_caller]
    pub fn wheel(&mut self, at: (f64, f64), dx: f64, dy: f64) {
        let turned = json!({
            "type": "mouseWheel", "x": at.0, "y": at.1, "deltaX": dx, "deltaY": dy,
        });
        self.call("Input.dispatchMouseEvent", turned);
    }

    /// Presses and lets go of a key: `Tab`, `ArrowLeft`, `a`, `+`, `Shift+Tab`, `Control+a`.
    #[track_caller]
    pub fn press(&mut self, key: &str) {
        let mut fields = keys::fields(key);
        let kind = if fields["text"] == "" { "rawKeyDown" } else { "keyDown" };
        fields["type"] = kind.into();
        self.call("Input.dispatchKeyEvent", fields.clone());
        fields["type"] = "keyUp".into();
        fields["text"] = "".into();
        self.call("Input.dispatchKeyEvent", fields);
    }

    /// Types a text into whatever has the focus.
    #[track_caller]
    pub fn type_text(&mut self, text: &str) {
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// Errors, warnings, uncaught exceptions, dialogs, and what the page's policy kept from
    /// happening, since the page was opened.
    #[track_caller]
    pub fn console(&mut self) -> Vec<String> {
        // An answer means that everything before it has arrived.
        self.eval("0");
        self.listen();
        self.complaints.clone()
    }

    /// Every address asked for beside the pages that were opened. Data inside the page is not
    /// asked for.
    #[track_caller]
    pub fn network(&mut self) -> Vec<String> {
        self.eval("0");
        self.listen();
        self.requests.clone()
    }

    /// What the window shows, as PNG.
    #[track_caller]
    pub fn screenshot(&mut self, path: &Path) {
        self.capture(path, json!({}));
    }

    /// The whole page, as PNG.
    #[track_caller]
    pub fn screenshot_whole(&mut self, path: &Path) {
        let size = self.call("Page.getLayoutMetrics", json!({}))["cssContentSize"].clone();
        let clip = json!({
            "x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1,
        });
        self.capture(path, json!({ "captureBeyondViewport": true, "clip": clip }));
    }

    /// The page as it would be printed, as PDF.
    #[track_caller]
    pub fn pdf(&mut self, path: &Path) {
        let made = self.call("Page.printToPDF", json!({ "printBackground": false }));
        store(path, &made);
    }

    /// Gives the window another size.
    #[track_caller]
    pub fn size(&mut self, width: u32, height: u32) {
        let metrics = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false,
        });
        self.call("Emulation.setDeviceMetricsOverride", metrics);
    }

    /// Whether the user prefers dark pages.
    #[track_caller]
    pub fn dark(&mut self, dark: bool) {
        let value = if dark { "dark" } else { "light" };
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": value }] });
        self.call("Emulation.setEmulatedMedia", media);
    }

    /// Whether the page may run scripts; holds for the next [`Page::go`].
    #[track_caller]
    pub fn scripts(&mut self, run: bool) {
        self.call("Emulation.setScriptExecutionDisabled", json!({ "value": !run }));
    }

    #[track_caller]
    fn call(&mut self, method: &str, params: Value) -> Value {
        lock(&self.pipe).call(Some(&self.session), method, params)
    }

    #[track_caller]
    fn capture(&mut self, path: &Path, options: Value) {
        let made = self.call("Page.captureScreenshot", options);
        store(path, &made);
    }

    #[track_caller]
    fn mouse(&mut self, kind: &str, (x, y): (f64, f64), button: &str) {
        let held = if button == "left" && kind != "mouseReleased" { 1 } else { 0 };
        let event = json!({
            "type": kind, "x": x, "y": y, "button": button, "buttons": held, "clickCount": 1,
        });
        self.call("Input.dispatchMouseEvent", event);
    }

    /// Sorts out what was reported since.
    fn listen(&mut self) {
        for event in lock(&self.pipe).take_events(&self.session) {
            self.complaints.extend(complaint(&event));
            self.requests.extend(request(&event));
        }
    }
}

fn store(path: &Path, made: &Value) {
    let bytes = STANDARD.decode(made["data"].as_str().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
}

fn thrown(details: &Value) -> Option<String> {
    let said = details["exception"]["description"].as_str().or(details["text"].as_str());
    (!details.is_null()).then(|| said.map_or_else(|| details.to_string(), str::to_owned))
}

fn complaint(event: &Event) -> Option<String> {
    let params = &event.params;
    match event.method.as_str() {
        "Runtime.consoleAPICalled" => {
            let kind = params["type"].as_str().unwrap_or_default();
            let said = |arg: &Value| {
                arg["value"].as_str().or(arg["description"].as_str()).map(str::to_owned)
            };
            let args = params["args"].as_array().into_iter().flatten();
            let words: Vec<_> = args.map(|a| said(a).unwrap_or_else(|| a.to_string())).collect();
            matches!(kind, "error" | "warning" | "assert")
                .then(|| format!("{kind}: {}", words.join(" ")))
        }
        "Runtime.exceptionThrown" => thrown(&params["exceptionDetails"]),
        "Log.entryAdded" => {
            let entry = &params["entry"];
            let level = entry["level"].as_str().unwrap_or_default();
            let text = entry["text"].as_str().unwrap_or_default();
            let from = entry["url"].as_str().unwrap_or_default();
            matches!(level, "error" | "warning").then(|| format!("{level}: {text} {from}"))
        }
        "Page.javascriptDialogOpening" => Some(format!("dialog: {}", params["message"])),
        _ => None,
    }
}

fn request(event: &Event) -> Option<String> {
    let params = &event.params;
    let is_page = params["type"] == "Document" && params["requestId"] == params["loaderId"];
    if event.method != "Network.requestWillBeSent" || is_page {
        return None;
    }
    let url = params["request"]["url"].as_str()?;
    (!url.starts_with("data:") && !url.starts_with("blob:")).then(|| url.to_owned())
}
