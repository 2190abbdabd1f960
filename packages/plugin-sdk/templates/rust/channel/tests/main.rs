mod process;
mod wire {
    tonic::include_proto!("opentalon.channel.v1");
}

use prost_types::{Struct, Value, value::Kind};
use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
};
use tonic::Code;
use wire::{channel_service_client::ChannelServiceClient, *};

fn settings(address: &str) -> ConfigureRequest {
    let address = Value { kind: Some(Kind::StringValue(address.into())) };
    let config = Some(Struct { fields: [("address".into(), address)].into() });
    ConfigureRequest { config, instance_id: "lines".into(), ..Default::default() }
}

fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[tokio::test]
async fn says_what_it_is_and_refuses_a_wrong_configuration() {
    let (process, connection) = process::start_channel("capabilities").await;
    let mut channel = ChannelServiceClient::new(connection);
    assert_eq!(channel.capabilities(()).await.unwrap().into_inner().id, "my-plugin");
    let refused = channel.configure(settings("nowhere")).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    drop(channel);
    process.stop().await;
}

#[tokio::test]
async fn takes_what_people_write_and_delivers_answers() {
    let address = free_address();
    let (process, connection) = process::start_channel("messages").await;
    let mut channel = ChannelServiceClient::new(connection);
    channel.configure(settings(&address)).await.unwrap();
    let mut inbox = channel.start(()).await.unwrap().into_inner();
    let mut person = TcpStream::connect(&address).unwrap();
    person.write_all(b"Hello!\n").unwrap();
    let message = inbox.message().await.unwrap().unwrap();
    assert_eq!(message.content, "Hello!");
    let content = "Good morning.".into();
    let answer = OutboundMessage { conversation_id: message.conversation_id, content, ..Default::default() };
    channel.send(answer).await.unwrap();
    let mut line = String::new();
    BufReader::new(&person).read_line(&mut line).unwrap();
    assert_eq!(line, "Good morning.\n");
    let nobody = OutboundMessage { conversation_id: "nobody".into(), ..Default::default() };
    assert_eq!(channel.send(nobody).await.unwrap_err().code(), Code::NotFound);
    drop((channel, inbox));
    process.stop().await;
}
