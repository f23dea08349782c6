//! Unix sockets on Windows, which has them since 2018, but not in Rust's standard library.
//!
//! `socket2` makes them. They go into `Async` like any socket, and are read and written by
//! `read_with` and `write_with`.

#[cfg(windows)]
fn main() -> std::io::Result<()> {
    use std::io::{self, Read, Write};

    use async_wheel::{Async, block_on};
    use futures_lite::future;
    use socket2::{Domain, SockAddr, Socket, Type};

    /// Reads a line, without its end.
    async fn read_line(stream: &Async<Socket>) -> io::Result<String> {
        let mut line = Vec::new();
        let mut buffer = [0; 64];
        while !line.ends_with(b"\n") {
            let length = stream.read_with(|mut socket| socket.read(&mut buffer)).await?;
            if length == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            line.extend_from_slice(&buffer[..length]);
        }
        line.pop();
        Ok(String::from_utf8_lossy(&line).into_owned())
    }

    async fn write_line(stream: &Async<Socket>, line: &str) -> io::Result<()> {
        let line = format!("{line}\n");
        let mut rest = line.as_bytes();
        while !rest.is_empty() {
            let length = stream.write_with(|mut socket| socket.write(rest)).await?;
            rest = &rest[length..];
        }
        Ok(())
    }

    let path = std::env::temp_dir().join(format!("unix-socket-{}", std::process::id()));
    let address = SockAddr::unix(&path)?;
    let listener = match Socket::new(Domain::UNIX, Type::STREAM, None) {
        Ok(socket) => socket,
        Err(error) => {
            println!("This Windows has no Unix sockets: {error}");
            return Ok(());
        }
    };
    listener.bind(&address)?;
    listener.listen(16)?;
    let listener = Async::new(listener)?;

    let result = block_on(async {
        let server = async {
            let (stream, _) = listener.read_with(|socket| socket.accept()).await?;
            let stream = Async::new(stream)?;
            for _ in 0..2 {
                let line = read_line(&stream).await?;
                write_line(&stream, &line.chars().rev().collect::<String>()).await?;
            }
            io::Result::Ok(())
        };
        let client = async {
            // To connect locally waits for nothing but room in the listener's queue.
            let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
            socket.connect(&address)?;
            let stream = Async::new(socket)?;
            for line in ["stressed", "drawer"] {
                write_line(&stream, line).await?;
                println!("{line}: {}", read_line(&stream).await?);
            }
            io::Result::Ok(())
        };
        future::try_zip(server, client).await.map(drop)
    });
    let _ = std::fs::remove_file(&path);
    result
}

#[cfg(not(windows))]
fn main() {
    println!("This is for Windows. Other systems' sockets are in the example unix_socket.");
}
