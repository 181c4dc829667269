//! Keys by name, as the browser wants them.

use serde_json::{Value, json};

const ALT: u32 = 1;
const CONTROL: u32 = 2;
const META: u32 = 4;
const SHIFT: u32 = 8;

/// The key events' fields of `Tab`, `a`, `+`, `Shift+Tab`, `Control+ArrowLeft` …
#[track_caller]
pub(crate) fn fields(named: &str) -> Value {
    let (mut key, mut modifiers) = (named, 0);
    // A lone `+` is a key, not a joint.
    while let Some((modifier, rest)) = key.split_once('+').filter(|(_, rest)| !rest.is_empty()) {
        modifiers |= match modifier {
            "Alt" => ALT,
            "Control" => CONTROL,
            "Meta" => META,
            "Shift" => SHIFT,
            _ => panic!("{named}: no modifier is called {modifier}"),
        };
        key = rest;
    }
    let (code, text) = match key {
        "Tab" => (9, ""),
        "Enter" => (13, "\r"),
        "Escape" => (27, ""),
        "Space" => (32, " "),
        "PageUp" => (33, ""),
        "PageDown" => (34, ""),
        "End" => (35, ""),
        "Home" => (36, ""),
        "ArrowLeft" => (37, ""),
        "ArrowUp" => (38, ""),
        "ArrowRight" => (39, ""),
        "ArrowDown" => (40, ""),
        "Backspace" => (8, ""),
        "Delete" => (46, ""),
        _ if key.chars().count() == 1 => {
            let first = key.chars().next().unwrap();
            (u32::from(first.to_ascii_uppercase()), key)
        }
        _ => panic!("{named}: no key is called {key}"),
    };
    let key = if key == "Space" { " " } else { key };
    let text = if modifiers & (ALT | CONTROL | META) == 0 { text } else { "" };
    let physical = if key == " " { "Space" } else { key };
    json!({
        "key": key,
        "code": physical,
        "text": text,
        "windowsVirtualKeyCode": code,
        "modifiers": modifiers,
    })
}
