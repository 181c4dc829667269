//! A node alone, spoken to as with curl: the commands of `docs/targets.md`.

use std::net::TcpListener;
use std::time::Duration;

use reqwest::{Client, Method};

use super::broker::Broker;
use crate::kit::args::NodeArgs;
use crate::kit::shell::serve;
use crate::raft::Host;

#[tokio::test]
async fn curl_can_use_a_node_alone() {
    let dir = tempfile::tempdir().unwrap();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (listen, data) = (address.to_string(), dir.path().display().to_string());
    let args = ["--id", "1", "--listen", &listen, "--peers", "", "--data", &data, "--seed", "1"];
    let args = NodeArgs::parse("queue", args.map(str::to_owned).into()).unwrap();
    tokio::spawn(serve::<Host<Broker>>(args));
    let http = Client::builder().no_proxy().build().unwrap();
    let ask = async |method: Method, path: &str, body: &str| {
        let request = http.request(method, format!("http://{address}{path}"));
        let response = request.body(body.to_owned()).send().await?;
        Ok::<_, reqwest::Error>((response.status().as_u16(), response.text().await?))
    };
    // It elects itself.
    while !matches!(ask(Method::GET, "/health", "").await, Ok((200, _))) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let delivery = r#"{"attempt":1,"delivery":1,"offset":0,"value":"tea"}"#;
    let group = "/groups/g/orders/0";
    for (method, path, body, status, said) in [
        (Method::POST, "/topics/orders/0", r#"{"value":"tea"}"#, 200, r#"{"offset":0}"#),
        (
            Method::POST,
            "/topics/orders/0?client=p1&seq=1",
            r#"{"value":7}"#,
            200,
            r#"{"offset":1}"#,
        ),
        (
            Method::POST,
            "/topics/orders/0?client=p1&seq=1",
            r#"{"value":7}"#,
            200,
            r#"{"offset":1}"#,
        ),
        (Method::POST, &format!("{group}/receive?client=c&seq=1"), "", 200, delivery),
        (Method::POST, &format!("{group}/receive?client=c&seq=1"), "", 200, delivery),
        (Method::POST, &format!("{group}/ack"), r#"{"delivery":1}"#, 200, "{}"),
        (Method::POST, &format!("{group}/ack"), r#"{"delivery":1}"#, 409, "expired"),
        (Method::POST, &format!("{group}/receive"), r#"{"ack":"auto"}"#, 200, r#""value":7"#),
        (Method::POST, &format!("{group}/receive"), "", 204, ""),
        (Method::POST, &format!("{group}/drain"), "", 200, r#"{"left":[],"values":[]}"#),
        (Method::GET, &format!("{group}/dead"), "", 200, r#"{"values":[]}"#),
        (Method::GET, "/topics/orders", "", 200, r#""end":2"#),
        (Method::GET, "/status", "", 200, r#""role":"leader""#),
        (Method::POST, "/topics/orders/0", r#"{"value":null}"#, 400, "null is no message"),
    ] {
        let (got, text) = ask(method.clone(), path, body).await.unwrap();
        assert!(got == status && text.contains(said), "{method} {path} {body}: {got} {text}");
    }
}
