//! A WebSocket stack that knows `AsyncRead` and `AsyncWrite` only.

use std::time::Duration;

use async_tungstenite::tungstenite::Message;
use futures_lite::{StreamExt, future};
use smol::Timer;

#[test]
fn messages_go_there_and_back() {
    smol::block_on(async {
        let listener = async_net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = async {
            let (stream, _) = listener.accept().await.unwrap();
            let mut socket = async_tungstenite::accept_async(stream).await.unwrap();
            while let Some(Ok(message)) = socket.next().await {
                if message.is_text() || message.is_binary() {
                    socket.send(message).await.unwrap();
                }
            }
        };
        let client = async {
            let stream = async_net::TcpStream::connect(address).await.unwrap();
            let url = format!("ws://{address}/");
            let (mut socket, _) = async_tungstenite::client_async(url, stream).await.unwrap();
            for size in [0, 1, 125, 126, 65_535, 65_536, 1_000_000] {
                let message = Message::binary(vec![7; size]);
                socket.send(message.clone()).await.unwrap();
                assert_eq!(socket.next().await.unwrap().unwrap(), message);
                Timer::after(Duration::from_millis(1)).await;
            }
            socket.close(None).await.unwrap();
            while let Some(Ok(_)) = socket.next().await {}
        };
        future::zip(server, client).await;
    });
}
