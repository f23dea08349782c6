//! Talks over a Unix socket, by lines.

#[cfg(unix)]
fn main() -> std::io::Result<()> {
    use std::io;
    use std::os::unix::net::{UnixListener, UnixStream};

    use async_wheel::{Async, block_on};
    use futures_lite::io::BufReader;
    use futures_lite::{AsyncBufReadExt, AsyncWriteExt, StreamExt, future};

    let path = std::env::temp_dir().join(format!("unix-socket-{}", std::process::id()));

    let server = async |listener: &Async<UnixListener>| {
        let (stream, _) = listener.accept().await?;
        let mut lines = BufReader::new(&stream).lines();
        while let Some(line) = lines.next().await {
            let answer: String = line?.chars().rev().collect();
            (&stream).write_all(format!("{answer}\n").as_bytes()).await?;
        }
        io::Result::Ok(())
    };
    let client = async {
        let stream = Async::<UnixStream>::connect(&path).await?;
        let mut answers = BufReader::new(&stream).lines();
        for line in ["stressed", "drawer"] {
            (&stream).write_all(format!("{line}\n").as_bytes()).await?;
            let answer = answers.next().await.ok_or(io::ErrorKind::UnexpectedEof)??;
            println!("{line}: {answer}");
        }
        io::Result::Ok(())
    };

    let result = block_on(async {
        let listener = Async::<UnixListener>::bind(&path)?;
        future::try_zip(server(&listener), client).await.map(drop)
    });
    let _ = std::fs::remove_file(&path);
    result
}

#[cfg(not(unix))]
fn main() {
    println!("This system has no Unix sockets in the standard library.");
}
