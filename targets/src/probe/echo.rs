//! Echoes between nodes: how long a few bytes to a peer and back take, over TCP and over UDP.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use danso_vocab::NodeId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

/// How long to wait for an echo before it counts as lost.
const PATIENCE: Duration = Duration::from_millis(300);
/// Bytes of an echo.
const SIZE: usize = 64;

/// The last echo of each peer: time there and back, or why there was none.
pub(super) type Echoes = Arc<Mutex<BTreeMap<String, Result<Duration, String>>>>;

/// Answers everybody who asks, and asks each of `peers` every `tick`, for ever.
pub(super) async fn start(
    listen: SocketAddr,
    peers: &[(NodeId, SocketAddr)],
    tick: Duration,
) -> Result<Echoes, String> {
    let wrong = |e: std::io::Error| format!("echoes cannot listen on {listen}: {e}");
    let tcp = TcpListener::bind(listen).await.map_err(wrong)?;
    let udp = UdpSocket::bind(listen).await.map_err(wrong)?;
    tokio::spawn(answer_tcp(tcp));
    tokio::spawn(answer_udp(udp));
    let echoes = Echoes::default();
    for (peer, at) in peers.iter().copied() {
        let (tell, name) = (echoes.clone(), format!("tcp {peer}"));
        tokio::spawn(async move {
            let mut connection = None;
            loop {
                note(&tell, &name, over_tcp(&mut connection, at).await);
                tokio::time::sleep(tick).await;
            }
        });
        let (tell, name) = (echoes.clone(), format!("udp {peer}"));
        tokio::spawn(async move {
            for number in 0_u64.. {
                note(&tell, &name, over_udp(at, number).await);
                tokio::time::sleep(tick).await;
            }
        });
    }
    Ok(echoes)
}

fn note(echoes: &Echoes, name: &str, echo: Result<Duration, String>) {
    let mut echoes = echoes.lock().unwrap_or_else(PoisonError::into_inner);
    echoes.insert(name.to_owned(), echo);
}

async fn answer_tcp(listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((mut stream, _)) => {
                tokio::spawn(async move {
                    let _ = stream.set_nodelay(true);
                    let (mut from, mut to) = stream.split();
                    // Ends with the connection, however that ends.
                    let _ = tokio::io::copy(&mut from, &mut to).await;
                });
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn answer_udp(socket: UdpSocket) {
    let mut buffer = [0; 2 * SIZE];
    loop {
        if let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            // A datagram that cannot be sent is lost, as any may be.
            let _ = socket.send_to(&buffer[..length], from).await;
        }
    }
}

async fn over_tcp(connection: &mut Option<TcpStream>, at: SocketAddr) -> Result<Duration, String> {
    let since = Instant::now();
    let asked = async {
        let mut stream = match connection.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(at).await?;
                stream.set_nodelay(true)?;
                stream
            }
        };
        let since = Instant::now();
        stream.write_all(&[7; SIZE]).await?;
        let mut buffer = [0; SIZE];
        stream.read_exact(&mut buffer).await?;
        *connection = Some(stream);
        Ok::<_, std::io::Error>(since.elapsed())
    };
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(took)) => Ok(took),
        Ok(Err(error)) => Err(error.kind().to_string()),
        Err(_) => Err(format!("nothing after {:?}", since.elapsed())),
    }
}

async fn over_udp(at: SocketAddr, number: u64) -> Result<Duration, String> {
    let asked = async {
        let any: SocketAddr =
            if at.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
        let socket = UdpSocket::bind(any).await?;
        socket.connect(at).await?;
        let mut packet = [7; SIZE];
        packet[..8].copy_from_slice(&number.to_le_bytes());
        let since = Instant::now();
        socket.send(&packet).await?;
        let mut buffer = [0; SIZE];
        let length = socket.recv(&mut buffer).await?;
        if buffer[..length] != packet {
            return Err(std::io::ErrorKind::InvalidData.into());
        }
        Ok::<_, std::io::Error>(since.elapsed())
    };
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(took)) => Ok(took),
        Ok(Err(error)) => Err(error.kind().to_string()),
        Err(_) => Err("lost".to_owned()),
    }
}
