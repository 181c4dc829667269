//! What is said to the shells on the hosts. POSIX, and the commands every Linux has.
//!
//! All of a node's processes carry a mark in their environment; that is how they are found,
//! whatever they fork and whichever session they make. Only what clears its environment is lost.

use std::fmt::Write;
use std::path::Path;

use danso_engine::remote::Act;
use danso_engine::target::NodeCommand;

/// The variable that carries the mark.
const VARIABLE: &str = "DANSO_HOST_NODE";

/// What is ours on one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// The run's own word, which nobody can guess.
    pub(super) token: String,
    /// The node's name.
    pub(super) node: String,
    /// Its folder.
    pub(super) folder: String,
}

impl Mark {
    /// The packet filter's table.
    pub(super) fn table(&self) -> String {
        format!("danso_{}", self.token)
    }

    /// The names both scripts use.
    fn names(&self) -> String {
        format!(
            "T={} B={} N={} E={}\n",
            quote(&self.token),
            quote(&self.folder),
            self.table(),
            // No node's name with this behind it is the beginning of another's.
            quote(&format!("{VARIABLE}={}-{}.", self.token, self.node)),
        )
    }
}

/// What to do with the processes that carry the mark. `of_it`: who they are. `state`: what one
/// does. `end_all`: they are killed and gone; prints who they were.
const PROCESSES: &str = r#"
of_it() { grep -lsaF -e "$E" /proc/[0-9]*/environ | sed 's/[^0-9]//g'; }
state() { sed 's/.*) //;s/ .*//' "/proc/$1/stat" 2>/dev/null; }
tired() { i=$((i + 1)); if [ $i -gt 100 ]; then return 0; fi; sleep 0.05; return 1; }
end_all() {
  i=0 seen=
  while p=$(of_it); [ -n "$p" ]; do
    seen="$seen $p"
    kill -9 $p 2>/dev/null
    if tired; then echo "$p do not end"; return 1; fi
  done
  for p in $seen; do
    while case $(state "$p") in ''|Z|X) false;; esac; do
      if tired; then echo "$p does not end"; return 1; fi
    done
  done
  [ -z "$seen" ] || printf '%s\n' $seen | sort -un
}
pause_all() {
  i=0
  while r=; do
    for p in $(of_it); do case $(state "$p") in ''|T|t|Z|X|D) ;; *) r="$r $p";; esac; done
    [ -n "$r" ] || break
    kill -STOP $r 2>/dev/null
    if tired; then echo "$r do not stop"; return 1; fi
  done
  of_it
}
resume_all() {
  i=0
  while p=$(of_it); [ -n "$p" ]; do
    kill -CONT $p 2>/dev/null
    r=; for q in $p; do case $(state "$q") in T) r="$r $q";; esac; done
    [ -n "$r" ] || break
    if tired; then echo "$r do not go on"; return 1; fi
  done
  of_it
}
"#;

