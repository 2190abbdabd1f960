mod process;
mod wire {
    tonic::include_proto!("opentalon.provider.v1");
}

use tonic::{Code, transport::Channel};
use wire::{complete_event::Kind, provider_service_client::ProviderServiceClient, *};

fn config(json: &str) -> InitRequest {
    InitRequest { config_json: json.into() }
}

async fn ask(provider: &mut ProviderServiceClient<Channel>, text: &str) -> (String, Option<Kind>) {
    let user = UserMessage { content: text.into(), ..Default::default() };
    let messages = vec![Message { kind: Some(message::Kind::User(user)) }];
    let request = CompleteRequest { model: "parrot".into(), messages, ..Default::default() };
    let mut events = provider.complete(request).await.unwrap().into_inner();
    let (mut said, mut last) = (String::new(), None);
    while let Some(event) = events.message().await.unwrap() {
        if let Some(Kind::TextDelta(text)) = &event.kind {
            said.push_str(text);
        }
        last = event.kind;
    }
    (said, last)
}

#[tokio::test]
async fn lists_its_models_and_refuses_a_wrong_configuration() {
    let (process, channel) = process::start_plugin("models").await;
    let mut provider = ProviderServiceClient::new(channel);
    let models = provider.models(ModelsRequest::default()).await.unwrap().into_inner().models;
    assert_eq!(models.iter().map(|model| model.id.as_str()).collect::<Vec<_>>(), ["parrot"]);
    let refused = provider.init(config(r#"{"greeting": 7}"#)).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    drop(provider);
    process.stop().await;
}

#[tokio::test]
async fn answers_in_pieces_and_explains_why_it_cannot() {
    let (process, channel) = process::start_plugin("answers").await;
    let mut provider = ProviderServiceClient::new(channel);
    provider.init(config("{}")).await.unwrap();
    let (said, last) = ask(&mut provider, "good morning").await;
    assert_eq!(said, "You said: good morning");
    assert!(matches!(last, Some(Kind::Finish(finish)) if finish.reason() == FinishReason::Stop));
    let (_, last) = ask(&mut provider, "").await;
    assert!(matches!(last, Some(Kind::Failure(failure)) if failure.reason() == FailureReason::InvalidRequest));
    drop(provider);
    process.stop().await;
}
