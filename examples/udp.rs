//! Asks a server over UDP, and asks again when no answer comes: datagrams get lost.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use async_wheel::{Async, Timer, block_on};
use futures_lite::{FutureExt, future};

/// Answers in upper case, but not to every other question.
async fn serve(socket: &Async<UdpSocket>) -> io::Result<()> {
    let mut buffer = [0; 1024];
    let mut received = 0;
    loop {
        let (length, from) = socket.recv_from(&mut buffer).await?;
        received += 1;
        if received % 2 == 0 {
            buffer[..length].make_ascii_uppercase();
            socket.send_to(&buffer[..length], from).await?;
        }
    }
}

/// Sends a question up to three times, waiting longer each time.
async fn ask(server: SocketAddr, question: &str) -> io::Result<String> {
    let socket = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0))?;
    socket.get_ref().connect(server)?;
    let mut buffer = [0; 1024];
    for limit in [200, 800, 3_200].map(Duration::from_millis) {
        socket.send(question.as_bytes()).await?;
        let answer = async { socket.recv(&mut buffer).await.map(Some) };
        let timeout = async {
            Timer::after(limit).await;
            Ok(None)
        };
        match answer.or(timeout).await? {
            Some(length) => return Ok(String::from_utf8_lossy(&buffer[..length]).into_owned()),
            None => println!("no answer within {limit:?}"),
        }
    }
    Err(io::Error::new(io::ErrorKind::TimedOut, format!("{server} does not answer")))
}

fn main() -> io::Result<()> {
    block_on(async {
        let socket = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0))?;
        let address = socket.get_ref().local_addr()?;
        let client = async {
            for question in ["who is there?", "and now?"] {
                println!("{question} {}", ask(address, question).await?);
            }
            Ok(())
        };
        future::or(client, serve(&socket)).await
    })
}