/// `settle`: makes the folder, and starts a dog that removes everything if nothing is heard of us
/// any more, which a broken network may not tell. `leave`: removes everything.
const AGENT: &str = r#"
PATH=$PATH:/usr/sbin:/sbin
S=; [ "$(id -u)" = 0 ] || S='sudo -n'
trap '' HUP PIPE
settle() {
  mkdir -m 700 "$B" && echo 0 > "$B/beat" || return 1
  dog </dev/null >/dev/null 2>&1 &
  echo $! > "$B/dog"
}
dog() {
  last= missed=0
  while sleep 1; [ -d "$B" ]; do
    now=$(cat "$B/beat")
    if [ "$now" = "$last" ]; then missed=$((missed + 1)); else missed=0 last=$now; fi
    if [ $missed -gt 25 ]; then rm -f "$B/dog"; leave; kill -9 $$; exit; fi
  done
}
leave() {
  bad=0
  if [ -e "$B/filter" ]; then
    $S nft delete table inet "$N" 2>/dev/null
    if t=$($S nft list tables) && ! echo "$t" | grep -q "$N"; then
      rm -f "$B/filter"
    else
      echo "the table $N stays"
      bad=1
    fi
  fi
  end_all >/dev/null || { echo "processes $(of_it) do not end"; bad=1; }
  if [ $bad = 0 ] && [ -d "$B" ]; then
    [ ! -e "$B/dog" ] || kill "$(cat "$B/dog")" 2>/dev/null
    rm -rf "$B" || bad=1
  fi
  return $bad
}
filter() { [ -d "$B" ] && : > "$B/filter" && $S nft -f -; }
counters() { [ ! -e "$B/filter" ] || $S nft list counters table inet "$N"; }
echo "@$T ready $(cat /proc/sys/kernel/random/boot_id)$(readlink /proc/self/ns/net) \
${SSH_CONNECTION:-}"
n=0 s=
while IFS= read -r line; do
  case $line in
    "@$T beat") n=$((n + 1)); [ ! -d "$B" ] || echo $n > "$B/beat" ;;
    "@$T end") (eval "$s") </dev/null 2>&1; echo "@$T done $?"; s= ;;
    *) s="$s
$line" ;;
  esac
done
exec >/dev/null 2>&1
leave
"#;

/// Carries out scripts, each ended by the line `@TOKEN end`, and answers with what they print and
/// `@TOKEN done STATUS`. When nobody speaks to it any more it removes everything.
pub(super) fn agent(mark: &Mark) -> String {
    whole(&format!("{}{PROCESSES}{AGENT}", mark.names()))
}

/// Makes the folder, and writes into it what nodes' scripts must know.
pub(super) fn settle(mark: &Mark) -> String {
    format!("settle && cat > \"$B/ours\" <<'END'\n{}{PROCESSES}END", mark.names())
}

/// Runs a node's program from its folder, and takes it along when its own standard input ends.
pub(super) fn node(folder: &Path, command: &NodeCommand, files: &[(String, String)]) -> String {
    let folder = folder.to_string_lossy();
    let mut script = format!("exec 3<&0 </dev/null\n. {}/ours || exit 255\n", quote(&folder));
    script += "cd \"$B\" || exit 255\n";
    script += "end_all >&2 || exit 255\nmkdir -p data conf || exit 255\n";
    for (number, (path, text)) in files.iter().enumerate() {
        let end = (0..).map(|n| format!("danso-{number}-{n}")).find(|end| !text.contains(end));
        let end = end.unwrap_or_default();
        let folder = path.rsplit_once('/').map_or(".", |(folder, _)| folder);
        let newline = if text.ends_with('\n') || text.is_empty() { "" } else { "\n" };
        // Writing to a String cannot fail.
        let _ = writeln!(
            script,
            "mkdir -p {} && cat > {} <<'{end}' || exit 255\n{text}{newline}{end}",
            quote(folder),
            quote(path)
        );
    }
    let data = format!("{folder}/data");
    let dir = command.dir.as_ref().map_or(data.into(), |dir| dir.to_string_lossy());
    let _ = writeln!(script, "cd {} || exit 255", quote(&dir));
    // It hears the end of the connection, and takes along what this very shell has started: the
    // node may have been started anew by then. What is just being started has no mark yet. What
    // it would say nobody reads.
    script += "(trap '' HUP PIPE; E=$E$$.; cat <&3; kill -9 $$; \
               for n in 1 2 3 4 5; do end_all; sleep 0.2; done) >/dev/null 2>&1 &\n\
               dead=$!\nexec 3<&-\n";
    // In the foreground: a shell has what runs in the background ignore SIGINT.
    script += "env \"$E$$.\"";
    for (name, value) in &command.env {
        let _ = write!(script, " {}", quote(&format!("{name}={value}")));
    }
    let _ = write!(script, " setsid {}", quote(&command.program.to_string_lossy()));
    for arg in &command.args {
        let _ = write!(script, " {}", quote(arg));
    }
    // ssh itself ends with 255 where it fails.
    script += "\nstatus=$?; [ $status != 255 ] || status=254\n";
    script += "while [ -n \"$(of_it)\" ]; do sleep 0.2; done\nkill -9 $dead\nexit $status\n";
    whole(&script)
}

