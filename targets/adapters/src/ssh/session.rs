//! [`Session`]: a connection to one host, and a shell at its end that does what it is told. When
//! this process ends, however it ends, the shell hears it and removes what is ours.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::login::Login;
use super::script::{self, Mark};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(20);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(15);
/// How often the other end hears that we live.
const BEAT: Duration = Duration::from_secs(2);
/// Bytes of an answer, and of one line, that are kept.
const MOST: usize = 1 << 20;
/// Bytes that `ssh` says on the side that are kept.
const ASIDE: usize = 4_096;

/// A connected host. Asks are answered one after the other.
#[derive(Debug)]
pub(super) struct Session {
    asks: Option<Sender<Ask>>,
    thread: Option<JoinHandle<()>>,
    /// The port of the host's ssh server, which is never cut.
    pub(super) port: u16,
    /// Which machine this is, whatever it is called: its boot and its network.
    pub(super) machine: String,
}

#[derive(Debug)]
struct Ask {
    script: String,
    answer: Sender<Result<String, String>>,
}

/// An answer to come.
#[derive(Debug)]
pub(super) struct Answer(Receiver<Result<String, String>>);

impl Session {
    /// Logs in; others may share the connection through the socket `control`.
    ///
    /// # Errors
    /// If there is no way in, or nobody who understands us: what `ssh` said.
    pub(super) fn open(login: &Login, control: &Path, mark: &Mark) -> Result<Session, String> {
        let mut wire = Wire::connect(login, control, mark)?;
        let greeting = wire.line(Instant::now() + CONNECT).and_then(|line| {
            let ready = line.strip_prefix(&format!("@{} ready", mark.token)).map(str::to_owned);
            ready.ok_or_else(|| format!("its shell says `{line}`"))
        });
        let greeting = greeting.map_err(|why| wire.blame(&why))?;
        // Who it is; our address and port, its address and port.
        let words: Vec<_> = greeting.split_whitespace().collect();
        let port = words.get(4).and_then(|port| port.parse().ok());
        let machine = words.first().map_or_else(String::new, ToString::to_string);
        let (asks, inbox) = mpsc::channel();
        let name = format!("ssh-{}", mark.node);
        let thread = std::thread::Builder::new().name(name).spawn(move || wire.serve(&inbox));
        let thread = thread.map_err(|e| format!("no thread: {e}"))?;
        let port = port.unwrap_or(22);
        Ok(Session { asks: Some(asks), thread: Some(thread), port, machine })
    }

    /// Has a script run there.
    pub(super) fn begin(&self, script: String) -> Answer {
        let (answer, answers) = mpsc::channel();
        if let Some(asks) = &self.asks {
            // If nobody is there to hear, nobody answers, and that is said.
            let _ = asks.send(Ask { script, answer });
        }
        Answer(answers)
    }

    /// Has a script run there: what it prints. Blocks.
    ///
    /// # Errors
    /// If it fails, or the connection does.
    pub(super) fn ask(&self, script: String) -> Result<String, String> {
        self.begin(script).wait()
    }
}

impl Answer {
    /// What the script printed. Blocks.
    ///
    /// # Errors
    /// If it fails, or the connection does.
    pub(super) fn wait(self) -> Result<String, String> {
        // Whoever carries it gives up first.
        let answer = self.0.recv_timeout(3 * ANSWER);
        answer.unwrap_or_else(|_| Err("the connection is gone".to_owned()))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.asks = None;
        if let Some(thread) = self.thread.take() {
            // It has reported whatever went wrong.
            let _ = thread.join();
        }
    }
}

/// `ssh` as a child, and what comes out of it.
#[derive(Debug)]
struct Wire {
    token: String,
    to: String,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    aside: Arc<Mutex<String>>,
}

