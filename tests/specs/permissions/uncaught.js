// exit: 1
// stderr: error: Uncaught (in promise) NotCapable: Requires net access to "127.0.0.1:80", run again with the --allow-net flag
// stderr: new WebSocket("ws://127.0.0.1/");
// stderr: ^
// stderr:     at new WebSocket ([*])
// stderr:     at file:///[*]/permissions/uncaught.js:7:1
new WebSocket("ws://127.0.0.1/");