/// What does this to all processes of a node and prints who they are.
pub(super) fn act(act: Act) -> String {
    match act {
        Act::Kill => "end_all".to_owned(),
        Act::Pause => "pause_all".to_owned(),
        Act::Resume => "resume_all".to_owned(),
        Act::Signal(signal) => {
            let name = signal.as_str().trim_start_matches("SIG");
            format!("p=$(of_it); [ -z \"$p\" ] || kill -{name} $p; echo $p")
        }
    }
}

/// Fails with a word about what is missing for nodes to run there.
pub(super) const CAN_RUN: &str = r#"
[ "$(uname -s)" = Linux ] || { echo "it runs $(uname -s), and this wants Linux"; exit 1; }
for c in setsid grep sed env sort mkdir cat sleep head; do
  command -v $c >/dev/null || { echo "it has no \`$c\`"; exit 1; }
done
"#;

/// Fails with a word about what is missing for links to be hurt there. The table it makes is gone
/// before anybody could see it.
pub(super) const CAN_FILTER: &str = r#"
[ -z "$S" ] || sudo -n true 2>/dev/null || {
  echo "we are $(id -un) there and not root, and \`sudo -n\` does not help"; exit 1; }
command -v nft >/dev/null || { echo "it has no \`nft\`"; exit 1; }
$S nft -f - <<E
add table inet ${N}_try
add counter inet ${N}_try c
add chain inet ${N}_try in { type filter hook input priority -150 ; policy accept ; }
add rule inet ${N}_try in numgen random mod 10000 < 1 ip saddr 192.0.2.1 counter name c drop
add rule inet ${N}_try in ip saddr 192.0.2.1 limit rate over 9 bytes/second drop
add rule inet ${N}_try in ip saddr 192.0.2.1 meta l4proto tcp reject with tcp reset
delete table inet ${N}_try
E
"#;

/// So that a shell has read all of it before it does anything, and nothing of what follows.
fn whole(script: &str) -> String {
    format!("main() {{\n{script}\n}}\nmain; exit\n")
}

/// One word to a shell.
pub(super) fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark() -> Mark {
        Mark { token: "t0".into(), node: "n1".into(), folder: "/tmp/it's".into() }
    }

    fn understood(script: &str) {
        use std::io::Write as _;
        let mut shell = std::process::Command::new("sh");
        let shell = shell.args(["-n", "-s"]).stdin(std::process::Stdio::piped());
        let mut shell = shell.spawn().unwrap();
        shell.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        assert!(shell.wait().unwrap().success(), "{script}");
    }

    #[test]
    fn shells_understand_what_they_are_told() {
        understood(&agent(&mark()));
        let command = NodeCommand {
            program: "a b".into(),
            args: vec!["it's".into(), "$HOME".into(), "".into()],
            env: vec![("K".into(), "v\nw".into())],
            ..NodeCommand::default()
        };
        let files = [("/tmp/x/a b".to_owned(), "danso-0-0\n$HOME 'x'".to_owned())];
        let script = node(Path::new(&mark().folder), &command, &files);
        understood(&settle(&mark()));
        understood(&script);
        assert!(script.contains("<<'danso-0-1'") && script.contains("'K=v\nw'"), "{script}");
        for act in [Act::Kill, Act::Pause, Act::Resume].map(act) {
            understood(&act);
        }
        understood(CAN_RUN);
        understood(CAN_FILTER);
    }

    #[test]
    fn words_stay_words() {
        assert_eq!(quote("a'b $c"), r"'a'\''b $c'");
    }
}
