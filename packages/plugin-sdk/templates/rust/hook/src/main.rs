//! A hook: sees each message before a model does (`prepare`) and each answer before the person does (`format`).

mod opentalon;
mod wire {
    tonic::include_proto!("opentalon.plugin.v1");
}

use serde_json::{Value, json};
use std::{collections::HashMap, error::Error, sync::Mutex};
use tonic::{Request, Response, Status, transport::Server};
use wire::{plugin_service_server::*, *};

#[derive(Default)]
struct Plugin {
    words: Mutex<HashMap<String, String>>,
}

#[tonic::async_trait]
impl PluginService for Plugin {
    /// Takes what stands under `config` of the plugin's entry, or refuses it in words.
    async fn init(&self, request: Request<PluginInitRequest>) -> Result<Response<()>, Status> {
        let config = opentalon::settings(&request.get_ref().config_json)?;
        let words = config.get("words").cloned().unwrap_or_else(|| json!({}));
        let wrong = |_| opentalon::refusal("`words` must map words to texts");
        *self.words.lock().unwrap() = serde_json::from_value(words).map_err(wrong)?;
        Ok(Response::new(()))
    }

    async fn capabilities(&self, _: Request<()>) -> Result<Response<PluginCapabilities>, Status> {
        Ok(Response::new(PluginCapabilities {
            name: "my-plugin".into(),
            description: "Rules that hold whatever a model thinks of them".into(),
            actions: vec![
                hook("prepare", "Sees each message before a model does", &["text", "search_text"]),
                hook("format", "Sees each answer before the person does", &["text", "response_format"]),
            ],
            ..Default::default()
        }))
    }

    async fn execute(&self, request: Request<ToolCallRequest>) -> Result<Response<ToolResultResponse>, Status> {
        let ToolCallRequest { id, action, args, .. } = request.into_inner();
        let text = args.get("text").map_or("", String::as_str);
        let mut answer = ToolResultResponse { call_id: id, ..Default::default() };
        match action.as_str() {
            // As JSON: what a person wrote must not pass for a verdict.
            "prepare" => answer.content = self.prepare(text).to_string(),
            "format" => answer.content = format(text),
            _ => answer.error = format!("there is no action {action}; there are prepare and format"),
        }
        Ok(Response::new(answer))
    }
}

impl Plugin {
    fn prepare(&self, text: &str) -> Value {
        if text.to_lowercase().contains("salary") {
            return json!({"send_to_llm": false, "message": "Questions about salaries go to people@example.com."});
        }
        let words = self.words.lock().unwrap();
        let meant: Vec<_> = text.split(' ').map(|word| words.get(word).map_or(word, String::as_str)).collect();
        json!({"message": meant.join(" ")})
    }
}

fn format(text: &str) -> String {
    let addition = if text.to_lowercase().contains("refund") { "\n\nRefunds are decided by people." } else { "" };
    format!("{text}{addition}")
}

/// An action that is kept from models, which have no business with it.
fn hook(name: &str, description: &str, parameters: &[&str]) -> Action {
    let parameter = |name: &&str| Parameter {
        name: (*name).into(),
        description: (*name).into(),
        r#type: "string".into(),
        ..Default::default()
    };
    Action {
        name: name.into(),
        description: description.into(),
        parameters: parameters.iter().map(parameter).collect(),
        user_only: true,
        read_only: true,
        ..Default::default()
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let service = PluginServiceServer::new(Plugin::default()).max_decoding_message_size(opentalon::message_limit());
    opentalon::serve(Server::builder().add_service(service)).await
}
