//! `danso serve`: what it shows, and what it never does.

mod browser;
mod live;
mod requests;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Child;

use serde_json::{Value, json};

use crate::harness::{danso, start};

/// A server, until it is dropped.
struct Server {
    child: Child,
    address: String,
}

/// What it answered.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Server {
    fn of(folder: &Path) -> Server {
        let mut child = start(folder, &["serve", ".", "--port", "0"]);
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let (_, url) = line.trim().split_once("http://").unwrap();
        Server { child, address: url.trim_end_matches('/').to_owned() }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: {}\r\n", self.address))
    }

    /// Sends a request's head as it is.
    fn ask(&self, head: &str) -> Answer {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes()).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        Answer { status, head: head.to_lowercase(), body: body.to_owned() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// A run folder with these texts in the places that a target or a test file fills.
fn run_folder(out: &Path, stamp: &str, said: &str, verdict: &str) -> PathBuf {
    static PLAN: std::sync::OnceLock<Value> = std::sync::OnceLock::new();
    let plan = PLAN.get_or_init(|| {
        let args = ["plan", "raft-kv", "--seed", "7", "--faults", "kill", "--json"];
        let planned = danso(&std::env::temp_dir(), &args);
        planned.exits(0);
        serde_json::from_str(&planned.out).unwrap()
    });
    let mut plan = plan.clone();
    plan["name"] = said.into();
    plan["target"]["name"] = said.into();
    plan["workload"]["name"] = said.into();
    plan["target"]["params"][said] = said.into();
    for injection in plan["schedule"].as_array_mut().unwrap() {
        injection["kind"] = said.into();
    }
    let folder = out.join("some").join(stamp);
    let node = folder.join("nodes/n1");
    std::fs::create_dir_all(node.join("data")).unwrap();
    let results = json!({
        "format": 1, "verdict": verdict, "reason": said, "seed": 7, "reproduce": said,
        "interrupted": null,
        "checkers": [{
            "name": said, "verdict": verdict, "reason": said, "stats": { said: 1 },
            "anomalies": if verdict == "invalid" {
                json!([{ "name": said, "key": said, "ops": [1], "because": said, "explain": [said] }])
            } else { json!([]) },
        }],
        "faults": [{ "id": 0, "kind": said, "nodes": ["n1"], "start_ns": 1, "stop_ns": 5, "bit": true, "effect": said }],
        "counts": { said: { "ok": 3, "fail": 1, "info": 1 } },
        "environment": { said: said },
    });
    let event = |index: u64, kind: &str, f: &str| {
        json!({
            "index": index, "time": index * 1000, "process": 0, "type": kind, "f": f, "key": said,
            "value": said,
        })
    };
    let mut history = vec![
        json!({ "format": 1, "index": 0, "time": 0, "process": "nemesis", "type": "info", "f": "history", "value": null }),
        event(1, "invoke", said),
        event(2, "ok", said),
        json!({ "index": 3, "time": 3000, "process": "nemesis", "type": "info", "f": said, "fault": 0, "nodes": ["n1"], "value": said }),
    ];
    let mut failed = event(5, "fail", said);
    failed["error"] = said.into();
    history.extend([event(4, "invoke", said), failed]);
    let lines: Vec<String> = history.iter().map(Value::to_string).collect();
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    write("plan.json", &plan.to_string());
    write("results.json", &results.to_string());
    write("history.jsonl", &(lines.join("\n") + "\n"));
    write("danso.log", said);
    std::fs::write(node.join("stderr.log"), said).unwrap();
    folder
}