impl Wire {
    fn connect(login: &Login, control: &Path, mark: &Mark) -> Result<Wire, String> {
        let mut ssh = login.connect(control);
        ssh.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A terminal's Ctrl-C is for us only.
        ssh.process_group(0);
        let mut child = ssh.spawn().map_err(|e| {
            format!("`ssh` cannot be started: {e}; install it (Debian: openssh-client)")
        })?;
        let (mut stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let (tell, lines) = mpsc::channel();
        if let Some(stdout) = stdout {
            std::thread::spawn(move || read(stdout, &tell));
        }
        let aside = Arc::new(Mutex::new(String::new()));
        if let Some(stderr) = child.stderr.take() {
            let aside = aside.clone();
            std::thread::spawn(move || overhear(stderr, &aside));
        }
        if let Some(stdin) = &mut stdin {
            // If it has ended already, what it said tells why.
            let _ = stdin.write_all(script::agent(mark).as_bytes());
        }
        let (token, to) = (mark.token.clone(), login.to.clone());
        Ok(Wire { token, to, child, stdin, lines, aside })
    }

    /// Carries asks there and answers back, until nobody asks any more.
    fn serve(mut self, asks: &Receiver<Ask>) {
        let mut broken = None;
        loop {
            match asks.recv_timeout(BEAT) {
                Ok(Ask { script, answer }) => {
                    let done = match &broken {
                        Some(why) => Err(String::clone(why)),
                        None => self.carry(&script).unwrap_or_else(|why| {
                            let why = self.blame(&why);
                            tracing::warn!(host = self.to, why, "the connection is lost");
                            broken = Some(why.clone());
                            // What is ours is removed there, now that we cannot.
                            self.stdin = None;
                            Err(why)
                        }),
                    };
                    // Nobody waiting any more is no error.
                    let _ = answer.send(done);
                }
                // If it does not arrive, the next ask says so.
                Err(RecvTimeoutError::Timeout) => drop(self.say("beat")),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn say(&mut self, words: &str) -> Result<(), String> {
        let stdin = self.stdin.as_mut().ok_or("the connection is closed")?;
        let line = format!("@{} {words}\n", self.token);
        stdin.write_all(line.as_bytes()).and_then(|()| stdin.flush()).map_err(|e| e.to_string())
    }

    /// One script: how it ended. The outer error is the connection's.
    fn carry(&mut self, script: &str) -> Result<Result<String, String>, String> {
        let deadline = Instant::now() + ANSWER;
        let stdin = self.stdin.as_mut().ok_or("the connection is closed")?;
        stdin.write_all(format!("{script}\n").as_bytes()).map_err(|e| e.to_string())?;
        self.say("end")?;
        let done = format!("@{} done ", self.token);
        let mut said = String::new();
        loop {
            let line = self.line(deadline)?;
            match line.strip_prefix(&done) {
                Some("0") => return Ok(Ok(said)),
                Some(status) if said.trim().is_empty() => {
                    return Ok(Err(format!("a script ended with {status}")));
                }
                Some(_) => return Ok(Err(said.trim().replace('\n', "; "))),
                None if said.len() < MOST => said += &(line + "\n"),
                None => {}
            }
        }
    }

    fn line(&mut self, deadline: Instant) -> Result<String, String> {
        let left = deadline.saturating_duration_since(Instant::now());
        self.lines.recv_timeout(left).map_err(|e| match e {
            RecvTimeoutError::Timeout => "no answer in time".to_owned(),
            RecvTimeoutError::Disconnected => "the connection ended".to_owned(),
        })
    }

    /// Together with what `ssh` said on the side.
    fn blame(&self, why: &str) -> String {
        // What is said last may come a moment after the end.
        std::thread::sleep(Duration::from_millis(100));
        let aside = self.aside.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        match aside.trim() {
            "" => format!("{}: {why}", self.to),
            aside => format!("{}: {why}: {}", self.to, aside.replace('\n', "; ")),
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        // The other end cleans up when it hears of our end, and then ends.
        self.stdin = None;
        let deadline = Instant::now() + ANSWER;
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                tracing::warn!(host = self.to, "ssh does not end and is killed");
                // One that is gone meanwhile is fine.
                let _ = self.child.kill();
                let _ = self.child.wait();
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Lines of the other end, until it ends. Of a line that is too long only the beginning counts.
fn read(stdout: impl Read, tell: &Sender<String>) {
    let mut stdout = BufReader::new(stdout);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut stdout).take(MOST as u64).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let line = String::from_utf8_lossy(&line);
        if tell.send(line.trim_end_matches(['\n', '\r']).to_owned()).is_err() {
            return;
        }
    }
}

/// The beginning of what `ssh` says on the side; all of it is read.
fn overhear(mut stderr: impl Read, aside: &Mutex<String>) {
    let mut bytes = [0; 1_024];
    while let Ok(read @ 1..) = stderr.read(&mut bytes) {
        let mut aside = aside.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if aside.len() < ASIDE {
            *aside += &String::from_utf8_lossy(&bytes[..read]);
        }
    }
}
