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
async fn is_kept_from_models_and_refuses_a_wrong_configuration() {
    let (process, channel) = process::start_plugin("capabilities").await;
    let mut plugin = PluginServiceClient::new(channel);
    let capabilities = plugin.capabilities(()).await.unwrap().into_inner();
    assert_eq!(capabilities.name, "my-plugin");
    assert_eq!(capabilities.actions.len(), 2);
    assert!(capabilities.actions.iter().all(|action| action.user_only));
    let refused = plugin.init(config(r#"{"words": 7}"#)).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    drop(plugin);
    process.stop().await;
}

#[tokio::test]
async fn prepares_messages_and_formats_answers() {
    let (process, channel) = process::start_plugin("calls").await;
    let mut plugin = PluginServiceClient::new(channel);
    plugin.init(config(r#"{"words": {"PTO": "paid time off"}}"#)).await.unwrap();
    for (action, text, expected) in [
        ("prepare", "my PTO", r#"{"message":"my paid time off"}"#),
        ("prepare", "Her salary?", r#""send_to_llm":false"#),
        ("format", "Fine.", "Fine."),
        ("format", "A refund is due.", "decided by people"),
    ] {
        let args = [("text".to_owned(), text.to_owned())].into();
        let call = ToolCallRequest { id: "c1".into(), action: action.into(), args, ..Default::default() };
        let answer = plugin.execute(call).await.unwrap().into_inner();
        assert_eq!(answer.call_id, "c1");
        assert!(answer.content.contains(expected), "{}", answer.content);
    }
    drop(plugin);
    process.stop().await;
}
