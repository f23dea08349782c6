//! monoio, with epoll. It is no [`Runtime`](super::Runtime): its tasks stay in their thread, and it
//! reads into buffers that it is lent, so that what it does is written by itself.

use std::net::TcpListener;

use monoio::io::{AsyncReadRent, AsyncWriteRentExt};
use monoio::net;
use monoio::{LegacyDriver, RuntimeBuilder};

/// Echoes messages of so many bytes on all connections, in this thread.
pub fn serve(listener: TcpListener, bytes: usize) {
    let mut runtime = RuntimeBuilder::<LegacyDriver>::new().build().expect("a runtime");
    runtime.block_on(async {
        listener.set_nonblocking(true).expect("a socket");
        let listener = net::TcpListener::from_std(listener).expect("a listener");
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            stream.set_nodelay(true).expect("a socket");
            monoio::spawn(answer(stream, bytes));
        }
    })
}

async fn answer(mut stream: net::TcpStream, bytes: usize) {
    let mut buffer = vec![0; bytes];
    loop {
        let (read, filled) = stream.read(buffer).await;
        let Ok(1..) = read else { return };
        let (written, back) = stream.write_all(filled).await;
        written.expect("the client is there");
        buffer = back;
    }
}
