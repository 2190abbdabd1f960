mod process;
mod wire {
    tonic::include_proto!("opentalon.plugin.v1");
}

use tonic::Code;
use wire::{plugin_service_client::PluginServiceClient, *};

fn config(json: &str) -> PluginInitRequest {
    PluginInitRequest { config_json: json.into() }
}

#[tokio::test]
async fn takes_its_configuration_and_says_what_it_can_do() {
    let (process, channel) = process::start_plugin("capabilities").await;
    let mut plugin = PluginServiceClient::new(channel);
    plugin.init(config("{}")).await.unwrap();
    let capabilities = plugin.capabilities(()).await.unwrap().into_inner();
    assert_eq!(capabilities.name, "hello-rust");
    let names: Vec<_> = capabilities.actions.iter().map(|action| action.name.as_str()).collect();
    assert_eq!(names, ["greet", "split_bill"]);
    let refused = plugin.init(config(r#"{"greeting": 7}"#)).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    drop(plugin);
    process.stop().await;
}

#[tokio::test]
async fn answers_calls_and_explains_what_is_wrong() {
    let (process, channel) = process::start_plugin("calls").await;
    let mut plugin = PluginServiceClient::new(channel);
    plugin.init(config(r#"{"greeting": "Welcome"}"#)).await.unwrap();
    for (action, args, content, problem) in [
        ("greet", vec![("name", "Ada")], "Welcome, Ada!", ""),
        ("split_bill", vec![("total", "50"), ("people", "4")], "Each pays 12.50.", ""),
        ("split_bill", vec![("total", "50"), ("people", "0")], "", "from 1 to 100"),
        ("fly", vec![], "", "no such action"),
    ] {
        let args = args.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let call = ToolCallRequest { id: "c1".into(), action: action.into(), args, ..Default::default() };
        let answer = plugin.execute(call).await.unwrap().into_inner();
        assert_eq!((answer.call_id.as_str(), answer.content.as_str()), ("c1", content));
        assert!(answer.error.contains(problem) && answer.error.is_empty() == problem.is_empty(), "{}", answer.error);
    }
    drop(plugin);
    process.stop().await;
}
