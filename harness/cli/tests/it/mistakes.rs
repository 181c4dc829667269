//! Every mistake in a test file is one line: file, line, column, what is wrong, the nearest name.

use crate::harness::danso;

/// A test file without a mistake.
const RIGHT: &str = r#"workload = "register"
params = { keys = 2, mix = { read = 1, write = 1 } }
load = { time = "40s", rate = 50, processes = 2 }
faults = "none"
[target]
kind = "process"
nodes = 3
command = ["sh", "{conf}/x", "{addr}"]
env = { A = "{id}" }
files = { x = "{peers}" }
ready = "GET http://{addr}/health"
primary = "run true => expect x"
patience = "3s"
stop = { signal = "SIGINT", grace = "1s" }
start = "one-by-one"
lists = { l = { each = "{id}", join = "," } }
user = "root"
[client]
kind = "http"
headers = { x = "y" }
[client.ops]
read = { send = "GET /{key}", ok = { 200 = "int", 404 = "nil" }, fail = [503] }
write = { send = "PUT /{key} {value}", ok = { 200 = "nil" } }
"#;

/// What stands there, what somebody wrote instead, where it is blamed, and what is said.
const WRONG: &[(&str, &str, &str, &[&str])] = &[
    ("\"register\"", "\"registre\"", "1:12", &["no workload", "did you mean `register`?"]),
    ("workload = \"register\"\n", "", "1:1", &["workload is missing: one of register"]),
    ("keys = 2", "kyes = 2", "2:19", &["no parameter `kyes`", "did you mean `keys`?"]),
    ("keys = 2", "keys = 2.5", "2:19", &["2.5 is no integer"]),
    ("{ read = 1", "{ raed = 1", "2:22", &["`mix`", "read and write and cas"]),
    ("time = \"40s\"", "time = \"9\"", "3:17", &["`9` is no time", "30s"]),
    ("rate = 50", "rat = 50", "3:24", &["unknown field `rat`", "did you mean `rate`?"]),
    ("\"none\"", "\"partitoin\"", "4:10", &["no fault", "did you mean `partition`?"]),
    ("[target]", "[target", "5:8", &["unclosed table"]),
    ("kind = \"process\"", "kind = \"proces\"", "6:8", &["did you mean `process`?"]),
    ("kind = \"process\"", "kind = 3", "6:8", &["integer", "expected a string"]),
    ("nodes = 3", "nods = 3", "7:1", &["did you mean `nodes`?"]),
    ("nodes = 3", "nodes = 0", "7:9", &["from 1 to 100"]),
    ("nodes = 3", "nodes = \"3\"", "7:9", &["string \"3\"", "a number from 0"]),
    ("command", "comand", "8:1", &["did you mean `command`?"]),
    ("command = [\"sh\", \"{conf}/x\", \"{addr}\"]\n", "", "5:2", &["command is missing"]),
    ("[\"sh\", \"{conf}/x\", \"{addr}\"]", "\"sh\"", "8:11", &["expected a list"]),
    ("\"{addr}\"]", "\"{adr}\"]", "8:30", &["no `{adr}`", "did you mean `{addr}`?"]),
    ("\"{addr}\"]", "\"{node:4.addr}\"]", "8:30", &["no `{node:4.addr}`", "node:N.addr"]),
    ("\"{addr}\"]", "\"{addr|bse64}\"]", "8:30", &["no filter", "did you mean `base64`?"]),
    ("\"{id}\" }\nfiles", "\"{iid}\" }\nfiles", "9:13", &["did you mean `{id}`?"]),
    ("A = \"{id}\"", "A = 3", "9:13", &["integer `3`", "expected a string"]),
    ("{ x = \"{peers}\" }", "{ \"../x\" = \"\" }", "10:20", &["leads out of the folder"]),
    ("\"{peers}\"", "\"@nothing.conf\"", "10:15", &["nothing.conf: No such file"]),
    ("\"GET http:", "\"PING http:", "11:9", &["is no question", "tcp {addr}"]),
    ("=> expect x", "=> expct x", "12:11", &["no step `expct`", "did you mean `expect`?"]),
    ("\"3s\"", "\"3 parsecs\"", "13:12", &["is no time", "500ms"]),
    ("SIGINT", "SIGNIT", "14:19", &["no signal `SIGNIT`", "SIGTERM"]),
    ("grace", "graec", "14:29", &["did you mean `grace`?"]),
    ("one-by-one", "one-by-won", "15:9", &["did you mean `one-by-one`?"]),
    ("each = \"{id}\"", "each = \"{idd}\"", "16:24", &["did you mean `{id}`?"]),
    ("\"root\"", "\"nobody-here\"", "17:8", &["no user `nobody-here`"]),
    ("user = \"root\"", "dir = \"x\"", "17:1", &["unknown field `dir`"]),
    ("user = \"root\"", "ports = [70000]", "17:10", &["70000", "65535"]),
    ("user = \"root\"", "role = [{ name = \"a\", nodes = 1 }]", "7:9", &["the roles have 1"]),
    ("user = \"root\"", "role = [{ nmae = \"a\" }]", "17:11", &["did you mean `name`?"]),
    ("[client]", "[clinet]", "18:2", &["did you mean `client`?"]),
    ("kind = \"http\"\n", "", "18:2", &["kind is missing", "http, command, tcp-line"]),
    ("kind = \"http\"", "kind = \"htpp\"", "19:8", &["did you mean `http`?"]),
    ("kind = \"http\"", "kind = \"http\"\nrole = \"a\"", "20:8", &["no role `a`"]),
    ("headers = { x", "header = { x", "20:1", &["did you mean `headers`?"]),
    ("{ x = \"y\" }", "{ \"x y\" = \"y\" }", "20:21", &["`x y` cannot stand in a header"]),
    ("read = { send", "raed = { send", "22:1", &["did you mean `read`?"]),
    ("\nread = ", "\n# ", "21:9", &["no `read`", "register asks for"]),
    ("send = \"GET", "sned = \"GET", "22:10", &["did you mean `send`?"]),
    ("\"GET /{key}\"", "\"get /{key}\"", "22:17", &["METHOD /path"]),
    ("\"GET /{key}\"", "\"GET {key}\"", "22:17", &["begins with a slash"]),
    ("\"GET /{key}\"", "\"GET /{kye}\"", "22:17", &["did you mean `{key}`?"]),
    ("\"int\"", "\"itn\"", "22:44", &["no step `itn`", "did you mean `int`?"]),
    ("200 = \"int\"", "2000 = \"int\"", "22:45", &["`2000` is no HTTP status"]),
    ("200 = \"int\", 404 = \"nil\"", "", "22:31", &["it can never succeed"]),
    ("[503]", "[200]", "22:73", &["200 is ok as well"]),
    ("[503]", "[\"503\"]", "22:74", &["string \"503\"", "expected a number"]),
];

