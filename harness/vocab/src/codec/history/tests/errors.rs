//! What is refused, where, and with which mend.

use super::*;

/// Reads `text` and shows the error as `line:column: message`.
fn refused(text: &str, options: &Options) -> String {
    match read(text.as_bytes(), options) {
        Ok(loaded) => format!("read: {:?} {:?}", shown(&loaded.history), loaded.notices),
        Err(error) => format!("{}:{}: {}", error.line, error.column, error.message),
    }
}

#[test]
fn messages_name_line_column_and_mend() {
    let jsonl = "{\"process\":0,\"type\":\"invoke\",\"f\":\"read\"}\n";
    let edn = "{:process 0, :type :invoke, :f :read}\n";
    let cases = [
        // Histories that are none.
        (format!("{jsonl}\n{jsonl}"), "3:2: p0 invokes `read` while its operation #0 is still open: a process does one thing at a time, so complete #0 first or give the new operation a process of its own"),
        (format!("{edn}{edn}"), "2:2: p0 invokes `read` while its operation #0 is still open: a process does one thing at a time, so complete #0 first or give the new operation a process of its own"),
        ("[\n{:type :ok, :f :read,\n :process 3}]".to_owned(), "3:2: p3 completes `read` without having invoked it: add the invocation or drop this line"),
        (format!("{edn}{{:process 0, :type :info, :f :read}}\n {edn}"), "3:3: p0 goes on after its operation #0 ended as `info`: that operation may still take effect, so continue under a new process id"),
        (format!("{edn}{{:process 0, :type :ok, :f :write}}"), "2:2: p0 completes `write` but its open operation #0 is `read`: a completion repeats the invocation's f and key"),
        ("{:index 4, :process 0, :type :invoke, :f :read}\n{:index 4, :process 0, :type :ok, :f :read}".to_owned(), "2:2: index 4 follows index 4: indices must grow; drop them to have lines numbered as they stand"),
        ("{:process 0, :type :begin, :f :read}".to_owned(), "1:14: unknown type `begin`: an event's type is invoke, ok, fail or info"),
        ("{:process 0, :f :read}".to_owned(), "1:2: type is missing: an event's type is invoke, ok, fail or info"),
        ("{:process :me, :type :ok, :f :read}".to_owned(), "1:2: process `me` is neither a number nor \"nemesis\": number the clients 0, 1, 2, …"),
        ("{:process -4, :type :ok, :f :read}".to_owned(), "1:2: process -4 is not from 0 to 2147483647: number the clients 0, 1, 2, …"),
        ("{:process 0, :time 1.5, :type :ok, :f :read}".to_owned(), "1:14: time \"1.5\" is no whole number of nanoseconds since the start"),
        ("{:process 0, :index -7, :type :ok, :f :read}".to_owned(), "1:14: index -7 is no number from 0 to 4294967294: number events 0, 1, 2, …"),
        ("{:process 0, :type :invoke, :f 3}".to_owned(), "1:29: f is `3`, but must be a word"),
        ("{\"format\":2,\"process\":\"nemesis\",\"type\":\"info\",\"f\":\"history\"}".to_owned(), "1:2: format 2 is not known here (this danso reads format 1): use the danso that wrote it"),
        ("{\"format\":1,\"process\":\"nemesis\",\"type\":\"info\",\"f\":\"history\"}\n{\"process\":0,\"type\":\"invoke\",\"f\":\"read\",\"node\":\"x\"}".to_owned(), "2:41: `x` is no node: nodes are written n1, n2, …"),
        // Broken syntax.
        ("{\"process\":0,\"type\":\"ok\" \"f\":1}".to_owned(), "1:26: expected `,` or `}`"),
        ("\n {\"process\":0".to_owned(), "2:13: EOF while parsing an object"),
        ("{\"process\":0,\"process\":1}".to_owned(), "1:25: `process` is here twice"),
        ("{\"process\":0,\"value\":1.5}".to_owned(), "1:24: 1.5 is no integer: write fractions as text, since values are compared exactly"),
        ("{\"process\":0,\"value\":18446744073709551615}".to_owned(), "1:41: 18446744073709551615 does not fit 64 signed bits: write it as text"),
        ("[{:process 0, :type :invoke, :f :read}".to_owned(), "1:39: the input ends before `]`: it is cut off, or add it"),
        ("[{:process 0, :type :invoke\n:f \"re".to_owned(), "1:2: the input ends inside what begins here: it is cut off"),
        ("{:process 0, :type :invoke, :value [1 2}".to_owned(), "1:40: `}` stands where `]` must"),
        ("{:process 0, :process 1}".to_owned(), "1:14: `:process` is here twice"),
        ("{:process 0, :type}".to_owned(), "1:19: `}` closes nothing: a value is missing before it"),
        ("{:process 0, :value 007}".to_owned(), "1:21: `007` has a leading zero: write it without, or in quotes"),
        ("{:a 1} 7".to_owned(), "1:1: type is missing: an event's type is invoke, ok, fail or info"),
        (format!("{edn}7"), "2:1: an operation was expected here: a map like {:process 0, :type :ok, …}"),
        ("[{\"process\":0,\"type\":\"invoke\",\"f\":\"r\"} {}]".to_owned(), "1:40: `,` or `]` was expected here"),
        ("[{\"process\":0,\"type\":\"invoke\",\"f\":\"r\"},]".to_owned(), "1:40: an operation was expected here: {\"process\":0,\"type\":\"ok\",…}"),
        ("[{\"process\":0,\n \"type\":\"invoke\"".to_owned(), "1:2: the input ends inside this: it is cut off"),
        ("[{\"process\":0,\n \"type\" \"invoke\"}]".to_owned(), "2:9: expected `:`"),
        ("0\t:invoke\t:read\tnil\n0\t:ok\t:read\t[1 2".to_owned(), "2:1: this line is cut off"),
        ("0\t:invoke\t:read\tnil\n0\t:ok\t:read\t1 2 3".to_owned(), "2:17: more than f, value and error stands here"),
        ("0\t:invoke\t:read\tnil\nhello".to_owned(), "2:1: a line is process, type, f and value: `0  :invoke  :read  nil`"),
        ("0\t:invoke\t:read\tnil\n0\t:ok".to_owned(), "2:6: this line ends before its f"),
        ("0\t:invoke\t:read\tnil\n0\t:ok\t:read\n".to_owned(), "2:12: this line ends before its value"),
        ("INFO  jepsen.util - 0\t:ok\t:read\tnil".to_owned(), "1:1: p0 completes `read` without having invoked it: add the invocation or drop this line"),
        ("hello".to_owned(), "1:1: this looks like no history danso knows: name its format with --format (jsonl, edn, txt, log, kv, json)"),
    ];
    let mut wrong = Vec::new();
    for (text, want) in cases {
        let got = refused(&text, &Options::default());
        if got != want {
            wrong.push(format!("\n{text}\n  got  {got}\n  want {want}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.concat());
}

#[test]
fn columns_count_characters_and_lines_survive_blocks() {
    let line = "{:process 0, :type :invoke, :f \"é\"}\n{:process 0, :type :ok, :f \"é\"}\n";
    let text = format!("{}{{:value \"éé\", :process 1, :type :ok, :f :x}}", line.repeat(500));
    let got = refused(&text, &Options::default());
    assert!(got.starts_with("1001:15: p1 completes"), "{got}");
}

#[test]
fn nesting_has_an_end() {
    for (format, open) in
        [(Format::Edn, "["), (Format::Edn, "{1 "), (Format::Jsonl, "["), (Format::Json, "[")]
    {
        let edn = format == Format::Edn;
        let head = if edn { "{:value " } else { "{\"value\":" };
        let text = format!("{head}{}", open.repeat(100_000));
        let text = if edn { text } else { format!("{text}{}}}", "]".repeat(100_000)) };
        let error = refused(&text, &Options { format: Some(format), ..Options::default() });
        assert!(error.contains("deeper") || error.contains("recursion"), "{format}: {error}");
    }
}

#[test]
fn packed_histories_are_unpacked_and_cut_ones_refused() {
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;
    let text =
        "{:process 0, :type :invoke, :f :read}\n{:process 0, :type :ok, :f :read, :value 7}\n"
            .repeat(300);
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(text.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    let zstd = zstd::encode_all(text.as_bytes(), 3).unwrap();
    for packed in [&gzip, &zstd] {
        let loaded = read(packed.as_slice(), &Options::default()).unwrap();
        assert_eq!(loaded.history.len(), 300);
        for cut in [packed.len() - 1, packed.len() / 2, 5] {
            for tail in [Tail::Strict, Tail::Torn] {
                let options = Options { format: Some(Format::Edn), tail, ..Options::default() };
                let error = read(&packed[..cut], &options).unwrap_err();
                assert!(error.message.contains("damaged or cut off"), "{error}");
            }
        }
    }
    let twice = [gzip.as_slice(), gzip.as_slice()].concat();
    assert_eq!(read(twice.as_slice(), &Options::default()).unwrap().history.len(), 600);
}

#[test]
fn torn_tails_are_dropped_only_on_request() {
    let cases = [
        ("{:process 0, :type :invoke, :f :read}\n{:process 0, :ty", 1, 17),
        ("[{:process 0, :type :invoke, :f :read}\n{:process 0, :ty", 1, 17),
        ("[{:process 0, :type :invoke, :f :read}", 1, 0),
        ("{\"process\":0,\"type\":\"invoke\",\"f\":\"r\"}\n{\"process", 1, 9),
        ("[{\"process\":0,\"type\":\"invoke\",\"f\":\"r\"},\n{\"process", 1, 10),
        ("0\t:invoke\t:write\t12\n0\t:ok\t:write\t1", 1, 14),
    ];
    for (text, ops, torn) in cases {
        let options = Options { tail: Tail::Torn, ..Options::default() };
        let loaded = read(text.as_bytes(), &options).unwrap();
        assert_eq!((loaded.history.len(), loaded.torn_bytes), (ops, torn), "{text}");
        assert_eq!(loaded.history.row(0).res_index(), None, "{text}");
        if !text.starts_with('0') {
            strict(text).unwrap_err();
        }
    }
    // Half a number is a number: only a notice can tell.
    let loaded = strict("0\t:invoke\t:write\t12\n0\t:ok\t:write\t1").unwrap();
    assert!(
        loaded.notices[0].contains("line 2: the last line does not end"),
        "{:?}",
        loaded.notices
    );
    assert_eq!(strict("").unwrap().notices, ["there are no operations in it"]);
}

#[test]
fn what_is_no_text_is_refused_where_it_stands() {
    let cases: [(&[u8], Tail, &str); 6] = [
        (b"{:process 0,\n :f \"\xff\"}", Tail::Strict, "2:6: this is not UTF-8: convert the file"),
        (b"{:process 0,\n :f \"\xc3", Tail::Strict, "1:1: the input ends inside what begins here"),
        (b"{:process 0,\n :f \"\xff\"}", Tail::Torn, "2:6: this is not UTF-8: convert the file"),
        (b"{\"process\":0,\"f\":\"\xff\"}", Tail::Strict, "1:19: invalid unicode code point"),
        (b"0\t:invoke\t:read\t\"\xff\"\n", Tail::Strict, "1:18: this is not UTF-8"),
        (b"\xff\xfe0\0", Tail::Strict, "1:1: this looks like no history"),
    ];
    for (bytes, tail, want) in cases {
        let got = match read(bytes, &Options { tail, ..Options::default() }) {
            Ok(loaded) => format!("read {:?}", loaded.notices),
            Err(error) => format!("{}:{}: {}", error.line, error.column, error.message),
        };
        assert!(got.starts_with(want), "{}: {got}", bytes.escape_ascii());
    }
    let torn = Options { tail: Tail::Torn, ..Options::default() };
    assert_eq!(read(&b"{:process 0,\n :f \"\xc3"[..], &torn).unwrap().torn_bytes, 19);
    // What is not of the history may be anything.
    let log = b"\xff\xff\nINFO jepsen.util - 0\t:invoke\t:read\tnil\n";
    assert_eq!(read(&log[..], &Options::default()).unwrap().history.len(), 1);
}
