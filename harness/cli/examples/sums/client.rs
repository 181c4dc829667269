//! How clients speak: `add 3` or `read 0` on a line, and a number on a line in answer. No
//! connection is `fail`: nothing was said. Anything else that goes wrong is `info`.
use std::{io, net::SocketAddr};

use danso::prelude::*;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

pub(crate) struct Lines(pub(crate) SocketAddr, pub(crate) Option<BufReader<TcpStream>>);

impl Client for Lines {
    fn invoke<'a>(&'a mut self, call: &'a Call) -> Fut<'a, Outcome> {
        Box::pin(async move {
            // Taken, so that a line whose answer is outstanding is never used again.
            let mut line = match self.1.take() {
                Some(line) => line,
                None => match TcpStream::connect(self.0).await {
                    Ok(stream) => BufReader::new(stream),
                    Err(error) => return Outcome::Fail(error.to_string().into()),
                },
            };
            let asked = ask(&mut line, call).await;
            self.1 = asked.is_ok().then_some(line);
            asked.unwrap_or_else(|error| Outcome::Info(error.to_string().into()))
        })
    }
}

async fn ask(line: &mut BufReader<TcpStream>, call: &Call) -> io::Result<Outcome> {
    line.write_all(format!("{} {}\n", call.f, call.arg.int().unwrap_or(0)).as_bytes()).await?;
    let mut answer = String::new();
    line.take(20).read_line(&mut answer).await?;
    if !answer.ends_with('\n') {
        return Err(io::ErrorKind::UnexpectedEof.into()); // half a number is another number
    }
    let sum: i64 = answer.trim().parse().map_err(io::Error::other)?;
    Ok(Outcome::Ok(sum.into()))
}