/// What is said of this text, in a file `t.toml`.
fn said(text: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("t.toml"), text).unwrap();
    let said = danso(dir.path(), &["plan", "t.toml"]);
    said.exits(254);
    said.err
}

#[track_caller]
fn blamed(text: &str, at: &str, say: &[&str]) {
    let said = said(text);
    assert!(said.starts_with(&format!("error: t.toml:{at}: ")), "not at {at}: {said}");
    assert!(say.iter().all(|words| said.contains(words)), "not {say:?}: {said}");
    assert_eq!(said.trim().lines().count(), 1, "{said}");
}

#[test]
fn every_mistake_is_one_line_with_its_place() {
    assert!(WRONG.len() >= 25);
    for (right, wrong, at, say) in WRONG {
        assert!(RIGHT.contains(right), "{right}");
        blamed(&RIGHT.replacen(right, wrong, 1), at, say);
    }
}

#[test]
fn faults_and_clients_are_blamed_where_they_stand() {
    let with = |more: &str| RIGHT.replace("faults = \"none\"\n", "") + more;
    blamed(&with("[[fault]]\nkind = \"kil\"\n"), "23:1", &["did you mean `kill`?"]);
    blamed(&with("[[fault]]\nkind = \"kill\"\nargs = { evry = \"3s\" }\n"), "23:1", &["evry"]);
    blamed(&with("[faults.mine]\ninject = \"true\"\n"), "23:9", &["heal is missing"]);
    blamed(&with("[expect]\nverdict = \"vaild\"\n"), "24:11", &["vaild", "valid"]);
    let tcp = RIGHT.split("[client]").next().unwrap().to_owned();
    let tcp = tcp
        + "[client]\nkind = \"tcp-line\"\n[client.ops]\nread = { send = \"G\", ok = { V = \"int\" }, fail = [\"V\"] }\n";
    blamed(&tcp, "21:49", &["`V` is ok as well"]);
    blamed(&tcp.replace("\"G\"", "\"G\\nH\""), "21:17", &["more than a line"]);
    let command = RIGHT.split("[client]").next().unwrap().to_owned();
    let command = command + "[client]\nkind = \"command\"\ncommand = [\"sh\", \"{key}\"]\n";
    blamed(&command, "20:18", &["only `{dir}`"]);
}

#[test]
fn settings_of_the_command_line_are_blamed_themselves() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("t.toml"), RIGHT).unwrap();
    let set = |set: &str| danso(dir.path(), &["plan", "t.toml", "--set", set]);
    set("target.env.MODE=fast").exits(0).says("MODE = \"fast\"");
    set("target.nodes=5").exits(0).says("5 nodes of process");
    set("client.headers.a=b").exits(0).says("a = \"b\"");
    set("target.env.MODE=3").exits(254).says("--set target.env.MODE: invalid type: integer");
    set("target.evn.MODE=x").exits(254).says("--set target.evn.MODE").says("did you mean `env`?");
    set("target.kind=external").exits(254).says("another test file");
    set("options.x=3").exits(254).says("write target.NAME");
    danso(dir.path(), &["plan", "t.toml", "--bug", "x"]).exits(254).says("no planted bugs");
    danso(dir.path(), &["plan", "noop", "--set", "target.x=3"]).exits(254).says("options.NAME");
}
