//! A provider: answers for models of your own. This one has a parrot, which says what it was told.

mod opentalon;
mod wire {
    tonic::include_proto!("opentalon.provider.v1");
}

use std::{error::Error, sync::Mutex};
use tonic::{Request, Response, Status, codegen::BoxStream, transport::Server};
use wire::{complete_event::Kind, message::Kind as From, provider_service_server::*, *};

#[derive(Default)]
struct Provider {
    greeting: Mutex<String>,
}

#[tonic::async_trait]
impl ProviderService for Provider {
    /// Takes what stands under `config` of the provider's entry, or refuses it in words.
    async fn init(&self, request: Request<InitRequest>) -> Result<Response<()>, Status> {
        let config = opentalon::settings(&request.get_ref().config_json)?;
        let greeting = config.get("greeting").map_or(Some("You said"), |given| given.as_str());
        let wrong = || opentalon::refusal("`greeting` must be a text");
        *self.greeting.lock().unwrap() = greeting.ok_or_else(wrong)?.to_owned();
        Ok(Response::new(()))
    }

    async fn models(&self, _: Request<ModelsRequest>) -> Result<Response<ModelsResponse>, Status> {
        let parrot = Model { id: "parrot".into(), context_window: 8_000, ..Default::default() };
        Ok(Response::new(ModelsResponse { models: vec![parrot] }))
    }

    /// Sends the answer as it comes. Tries once: other credentials and models are OpenTalon's decision.
    async fn complete(&self, request: Request<CompleteRequest>) -> Result<Response<BoxStream<CompleteEvent>>, Status> {
        let said = request.get_ref().messages.iter().rev().find_map(|message| match &message.kind {
            Some(From::User(user)) => Some(user.content.as_str()),
            _ => None,
        });
        let events = match said.unwrap_or_default() {
            "" => vec![nothing_said()],
            said => self.answer(said),
        };
        // The stream is dropped when nobody waits for the answer any more.
        let events = events.into_iter().map(|kind| Ok(CompleteEvent { kind: Some(kind) }));
        Ok(Response::new(Box::pin(tokio_stream::iter(events))))
    }
}

impl Provider {
    fn answer(&self, said: &str) -> Vec<Kind> {
        let answer = format!("{}: {said}", self.greeting.lock().unwrap());
        let mut events: Vec<_> = answer.split_inclusive(' ').map(|word| Kind::TextDelta(word.into())).collect();
        let input_tokens = said.split_whitespace().count() as u64;
        let output_tokens = events.len() as u64;
        events.push(Kind::Usage(Usage { input_tokens, output_tokens, ..Default::default() }));
        events.push(Kind::Finish(Finish { reason: FinishReason::Stop.into() }));
        events
    }
}

/// A failure is an event, too; its reason decides what OpenTalon does next.
fn nothing_said() -> Kind {
    let (reason, message) = (FailureReason::InvalidRequest.into(), "nothing was said".into());
    Kind::Failure(Failure { reason, message, status: 400, ..Default::default() })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let service = ProviderServiceServer::new(Provider::default()).max_decoding_message_size(opentalon::message_limit());
    opentalon::serve(Server::builder().add_service(service)).await
}
