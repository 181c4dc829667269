use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Result<Value, Fault> {
    let mut edn = Edn::new(text, true);
    let mut out = Vec::new();
    edn.form(&mut out)?;
    assert_eq!(edn.blank()?, None, "{text}");
    Ok(Tokens(&out).value())
}

fn list(items: &[Value]) -> Value {
    Value::List(items.to_vec())
}

#[test]
fn forms_read_as_what_they_say() {
    let cases: Vec<(&str, Value)> = vec![
        ("nil", Value::Nil),
        ("true", true.into()),
        ("-17", (-17).into()),
        ("+5", 5.into()),
        ("0", 0.into()),
        ("-0", 0.into()),
        ("3N", 3.into()),
        ("9223372036854775807", i64::MAX.into()),
        ("9223372036854775808N", "9223372036854775808".into()),
        ("1.0E7", 10_000_000.into()),
        ("1.5", "1.5".into()),
        ("2.50M", "2.50".into()),
        ("1e400", "1e400".into()),
        ("4/2", 2.into()),
        ("-1/3", "-1/3".into()),
        (":x", "x".into()),
        (":ns/x", "ns/x".into()),
        ("sym.bol", "sym.bol".into()),
        ("-", "-".into()),
        ("\"a\\n\\\"b\\u00e9\\ud83d\\ude00\\101\"", "a\n\"bé😀A".into()),
        ("\\a", "a".into()),
        ("\\newline", "\n".into()),
        ("\\u0041", "A".into()),
        ("[\\( \\, \\]]", list(&["(".into(), ",".into(), "]".into()])),
        ("[1, 2 ; two\n #_ 3 4]", list(&[1.into(), 2.into(), 4.into()])),
        ("(:append 1 (2))", list(&["append".into(), 1.into(), list(&[2.into()])])),
        ("#{3 1 2}", list(&[1.into(), 2.into(), 3.into()])),
        ("{0 100, :a [1]}", Value::of([("0", 100.into()), ("a", [1].into())])),
        ("#inst \"2020-01-01\"", "2020-01-01".into()),
        ("#my.tag/x {:a 1}", Value::of([("a", 1.into())])),
        ("#object[java.lang.Object 0]", list(&["java.lang.Object".into(), 0.into()])),
        ("##Inf", "##Inf".into()),
        ("^{:doc 1} [2]", list(&[2.into()])),
        ("#_1 #_ #_ 2 3 4", 4.into()),
    ];
    for (text, want) in cases {
        assert_eq!(read(text), Ok(want), "{text}");
    }
}

#[test]
fn what_is_no_form_is_refused_where_it_stands() {
    let cases = [
        ("]", 0, "closes nothing"),
        ("[1 }", 3, "must"),
        ("007", 0, "leading zero"),
        ("12ab", 0, "no number"),
        ("1/0x", 0, "no number"),
        ("{:a}", 3, "closes nothing"),
        ("{1 2 \"1\" 3}", 5, "twice"),
        ("\"\\q\"", 1, "no escape"),
        ("\\nothing", 0, "no character"),
        ("# 1", 0, "needs a tag"),
    ];
    for (text, place, say) in cases {
        match read(text) {
            Err(Fault::Wrong { at, message }) => {
                assert_eq!(at, place, "{text}: {message}");
                assert!(message.contains(say), "{text}: {message}");
            }
            other => panic!("{text}: {other:?}"),
        }
    }
    for deep in ["[", "#_", "#a ", "{1 ", "^", "#{"] {
        let fault = read(&deep.repeat(100_000));
        assert!(matches!(&fault, Err(Fault::Wrong { message, .. }) if message.contains("deeper")));
    }
}

/// Prints a value as EDN, in one of several ways.
pub(crate) fn print(value: &Value, out: &mut String) {
    match value {
        Value::Nil => out.push_str("nil"),
        Value::Bool(b) => out.push_str(&b.to_string()),
        Value::Int(i) => out.push_str(&i.to_string()),
        Value::Str(s) => {
            let word = s.starts_with(|c: char| c.is_ascii_lowercase())
                && s.chars().all(|c| c.is_ascii_alphanumeric());
            if word {
                out.push(':');
                out.push_str(s);
            } else {
                let escaped = s.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
                out.push_str(&format!("\"{escaped}\""));
            }
        }
        Value::List(list) => {
            out.push('[');
            for (i, item) in list.iter().enumerate() {
                out.push_str(if i == 0 { "" } else { " " });
                print(item, out);
            }
            out.push(']');
        }
        Value::Map(map) => {
            out.push('{');
            for (k, v) in map {
                print(&Value::Str(k.clone()), out);
                out.push(' ');
                print(v, out);
                out.push_str(", ");
            }
            out.push('}');
        }
    }
}

proptest! {
    #[test]
    fn values_read_as_they_were_printed(value in crate::history::token::values()) {
        let mut text = String::new();
        print(&value, &mut text);
        prop_assert_eq!(read(&text), Ok(value));
        // Every true beginning is incomplete, unless a shorter word is a form too.
        for cut in 0..text.len() {
            if text.is_char_boundary(cut) && text.starts_with(['[', '{', '"']) {
                let mut edn = Edn::new(&text[..cut], false);
                prop_assert_eq!(edn.form(&mut Vec::new()), Err(Fault::Incomplete));
            }
        }
    }

    #[test]
    fn nothing_makes_the_reader_panic(text in "[\\[\\]{}()#_:;\"\\\\a1/.+\\- \n^,uN'é]{0,40}") {
        let _ = read_any(&text);
    }
}

fn read_any(text: &str) -> Result<(), Fault> {
    for last in [true, false] {
        Edn::new(text, last).form(&mut Vec::new())?;
    }
    Ok(())
}
