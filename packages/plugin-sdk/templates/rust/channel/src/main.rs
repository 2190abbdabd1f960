//! A channel: joins a messaging platform. This one is the platform, too: each TCP connection is a conversation, each
//! line a message. Try it with `nc 127.0.0.1 7070`. Everybody on this machine can connect, so it is a toy.

mod opentalon;
mod wire {
    tonic::include_proto!("opentalon.channel.v1");
}

use prost_types::value::Kind::StringValue;
use std::{collections::HashMap, error::Error, sync::Arc, time::SystemTime};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream, tcp::OwnedWriteHalf};
use tokio::sync::{Mutex, mpsc};
use tokio_stream::{StreamExt, wrappers::ReceiverStream};
use tonic::{Request, Response, Status, codegen::BoxStream, transport::Server};
use wire::{channel_service_server::*, *};

#[derive(Clone, Default)]
struct Channel {
    /// To the OpenTalon that listens, if one does.
    listener: Arc<Mutex<Option<mpsc::Sender<InboundMessage>>>>,
    connections: Arc<Mutex<HashMap<String, OwnedWriteHalf>>>,
}

#[tonic::async_trait]
impl ChannelService for Channel {
    async fn capabilities(&self, _: Request<()>) -> Result<Response<ChannelCapabilities>, Status> {
        let (id, name) = ("my-plugin".into(), "Lines over TCP".into());
        Ok(Response::new(ChannelCapabilities { id, name, ..Default::default() }))
    }

    /// Takes what stands under `config` of the channel's entry, or refuses it in words.
    async fn configure(&self, request: Request<ConfigureRequest>) -> Result<Response<ConfigureResponse>, Status> {
        let fields = request.into_inner().config.unwrap_or_default().fields;
        let address = match fields.get("address").map(|value| &value.kind) {
            None => "127.0.0.1:7070",
            Some(Some(StringValue(given))) => given,
            Some(_) => "",
        };
        let wrong = |error| opentalon::refusal(&format!("`address` must be a free host:port: {error}"));
        let listener = TcpListener::bind(address).await.map_err(wrong)?;
        tokio::spawn(self.clone().accept(listener));
        Ok(Response::new(ConfigureResponse {}))
    }

    /// Streams what people write, for as long as OpenTalon listens.
    async fn start(&self, _: Request<()>) -> Result<Response<BoxStream<InboundMessage>>, Status> {
        let (arrived, inbox) = mpsc::channel(100);
        *self.listener.lock().await = Some(arrived);
        Ok(Response::new(Box::pin(ReceiverStream::new(inbox).map(Ok))))
    }

    async fn send(&self, request: Request<OutboundMessage>) -> Result<Response<SendResponse>, Status> {
        let OutboundMessage { conversation_id, content, metadata, .. } = request.into_inner();
        // Says that an answer is being written, which cannot be shown here.
        if metadata.get("_typing").is_some_and(|typing| typing == "true") {
            return Ok(Response::new(SendResponse::default()));
        }
        let mut connections = self.connections.lock().await;
        let gone = || Status::not_found("the person has hung up");
        let connection = connections.get_mut(&conversation_id).ok_or_else(gone)?;
        connection.write_all(format!("{content}\n").as_bytes()).await?;
        Ok(Response::new(SendResponse::default()))
    }
}

impl Channel {
    async fn accept(self, listener: TcpListener) {
        let mut count = 0_u64;
        while let Ok((connection, _)) = listener.accept().await {
            count += 1;
            tokio::spawn(self.clone().read(count.to_string(), connection));
        }
    }

    async fn read(self, name: String, connection: TcpStream) {
        let (reader, writer) = connection.into_split();
        self.connections.lock().await.insert(name.clone(), writer);
        let mut lines = BufReader::new(reader).lines();
        while let Ok(Some(content)) = lines.next_line().await {
            let (conversation_id, sender_id) = (name.clone(), name.clone());
            let timestamp = Some(SystemTime::now().into());
            let message = InboundMessage { conversation_id, sender_id, content, timestamp, ..Default::default() };
            if let Some(listener) = self.listener.lock().await.clone() {
                listener.send(message).await.ok();
            }
        }
        self.connections.lock().await.remove(&name);
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let service = ChannelServiceServer::new(Channel::default()).max_decoding_message_size(opentalon::message_limit());
    opentalon::serve_channel("my-plugin", Server::builder().add_service(service)).await
}
