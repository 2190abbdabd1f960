//! A tool: two actions a model can call. The names and texts in `capabilities` are all a model knows of them.

mod opentalon;
mod wire {
    tonic::include_proto!("opentalon.plugin.v1");
}

use std::{collections::HashMap, error::Error, sync::Mutex};
use tonic::{Request, Response, Status, transport::Server};
use wire::{plugin_service_server::*, *};

#[derive(Default)]
struct Plugin {
    greeting: Mutex<String>,
}

#[tonic::async_trait]
impl PluginService for Plugin {
    /// Takes what stands under `config` of the plugin's entry, or refuses it in words.
    async fn init(&self, request: Request<PluginInitRequest>) -> Result<Response<()>, Status> {
        let config = opentalon::settings(&request.get_ref().config_json)?;
        let greeting = config.get("greeting").map_or(Some("Hello"), |given| given.as_str());
        let wrong = || opentalon::refusal("`greeting` must be a text");
        *self.greeting.lock().unwrap() = greeting.ok_or_else(wrong)?.to_owned();
        Ok(Response::new(()))
    }

    async fn capabilities(&self, _: Request<()>) -> Result<Response<PluginCapabilities>, Status> {
        let name = parameter("name", "Who is greeted", "string");
        let total = parameter("total", "The bill", "number");
        let people = parameter("people", "How many pay, 1 to 100", "integer");
        let actions = vec![
            action("greet", "Greets somebody. Use it when the person wants to be greeted.", vec![name]),
            action("split_bill", "Says what each person pays when a bill is split evenly.", vec![total, people]),
        ];
        let (name, description) = ("my-plugin".into(), "Greets people and splits bills".into());
        Ok(Response::new(PluginCapabilities { name, description, actions, ..Default::default() }))
    }

    /// Several calls may be under way at once. An error is an answer, in words a model can act on.
    async fn execute(&self, request: Request<ToolCallRequest>) -> Result<Response<ToolResultResponse>, Status> {
        let ToolCallRequest { id, action, args, .. } = request.into_inner();
        let (content, error) = match self.run(&action, &args) {
            Ok(content) => (content, String::new()),
            Err(error) => (String::new(), format!("{action} failed: {error}")),
        };
        Ok(Response::new(ToolResultResponse { call_id: id, content, error, ..Default::default() }))
    }
}

impl Plugin {
    /// All arguments are texts; OpenTalon has checked their types before.
    fn run(&self, action: &str, args: &HashMap<String, String>) -> Result<String, Box<dyn Error>> {
        let text = |name: &str| args.get(name).map_or("", String::as_str);
        match action {
            "greet" => Ok(format!("{}, {}!", self.greeting.lock().unwrap(), text("name"))),
            "split_bill" => match (text("total").parse::<f64>()?, text("people").parse::<u32>()?) {
                (total, people @ 1..=100) => Ok(format!("Each pays {:.2}.", total / f64::from(people))),
                (_, people) => Err(format!("`people` must be from 1 to 100, not {people}").into()),
            },
            _ => Err("there is no such action; there are greet and split_bill".into()),
        }
    }
}

fn action(name: &str, description: &str, parameters: Vec<Parameter>) -> Action {
    Action { name: name.into(), description: description.into(), parameters, read_only: true, ..Default::default() }
}

fn parameter(name: &str, description: &str, r#type: &str) -> Parameter {
    let (name, description, r#type) = (name.into(), description.into(), r#type.into());
    Parameter { name, description, r#type, required: true, ..Default::default() }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let service = PluginServiceServer::new(Plugin::default()).max_decoding_message_size(opentalon::message_limit());
    opentalon::serve(Server::builder().add_service(service)).await
}
